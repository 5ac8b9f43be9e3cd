//! The key schedule of DTLS 1.2: PRF (RFC 5246 §5), extended master secret (RFC 7627 §4), key
//! block (RFC 5246 §6.3), Finished (§7.4.9) and exporters (RFC 5705 §4).

use gramseal_wire::Random;
use zeroize::{Zeroize, Zeroizing};

use super::LoggedSecret;
use crate::crypto::{AeadAlgorithm, CryptoProvider, Digest, Hash, NONCE_LEN, RecordKeys12};
use crate::error::{Error, LocalFault};
use crate::suite::Suite12;

/// Bytes in the `verify_data` of Finished.
pub(super) const VERIFY_DATA_LEN: usize = 12;

/// Both sides' randoms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Randoms {
    pub(super) client: Random,
    pub(super) server: Random,
}

/// The keys of both directions.
pub(super) struct KeyBlock {
    pub(super) client_write: RecordKeys12,
    pub(super) server_write: RecordKeys12,
}

/// Which side's Finished is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// The secret of a session and what exporters need beside it. Wiped when dropped.
pub(crate) struct Session12 {
    hash: &'static dyn Hash,
    master_secret: Zeroizing<[u8; 48]>,
    randoms: Randoms,
}

impl Session12 {
    /// From the premaster secret and the hash of the handshake up to ClientKeyExchange.
    pub(super) fn extended(
        hash: &'static dyn Hash,
        premaster_secret: &[u8],
        session_hash: &Digest,
        randoms: Randoms,
    ) -> Self {
        let mut master_secret = Zeroizing::new([0; 48]);
        prf(hash, premaster_secret, b"extended master secret", &[session_hash.as_ref()], &mut *master_secret);
        Self { hash, master_secret, randoms }
    }

    /// The key log's line for this session (RFC 9850 §2).
    pub(super) fn logged(&self) -> LoggedSecret {
        LoggedSecret {
            label: "CLIENT_RANDOM",
            client_random: self.randoms.client.0,
            secret: Zeroizing::new(self.master_secret.to_vec()),
        }
    }

    /// Expands the master secret into record keys.
    pub(super) fn key_block(&self, suite: &Suite12, provider: &CryptoProvider) -> Result<KeyBlock, Error> {
        let aead = provider.aead(suite.aead).ok_or(LocalFault::MissingAlgorithm)?;
        let key_len = suite.aead.key_len();
        let iv_len = fixed_iv_len(suite.aead);
        let mut block = Zeroizing::new([0; 2 * (32 + NONCE_LEN)]);
        let (used, _) = block.split_at_mut(2 * (key_len + iv_len));
        let Randoms { client, server } = &self.randoms;
        prf(self.hash, &*self.master_secret, b"key expansion", &[&server.0, &client.0], used);

        let (keys, ivs) = used.split_at(2 * key_len);
        let (client_key, server_key) = keys.split_at(key_len);
        let (client_iv, server_iv) = ivs.split_at(iv_len);
        let make = |key: &[u8], iv: &[u8]| -> Result<RecordKeys12, Error> {
            let mut padded = [0; NONCE_LEN];
            for (to, from) in padded.iter_mut().zip(iv) {
                *to = *from;
            }
            let keys = RecordKeys12 { algorithm: suite.aead, key: aead.key(key)?, iv: padded };
            padded.zeroize();
            Ok(keys)
        };
        Ok(KeyBlock { client_write: make(client_key, client_iv)?, server_write: make(server_key, server_iv)? })
    }

    /// What `side` must put into its Finished after a handshake that hashes to `transcript`.
    pub(super) fn verify_data(&self, side: Side, transcript: &Digest) -> [u8; VERIFY_DATA_LEN] {
        let label: &[u8] = match side {
            Side::Client => b"client finished",
            Side::Server => b"server finished",
        };
        let mut out = [0; VERIFY_DATA_LEN];
        prf(self.hash, &*self.master_secret, label, &[transcript.as_ref()], &mut out);
        out
    }

    /// Keying material for the application; `context` of at most 65,535 bytes.
    pub(crate) fn export(&self, label: &[u8], context: Option<(&[u8], u16)>, out: &mut [u8]) {
        let Randoms { client, server } = &self.randoms;
        match context {
            // RFC 5705 §4: an empty context and none at all give different output.
            Some((context, len)) => {
                let seed: &[&[u8]] = &[&client.0, &server.0, &len.to_be_bytes(), context];
                prf(self.hash, &*self.master_secret, label, seed, out);
            }
            None => prf(self.hash, &*self.master_secret, label, &[&client.0, &server.0], out),
        }
    }
}

/// Bytes of the nonce that come from the key block.
fn fixed_iv_len(aead: AeadAlgorithm) -> usize {
    match aead {
        // RFC 7905 §2
        AeadAlgorithm::ChaCha20Poly1305 => NONCE_LEN,
        // RFC 5288 §3, RFC 6655 §3
        AeadAlgorithm::Aes128Gcm
        | AeadAlgorithm::Aes256Gcm
        | AeadAlgorithm::Aes128Ccm
        | AeadAlgorithm::Aes256Ccm
        | AeadAlgorithm::Aes128Ccm8
        | AeadAlgorithm::Aes256Ccm8 => 4,
    }
}

/// `P_hash` over label and seed (RFC 5246 §5), with the seed in parts.
fn prf(hash: &dyn Hash, secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let key = hash.hmac_key(secret);
    let mut parts: [&[u8]; 6] = [&[]; 6];
    for (to, from) in parts.iter_mut().skip(1).zip(core::iter::once(&label).chain(seed)) {
        *to = from;
    }
    let [_, from_label @ ..] = &parts;
    let mut a = key.sign(from_label);
    for chunk in out.chunks_mut(hash.algorithm().output_len()) {
        let [_, p1, p2, p3, p4, p5] = parts;
        let block = key.sign(&[a.as_ref(), p1, p2, p3, p4, p5]);
        for (to, from) in chunk.iter_mut().zip(block.as_ref()) {
            *to = *from;
        }
        a = key.sign(&[a.as_ref()]);
    }
}
