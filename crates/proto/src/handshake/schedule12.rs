//! The key schedule of DTLS 1.2: PRF (RFC 5246 §5), extended master secret (RFC 7627 §4), key
//! block (RFC 5246 §6.3), Finished (§7.4.9) and exporters (RFC 5705 §4).

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::Random;
use zeroize::{Zeroize, Zeroizing};

use super::{Action, LoggedSecret};
use crate::config::Common;
use crate::crypto::{AeadAlgorithm, CryptoProvider, Digest, Hash, NONCE_LEN, PrfKey, RecordKeys12, SecretArray};
use crate::error::{Error, LocalFault};
use crate::session::{PSK_BINDING_LEN, Session};
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
    pub(super) hash: &'static dyn Hash,
    /// In a box, because the session moves from state to state: a move would leave a copy behind that
    /// nobody wipes.
    pub(super) master_secret: Box<SecretArray<48>>,
    pub(super) randoms: Randoms,
}

impl Session12 {
    /// What a resumed connection begins with.
    pub(crate) fn master_secret(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.master_secret.to_vec())
    }

    fn prf_key(&self) -> Box<dyn PrfKey> {
        self.hash.prf_key(&self.master_secret)
    }

    /// The record keys once more.
    pub(super) fn key_block(&self, suite: &Suite12, provider: &CryptoProvider) -> Result<KeyBlock, Error> {
        key_block(&*self.prf_key(), &self.randoms, suite, provider)
    }

    /// See [`psk_binding`].
    pub(super) fn bind_to_psk(&self, key: &[u8]) -> [u8; PSK_BINDING_LEN] {
        psk_binding(self.hash, &self.master_secret, key)
    }

    /// The key log's line for this session (RFC 9850 §2), if there is a key log.
    pub(super) fn logged(&self, common: &Common) -> Option<Action> {
        common.key_log.as_ref().map(|_| {
            Action::LogSecret(LoggedSecret {
                label: "CLIENT_RANDOM".into(),
                client_random: self.randoms.client.0,
                secret: self.master_secret(),
            })
        })
    }

    /// Keying material for the application; `context` of at most 65,535 bytes.
    pub(crate) fn export(&self, label: &[u8], context: Option<(&[u8], u16)>, out: &mut [u8]) {
        let Randoms { client, server } = &self.randoms;
        match context {
            // RFC 5705 §4: an empty context and none at all give different output.
            Some((context, len)) => {
                let seed: &[&[u8]] = &[&client.0, &server.0, &len.to_be_bytes(), context];
                self.hash.prf(&self.master_secret, label, seed, out);
            }
            None => self.hash.prf(&self.master_secret, label, &[&client.0, &server.0], out),
        }
    }
}

/// A session whose handshake goes on, with its secret expanded for all that is derived in it.
pub(super) struct KeySchedule12 {
    pub(super) session: Session12,
    prf: Box<dyn PrfKey>,
}

impl KeySchedule12 {
    /// From the premaster secret and the hash of the handshake up to ClientKeyExchange.
    pub(super) fn extended(
        hash: &'static dyn Hash,
        premaster_secret: &[u8],
        session_hash: &Digest,
        randoms: Randoms,
    ) -> Self {
        let mut master_secret = Box::new(SecretArray::new([0; 48]));
        hash.prf(premaster_secret, b"extended master secret", &[session_hash.as_ref()], &mut master_secret);
        Self::of(Session12 { hash, master_secret, randoms })
    }

    /// The session of an earlier connection, for a new one with other randoms (RFC 5246 §F.1.4).
    pub(super) fn resumed(hash: &'static dyn Hash, session: &Session, randoms: Randoms) -> Result<Self, Error> {
        let secret = session.secret.first_chunk::<48>().ok_or(LocalFault::Crypto)?;
        Ok(Self::of(Session12 { hash, master_secret: Box::new(SecretArray::new(*secret)), randoms }))
    }

    fn of(session: Session12) -> Self {
        Self { prf: session.prf_key(), session }
    }

    /// Expands the master secret into record keys.
    pub(super) fn key_block(&self, suite: &Suite12, provider: &CryptoProvider) -> Result<KeyBlock, Error> {
        key_block(&*self.prf, &self.session.randoms, suite, provider)
    }

