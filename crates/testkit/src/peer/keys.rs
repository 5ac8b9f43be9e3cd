//! The arithmetic of DTLS 1.2 once more, written apart from the code under test: PRF, master
//! secret, key block and records of AES-128-GCM suites with SHA-256 (RFC 5246 §5, §6.3, RFC 5288,
//! RFC 7627 §4), with connection ids or without (RFC 9146).

use gramseal_proto::crypto::{AeadAlgorithm, AeadKey, CryptoProvider, Hash, HashAlgorithm};
use gramseal_wire::{Cid12Header, ContentType, InnerPlaintext, PlaintextHeader, ProtocolVersion, RecordNumber};

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

    /// A record from `side`, with a connection id unless that is empty.
    pub(super) fn seal(
        &self,
        side: Side,
        cid: &[u8],
        number: RecordNumber,
        content_type: ContentType,
        content: &[u8],
    ) -> Vec<u8> {
        let RecordNumber { epoch, sequence_number } = number;
        let (version, direction) = (ProtocolVersion::DTLS1_2, &self.directions[side as usize]);
        let length = |body: &[u8]| u16::try_from(body.len()).expect("a record's length");
        if cid.is_empty() {
            let mut header = PlaintextHeader { content_type, version, epoch, sequence_number, length: 0 };
            let body = direction.seal(number_bytes(number), &additional_data(&header, content.len()), content);
            header.length = length(&body);
            return [&header.to_bytes()[..], &body].concat();
        }
        let inner = [content, &[content_type.0]].concat();
        let cid_len = u8::try_from(cid.len()).expect("short enough");
        let mut header = Cid12Header { version, epoch, sequence_number, cid_len, length: 0 };
        let aad = named_additional_data(&header, cid, inner.len());
        let body = direction.seal(number_bytes(number), &aad, &inner);
        header.length = length(&body);
        let mut record = vec![0; header.header_len()];
        header.write(cid, &mut record).expect("room for it");
        record.extend(body);
        record
    }

    /// The content of a record from `side`, if its tag is right.
    pub(super) fn open(&self, side: Side, header: &PlaintextHeader, body: &[u8]) -> Option<Vec<u8>> {
        let aad = additional_data(header, content_len(body)?);
        self.directions[side as usize].open(&aad, body)
    }

    /// What is in a whole record from `side`, if its tag is right.
    pub(super) fn open_named(&self, side: Side, header: &Cid12Header, record: &[u8]) -> Option<(ContentType, Vec<u8>)> {
        let body = &record[header.header_len()..];
        let aad = named_additional_data(header, &record[header.cid_range()], content_len(body)?);
        let mut content = self.directions[side as usize].open(&aad, body)?;
        let inner = InnerPlaintext::find(&content).ok()?;
        content.truncate(inner.content_len);
        Some((inner.content_type, content))
    }
}

impl Direction {
    /// The body of a record whose nonce has `explicit` in it.
    fn seal(&self, explicit: [u8; EXPLICIT_NONCE_LEN], aad: &[u8], content: &[u8]) -> Vec<u8> {
        let mut body = explicit.to_vec();
        body.resize(EXPLICIT_NONCE_LEN + content.len() + TAG_LEN, 0);
        let nonce = nonce(self.iv, explicit);
        self.key.seal(nonce, aad, content, &[], &mut body[EXPLICIT_NONCE_LEN..]).expect("lengths fit");
        body
    }

    fn open(&self, aad: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let (explicit, sealed) = body.split_first_chunk()?;
        let mut content = sealed.to_vec();
        let len = self.key.open(nonce(self.iv, *explicit), aad, &mut content).ok()?;
        content.truncate(len);
        Some(content)
    }
}

fn content_len(body: &[u8]) -> Option<usize> {
    body.len().checked_sub(EXPLICIT_NONCE_LEN + TAG_LEN)
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

fn number_bytes(number: RecordNumber) -> [u8; 8] {
    (number.epoch.0 << 48 | number.sequence_number.0).to_be_bytes()
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
    let number = number_bytes(RecordNumber::new(header.epoch, header.sequence_number));
    [&number[..], &[content_type], &header.version.0.to_be_bytes(), &len.to_be_bytes()].concat()
}

/// RFC 9146 §5.3
fn named_additional_data(header: &Cid12Header, cid: &[u8], len: usize) -> Vec<u8> {
    let len = u16::try_from(len).expect("a record's length").to_be_bytes();
    let number = number_bytes(RecordNumber::new(header.epoch, header.sequence_number));
    let ContentType(named) = ContentType::TLS12_CID;
    let front = [&[0xff; 8][..], &[named, header.cid_len, named], &header.version.0.to_be_bytes()].concat();
    [&front, &number[..], cid, &len].concat()
}
