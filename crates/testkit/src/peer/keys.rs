//! The arithmetic of DTLS 1.2 once more, written apart from the code under test: PRF, master
//! secret, key block and records of AES-128-GCM suites with SHA-256 (RFC 5246 §5, §6.3, RFC 5288,
//! RFC 7627 §4).

use gramseal_proto::crypto::{AeadAlgorithm, AeadKey, CryptoProvider, Hash, HashAlgorithm};
use gramseal_wire::{ContentType, PlaintextHeader};

use crate::sim::Side;

const KEY_LEN: usize = 16;
const IV_LEN: usize = 4;
const EXPLICIT_NONCE_LEN: usize = 8;
const TAG_LEN: usize = 16;

/// Keys of both directions, and the secret they came from.
pub(super) struct Keys {
    hash: &'static dyn Hash,
    master_secret: Vec<u8>,
    directions: [Direction; 2],
}

struct Direction {
    key: Box<dyn AeadKey>,
    iv: [u8; IV_LEN],
}

impl Keys {
    /// From the premaster secret and the messages up to ClientKeyExchange.
    pub(super) fn new(provider: &CryptoProvider, premaster: &[u8], session: &[u8], randoms: [[u8; 32]; 2]) -> Self {
        let hash = provider.hash(HashAlgorithm::Sha256).expect("the null provider has SHA-256");
        let master_secret = prf(hash, premaster, b"extended master secret", &digest(hash, session), 48);
        Self::resumed(provider, &master_secret, randoms)
    }

    /// From the master secret of an earlier connection.
    pub(super) fn resumed(provider: &CryptoProvider, master_secret: &[u8], randoms: [[u8; 32]; 2]) -> Self {
        let hash = provider.hash(HashAlgorithm::Sha256).expect("the null provider has SHA-256");
        let aead = provider.aead(AeadAlgorithm::Aes128Gcm).expect("the null provider has AES-128-GCM");
        let [client, server] = randoms;
        let block = prf(hash, master_secret, b"key expansion", &[server, client].concat(), 2 * (KEY_LEN + IV_LEN));
        let (keys, ivs) = block.split_at(2 * KEY_LEN);
        let direction = |side: usize| Direction {
            key: aead.key(&keys[side * KEY_LEN..(side + 1) * KEY_LEN]).expect("a key of 16 bytes"),
            iv: ivs[side * IV_LEN..(side + 1) * IV_LEN].try_into().expect("4 bytes"),
        };
        Self { hash, master_secret: master_secret.to_vec(), directions: [direction(0), direction(1)] }
    }

    pub(super) fn master_secret(&self) -> &[u8] {
        &self.master_secret
    }

    /// What `side` puts into its Finished after these messages (RFC 5246 §7.4.9).
    pub(super) fn verify_data(&self, side: Side, transcript: &[u8]) -> Vec<u8> {
        let label: &[u8] = if side == Side::Client { b"client finished" } else { b"server finished" };
        prf(self.hash, &self.master_secret, label, &digest(self.hash, transcript), 12)
    }

    /// The body of a record from `side`.
    pub(super) fn seal(&self, side: Side, header: &PlaintextHeader, content: &[u8]) -> Vec<u8> {
        let mut body = number(header).to_vec();
        body.resize(EXPLICIT_NONCE_LEN + content.len() + TAG_LEN, 0);
        let Direction { key, iv } = &self.directions[side as usize];
        let nonce = nonce(*iv, number(header));
        let aad = additional_data(header, content.len());
        key.seal(nonce, &aad, content, &[], &mut body[EXPLICIT_NONCE_LEN..]).expect("lengths fit");
        body
    }

    /// The content of a record from `side`, if its tag is right.
    pub(super) fn open(&self, side: Side, header: &PlaintextHeader, body: &[u8]) -> Option<Vec<u8>> {
        let (explicit, sealed) = body.split_first_chunk()?;
        let Direction { key, iv } = &self.directions[side as usize];
        let mut content = sealed.to_vec();
        let aad = additional_data(header, sealed.len().checked_sub(TAG_LEN)?);
        let len = key.open(nonce(*iv, *explicit), &aad, &mut content).ok()?;
        content.truncate(len);
        Some(content)
    }
}

fn digest(hash: &dyn Hash, bytes: &[u8]) -> Vec<u8> {
    let mut context = hash.start();
    context.update(bytes);
    context.current().as_ref().to_vec()
}

fn prf(hash: &dyn Hash, secret: &[u8], label: &[u8], seed: &[u8], len: usize) -> Vec<u8> {
    let (key, seed) = (hash.hmac_key(secret), [label, seed].concat());
    let mut out = Vec::new();
    let mut a = key.sign(&[&seed]);
    while out.len() < len {
        out.extend_from_slice(key.sign(&[a.as_ref(), &seed]).as_ref());
        a = key.sign(&[a.as_ref()]);
    }
    out.truncate(len);
    out
}

fn number(header: &PlaintextHeader) -> [u8; 8] {
    (header.epoch.0 << 48 | header.sequence_number.0).to_be_bytes()
}

fn nonce(iv: [u8; IV_LEN], explicit: [u8; EXPLICIT_NONCE_LEN]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..IV_LEN].copy_from_slice(&iv);
    nonce[IV_LEN..].copy_from_slice(&explicit);
    nonce
}

fn additional_data(header: &PlaintextHeader, len: usize) -> Vec<u8> {
    let len = u16::try_from(len).expect("a record's length");
    let ContentType(content_type) = header.content_type;
    [&number(header)[..], &[content_type], &header.version.0.to_be_bytes(), &len.to_be_bytes()].concat()
}