    /// What `side` must put into its Finished after a handshake that hashes to `transcript`.
    pub(super) fn verify_data(&self, side: Side, transcript: &Digest) -> [u8; VERIFY_DATA_LEN] {
        let label: &[u8] = match side {
            Side::Client => b"client finished",
            Side::Server => b"server finished",
        };
        let mut out = [0; VERIFY_DATA_LEN];
        self.prf.derive(label, &[transcript.as_ref()], &mut out);
        out
    }
}

/// RFC 5246 §6.3
fn key_block(
    prf: &dyn PrfKey,
    randoms: &Randoms,
    suite: &Suite12,
    provider: &CryptoProvider,
) -> Result<KeyBlock, Error> {
    let aead = provider.aead(suite.aead).ok_or(LocalFault::MissingAlgorithm)?;
    let key_len = suite.aead.key_len();
    let iv_len = fixed_iv_len(suite.aead);
    let mut block = SecretArray::new([0; 2 * (32 + NONCE_LEN)]);
    let (used, _) = block.split_at_mut(2 * (key_len + iv_len));
    let Randoms { client, server } = randoms;
    prf.derive(b"key expansion", &[&server.0, &client.0], used);

    let (keys, ivs) = used.split_at(2 * key_len);
    let (client_key, server_key) = keys.split_at(key_len);
    let (client_iv, server_iv) = ivs.split_at(iv_len);
    let make = |key: &[u8], iv: &[u8]| -> Result<RecordKeys12, Error> {
        let mut padded = [0; NONCE_LEN];
        for (to, from) in padded.iter_mut().zip(iv) {
            *to = *from;
        }
        let keys = RecordKeys12 { algorithm: suite.aead, key: aead.key(key)?, iv: padded };
        padded.as_mut_slice().zeroize();
        Ok(keys)
    };
    Ok(KeyBlock { client_write: make(client_key, client_iv)?, server_write: make(server_key, server_iv)? })
}

