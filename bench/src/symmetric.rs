//! The bare operations of handshakes without public keys, both sides together: hashing the messages, the
//! PRF, the record keys and both Finished (RFC 5246 §5, §6.3, §7.4.9).

use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM};
use aws_lc_rs::digest;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::tls_prf::{self, P_SHA256};

use crate::raw::{Aead, TAG_LEN};

/// Bytes of a Finished with its header.
const FINISHED_LEN: usize = 24;

/// Bytes of key block for two keys of 16 bytes with 4 bytes of nonce each.
const KEY_BLOCK_LEN: usize = 40;

/// What one side does.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "numbers that describe a handshake")]
pub struct Side {
    /// Bytes of each message before Finished.
    pub messages: &'static [usize],
    /// Random bytes that it needs.
    pub random: usize,
    /// Whether it makes the master secret (RFC 7627 §4), or has it from an earlier handshake.
    pub new_secret: bool,
    /// Bytes in the session that it takes out of a ticket.
    pub ticket: Option<usize>,
}

impl Side {
    /// All of it, once.
    ///
    /// # Panics
    /// If an operation fails.
    pub fn run(&self) {
        let mut random = [0; 64];
        SystemRandom::new().fill(&mut random[..self.random]).expect("random bytes");
        if let Some(len) = self.ticket {
            open_ticket(len);
        }
        let mut transcript = digest::Context::new(&digest::SHA256);
        for len in self.messages {
            transcript.update(&MESSAGE[..*len]);
        }
        let mut master_secret = [7; 48];
        if self.new_secret {
            let session_hash = transcript.clone().finish();
            prf(&[7; 36], [session_hash.as_ref(), &[]], &mut master_secret);
        }
        let mut block = [0; KEY_BLOCK_LEN];
        prf(&master_secret, [&random[..32], &[7; 32]], &mut block);
        let mut keys = [Aead::new(&AES_128_GCM), Aead::new(&AES_128_GCM)];
        for key in &mut keys {
            let mut verify_data = [0; 12];
            let hash = transcript.clone().finish();
            prf(&master_secret, [hash.as_ref(), &[]], &mut verify_data);
            let mut sealed = [0; FINISHED_LEN + TAG_LEN];
            key.seal(&[7; FINISHED_LEN], &mut sealed);
            transcript.update(&[7; FINISHED_LEN]);
        }
        // One side seals what the other opens: this costs about the same as one more `seal`.
    }
}

/// Long enough for every message.
pub(crate) const MESSAGE: [u8; 512] = [7; 512];

/// The key that ticket keys are made from is made beforehand.
static TICKET_KEYS: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(HMAC_SHA256, &[7; 32]));

/// Opens a ticket with so many bytes of session in it.
pub(crate) fn open_ticket(len: usize) {
    let _ticket_key = hmac::sign(&TICKET_KEYS, &[7; 32]);
    let mut sealed = [0; MESSAGE.len() + TAG_LEN];
    Aead::new(&AES_256_GCM).seal(&MESSAGE[..len], &mut sealed[..len + TAG_LEN]);
}

/// The library's own, which costs less than one made of its HMAC.
fn prf(secret: &[u8], seed: [&[u8]; 2], out: &mut [u8]) {
    let secret = tls_prf::Secret::new(&P_SHA256, secret).expect("a secret");
    let [first, second] = seed;
    let derived = secret.derive_with_seed_concatination(b"client finished", first, second, out.len());
    out.copy_from_slice(derived.expect("some bytes").as_ref());
}
