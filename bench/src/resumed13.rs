//! The bare operations of a 1.3 handshake that resumes a session by ticket and agrees on a key beside it
//! (psk_dhe_ke), both sides together: hashing the messages, the key schedule, the binder, X25519, the record
//! keys and the protection of the records (RFC 9846 §7, §4.3.11.2, RFC 9147 §4.2.3).

use aws_lc_rs::aead::AES_128_GCM;
use aws_lc_rs::aead::quic::{AES_128, HeaderProtectionKey};
use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{agreement, digest};

use crate::raw::{Aead, TAG_LEN};
use crate::symmetric::{MESSAGE, open_ticket};

/// Bytes of additional data of a record.
const AAD_LEN: usize = 5;

/// Bytes of ClientHello and ServerHello, with type and length.
const HELLOS: [usize; 2] = [378, 96];
/// Bytes of the lists of binders at the end of the ClientHello.
const BINDERS_LEN: usize = 35;
/// Bytes of EncryptedExtensions and Finished, likewise.
const ENCRYPTED_EXTENSIONS_LEN: usize = 6;
const FINISHED_LEN: usize = 4 + 32;

/// What the protected records hold, with headers of DTLS: the server's EncryptedExtensions and Finished, which
/// fit into one record, the client's Finished, and the ACK of that.
const RECORDS: [usize; 3] = [14 + 44, 44, 18];

/// Bytes of the session in the ticket.
const SESSION_LEN: usize = 150;

/// All of it, once.
///
/// # Panics
/// If an operation fails.
pub fn run() {
    let [client, server] = [Half::new(), Half::new()];
    open_ticket(SESSION_LEN);
    let (client_share, server_share) = (client.share.as_ref().to_vec(), server.share.as_ref().to_vec());
    let ours = client.finish(&server_share);
    let theirs = server.finish(&client_share);
    assert_eq!(ours, theirs);
}

/// One side before it has the other's share.
struct Half {
    private: EphemeralPrivateKey,
    share: agreement::PublicKey,
}

impl Half {
    fn new() -> Self {
        let source = SystemRandom::new();
        source.fill(&mut [0; 32]).expect("random bytes");
        let private = EphemeralPrivateKey::generate(&X25519, &source).expect("random bytes");
        let share = private.compute_public_key().expect("a good key");
        Self { private, share }
    }

    /// The rest of what it does; the shared secret.
    fn finish(self, peer: &[u8]) -> [u8; 32] {
        let early = hmac(&[0; 32], &[7; 32]);
        let nothing = digest::digest(&digest::SHA256, &[]);
        let binder_key = expand::<32>(&early, b"res binder", nothing.as_ref());
        let hello = digest::digest(&digest::SHA256, &MESSAGE[..HELLOS[0] - BINDERS_LEN]);
        finished(&binder_key, hello.as_ref());

        let shared = agree_ephemeral(self.private, UnparsedPublicKey::new(&X25519, peer), (), |secret| {
            Ok(<[u8; 32]>::try_from(secret).expect("32 bytes"))
        });
        let shared = shared.expect("a good share");
        let mut transcript = digest::Context::new(&digest::SHA256);
        HELLOS.iter().for_each(|len| transcript.update(&MESSAGE[..*len]));
        let hellos = transcript.clone().finish();
        let handshake = hmac(&expand::<32>(&early, b"derived", nothing.as_ref()), &shared);
        let traffic =
            [&b"c hs traffic"[..], b"s hs traffic"].map(|label| expand::<32>(&handshake, label, hellos.as_ref()));
        let [mut write, mut read] = traffic.map(|secret| RecordKeys::new(&secret));

        transcript.update(&MESSAGE[..ENCRYPTED_EXTENSIONS_LEN]);
        finished(&traffic[1], transcript.clone().finish().as_ref());
        transcript.update(&MESSAGE[..FINISHED_LEN]);
        let server_finished = transcript.finish();
        finished(&traffic[0], server_finished.as_ref());
        let main = hmac(&expand::<32>(&handshake, b"derived", nothing.as_ref()), &[0; 32]);
        let application = [&b"c ap traffic"[..], b"s ap traffic"]
            .map(|label| RecordKeys::new(&expand(&main, label, server_finished.as_ref())));

        // One side seals what the other opens: this costs about the same as one more `seal`.
        let [server_flight, client_flight, ack] = RECORDS;
        read.seal(server_flight);
        write.seal(client_flight);
        let [_, mut read] = application;
        read.seal(ack);
        shared
    }
}

/// What protects the records of one side in one epoch.
struct RecordKeys {
    aead: Aead,
    mask: HeaderProtectionKey,
}

impl RecordKeys {
    fn new(secret: &[u8; 32]) -> Self {
        let (_key, _iv) = (expand::<16>(secret, b"key", &[]), expand::<12>(secret, b"iv", &[]));
        let mask_key = expand::<16>(secret, b"sn", &[]);
        let mask = HeaderProtectionKey::new(&AES_128, &mask_key).expect("the right length");
        Self { aead: Aead::with_aad(&AES_128_GCM, AAD_LEN), mask }
    }

    fn seal(&mut self, len: usize) {
        let mut sealed = [0; 128];
        self.aead.seal(&MESSAGE[..len], &mut sealed[..len + TAG_LEN]);
        self.mask.new_mask(&sealed[..16]).expect("a sample");
    }
}

/// Both HKDF-Extract and what a Finished and a binder are made with.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mac = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), message);
    mac.as_ref().try_into().expect("32 bytes")
}

fn finished(secret: &[u8; 32], transcript: &[u8]) {
    hmac(&expand::<32>(secret, b"finished", &[]), transcript);
}

/// HKDF-Expand-Label, by the library's own HKDF, which costs less than one made of its HMAC.
fn expand<const N: usize>(secret: &[u8; 32], label: &[u8], context: &[u8]) -> [u8; N] {
    struct Len(usize);
    impl KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = [0; N];
    let info = [&[0, 7][..], &[7], b"dtls13", label, &[7], context];
    let secret = Prk::new_less_safe(HKDF_SHA256, secret);
    secret.expand(&info, Len(N)).expect("not too long").fill(&mut out).expect("this long");
    out
}