/// What ties a session with this master secret to the pre-shared key that authenticated it. The secret
/// goes in, so that it helps nobody to guess the key who could not without it.
pub(super) fn psk_binding(hash: &dyn Hash, master_secret: &[u8], key: &[u8]) -> [u8; PSK_BINDING_LEN] {
    let mut binding = [0; PSK_BINDING_LEN];
    hash.prf(master_secret, b"gramseal psk binding", &[key], &mut binding);
    binding
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

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::crypto::test_hash::{SHA256, SHA384};
    use crate::crypto::test_hex::unhex;

    fn array<const N: usize>(text: &str) -> [u8; N] {
        unhex(text).try_into().expect("the right length")
    }

    /// A vector of the TLS 1.2 KDF with extended master secret.
    struct Vector {
        hash: &'static dyn Hash,
        premaster_secret: &'static str,
        session_hash: &'static str,
        client_random: &'static str,
        server_random: &'static str,
        master_secret: &'static str,
        key_block: &'static str,
    }

    /// From NIST's ACVP sample set for `TLS-v1.2/KDF/RFC7627`: test cases 11 and 31, the key block
    /// cut to 64 bytes.
    const ACVP: [Vector; 2] = [
        Vector {
            hash: &SHA256,
            premaster_secret: concat!(
                "23c9d8d88575378f5f8009bb596be6815f5d96a3b633467712e1a22405a73482192ec19f5b1273832cb9663e",
                "7e66cb28",
            ),
            session_hash: "9f395b2cec7548b4785dd555b9d9b315ec880233f70654e986366248fd766cc4",
            client_random: "8d5a49ecff49fd0fefce10fe246f88ae8c2b8802666fe5af1f175f2036f10f7c",
            server_random: "66321715222702416ca015eca33ee91c2b76f6667009ba9bb6cc5211237b671a",
            master_secret: concat!(
                "3a43bb93200224518942279b01cbe0c04398c6da15232bfb4790b52f15fa563048360312c9958e788c74a19a",
                "2f16465e",
            ),
            key_block: concat!(
                "12562ee7021c315e0b23ccd6daac537b47741a2fb61717c83c76ee203b27ccd4cb7864044cdd22c4a77bd2dc",
                "163cb2ed082351a11cb9c1af1893f833058382f5",
            ),
        },
        Vector {
            hash: &SHA384,
            premaster_secret: concat!(
                "86d4c4505eb4b275bddbd62f7a368638427bf2cd4341b575ae00a7f34e06088e3af6dd916898e28078bf4656",
                "a204c2cd",
            ),
            session_hash: concat!(
                "fab73aa9d9b80f3d7acaceff0eb2bae0b15ea2f240d9492db70b7ba70b3055678eaa7b05a02c56c22648bd77",
                "acf2be91",
            ),
            client_random: "f20e31c397cdb58b988e9cc84ac07bf8203307e42e7f3ab315dfc994faf62607",
            server_random: "825247fbde6e5d986b316d7a2ee198dc36969b4fc45b9dda171d63abcb38df91",
            master_secret: concat!(
                "0020134a8a8a830082674842e91bd090e695f06685298ff2fe4fc6598fd0ce2f2920faf1127b6f6745f33527",
                "a9c6a131",
            ),
            key_block: concat!(
                "0e4f3d3a50bf595aa110edfebce1ee84b8cf95787e0a57f1bc66d25c0ac2c723fb8af0ca1a1a934a1209cfab",
                "a51b022bca27d4d56b875f516157b28e0fda285a",
            ),
        },
    ];

    #[test] // RFC 7627 §4, RFC 5246 §6.3
    fn extended_master_secret_and_key_block_agree_with_acvp() {
        for vector in &ACVP {
            let randoms =
                Randoms { client: Random(array(vector.client_random)), server: Random(array(vector.server_random)) };
            let session_hash = Digest::new(&unhex(vector.session_hash));
            let schedule =
                KeySchedule12::extended(vector.hash, &unhex(vector.premaster_secret), &session_hash, randoms);
            assert_eq!(schedule.session.master_secret.to_vec(), unhex(vector.master_secret));
            let mut block = [0; 64];
            let seed: [&[u8]; 2] = [&randoms.server.0, &randoms.client.0];
            schedule.prf.derive(b"key expansion", &seed, &mut block);
            assert_eq!(block.to_vec(), unhex(vector.key_block));
        }
    }

    /// From Botan's `kdf_tls_prf.vec` (BSD-2): secret, seed, output, for the label "test label".
    const PRF_VECTORS: [(&dyn Hash, &str, &str, &str); 2] = [
        (
            &SHA256,
            "9bbe436ba940f017b17652849a71db35",
            "a0ba9f936cda311827a6f796ffd5198c",
            concat!(
                "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e",
                "14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5",
                "a72e5a5110fff70187347b66",
            ),
        ),
        (
            &SHA384,
            "b80b733d6ceefcdc71566ea48e5567df",
            "cd665cf6a8447dd6ff8b27555edb7465",
            concat!(
                "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b123",
                "3c9146a0e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd",
                "4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a2",
                "6854308d5eaa3be85e0990703d73e56f",
            ),
        ),
    ];

    #[test]
    fn a_session_that_moves_leaves_no_secret_behind() {
        let randoms = Randoms { client: Random([1; 32]), server: Random([2; 32]) };
        let session = KeySchedule12::extended(&SHA256, b"premaster", &Digest::new(&[3; 32]), randoms).session;
        let place = session.master_secret.as_ptr();
        let moved = Box::new(session);
        assert_eq!(moved.master_secret.as_ptr(), place);
    }

    #[test] // RFC 5246 §5
    fn prf_agrees_with_known_answers() {
        for (hash, secret, seed, output) in PRF_VECTORS {
            let mut out = vec![0; output.len() / 2];
            let seed = unhex(seed);
            let (first, second) = seed.split_at(5);
            hash.prf(&unhex(secret), b"test label", &[first, second], &mut out);
            assert_eq!(out, unhex(output));
        }
    }

    #[test] // RFC 5705 §4
    fn no_context_and_an_empty_one_export_differently() {
        let randoms = Randoms { client: Random([1; 32]), server: Random([2; 32]) };
        let session = KeySchedule12::extended(&SHA256, &[3; 32], &Digest::new(&[4; 32]), randoms).session;
        let (mut without, mut empty) = ([0; 16], [0; 16]);
        session.export(b"EXPORTER-test", None, &mut without);
        session.export(b"EXPORTER-test", Some((&[], 0)), &mut empty);
        assert_ne!(without, empty);
    }

    #[test]
    fn the_master_secret_is_wiped_when_dropped() {
        crate::crypto::assert_wiped(|session: &Session12| &*session.master_secret);
    }
}
