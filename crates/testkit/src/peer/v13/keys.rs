//! The arithmetic of DTLS 1.3 once more, written apart from the code under test: HKDF, traffic secrets and
//! records of TLS_AES_128_GCM_SHA256 (RFC 9846 §7, RFC 9147 §4 and §5.9).

use std::sync::Arc;

use gramseal_proto::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoProvider, Hash, HashAlgorithm, MaskKey};
use gramseal_wire::{
    ContentType, Epoch, InnerPlaintext, Reader, RecordNumber, SequenceNumber, ShortSequenceNumber, UnifiedHeader,
};

use crate::sim::Side;

const KEY_LEN: usize = 16;
const DIGEST_LEN: usize = 32;
const TAG_LEN: usize = 16;

/// The functions of the suite.
pub(super) struct Suite {
    hash: &'static dyn Hash,
    aead: &'static dyn Aead,
}

impl Suite {
    pub(super) fn new(provider: &Arc<CryptoProvider>) -> Self {
        Self {
            hash: provider.hash(HashAlgorithm::Sha256).expect("the null provider has SHA-256"),
            aead: provider.aead(AeadAlgorithm::Aes128Gcm).expect("the null provider has AES-128-GCM"),
        }
    }

    pub(super) fn digest(&self, bytes: &[u8]) -> Vec<u8> {
        let mut context = self.hash.start();
        context.update(bytes);
        context.current().as_ref().to_vec()
    }

    fn hmac(&self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        self.hash.hmac_key(key).sign(parts).as_ref().to_vec()
    }

    /// No output here is longer than a digest.
    fn expand(&self, secret: &[u8], label: &str, context: &[u8], len: usize) -> Vec<u8> {
        let number = |value: usize| u8::try_from(value).expect("a short label");
        let label = [b"dtls13", label.as_bytes()].concat();
        let info = [&[0, number(len), number(label.len())][..], &label, &[number(context.len())], context].concat();
        let mut out = self.hmac(secret, &[&info, &[1]]);
        out.truncate(len);
        out
    }

    /// The handshake secret after a key agreement that gave `shared`; the pre-shared key is `psk` or nothing.
    pub(super) fn handshake_secret(&self, psk: Option<&[u8]>, shared: &[u8]) -> Vec<u8> {
        let early = self.early_secret(psk);
        self.hmac(&self.derived(&early), &[shared])
    }

    pub(super) fn early_secret(&self, psk: Option<&[u8]>) -> Vec<u8> {
        self.hmac(&[0; DIGEST_LEN], &[psk.unwrap_or(&[0; DIGEST_LEN])])
    }

    pub(super) fn main_secret(&self, handshake: &[u8]) -> Vec<u8> {
        self.hmac(&self.derived(handshake), &[&[0; DIGEST_LEN]])
    }

    fn derived(&self, secret: &[u8]) -> Vec<u8> {
        self.expand(secret, "derived", &self.digest(b""), DIGEST_LEN)
    }

    /// What binds a hello to a key: `bound` is all that the binder covers (RFC 9846 §4.3.11.2).
    pub(super) fn binder(&self, key: &[u8], resumes: bool, bound: &[u8]) -> Vec<u8> {
        let label = if resumes { "res binder" } else { "ext binder" };
        let secret = self.expand(&self.early_secret(Some(key)), label, &self.digest(b""), DIGEST_LEN);
        let key = self.expand(&secret, "finished", &[], DIGEST_LEN);
        self.hmac(&key, &[&self.digest(bound)])
    }

    /// The key of a ticket of a connection with this handshake.
    pub(super) fn ticket_key(&self, main: &[u8], handshake: &[u8], nonce: &[u8]) -> Vec<u8> {
        let secret = self.expand(main, "res master", &self.digest(handshake), DIGEST_LEN);
        self.expand(&secret, "resumption", nonce, DIGEST_LEN)
    }

    /// The keys of an epoch, from the traffic secrets with these labels.
    pub(super) fn keys(&self, secret: &[u8], labels: [&str; 2], transcript: &[u8]) -> Keys {
        let digest = self.digest(transcript);
        Keys(labels.map(|label| self.direction(self.expand(secret, label, &digest, DIGEST_LEN))))
    }

    /// The keys that go with the traffic secrets of both sides.
    pub(super) fn keys_of(&self, secrets: [Vec<u8>; 2]) -> Keys {
        Keys(secrets.map(|secret| self.direction(secret)))
    }

    /// The keys of the epoch after that of `keys` (RFC 9846 §7.2).
    pub(super) fn next(&self, keys: &Keys) -> Keys {
        let next = |direction: &Direction| self.expand(&direction.secret, "traffic upd", &[], DIGEST_LEN);
        let [client, server] = &keys.0;
        Keys([self.direction(next(client)), self.direction(next(server))])
    }

    fn direction(&self, secret: Vec<u8>) -> Direction {
        let key = self.expand(&secret, "key", &[], KEY_LEN);
        let mask = self.expand(&secret, "sn", &[], KEY_LEN);
        Direction {
            key: self.aead.key(&key).expect("a key of 16 bytes"),
            mask: self.aead.mask_key(&mask).expect("a key of 16 bytes"),
            iv: self.expand(&secret, "iv", &[], 12).try_into().expect("12 bytes"),
            secret,
        }
    }

    /// What `side` puts into its Finished after these messages (RFC 9846 §4.5.3).
    pub(super) fn verify_data(&self, keys: &Keys, side: Side, transcript: &[u8]) -> Vec<u8> {
        let key = self.expand(&keys.0[side as usize].secret, "finished", &[], DIGEST_LEN);
        self.hmac(&key, &[&self.digest(transcript)])
    }
}

/// How a record looks; by default as most look: a number of 16 bits, a length, no padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "tests choose among all forms there are")]
pub struct Form {
    /// The number has 8 bits.
    pub short_number: bool,
    /// The body ends with the datagram.
    pub without_length: bool,
    /// Zero bytes after the content type.
    pub padding: usize,
}

/// The keys of one epoch: the client's, then the server's.
pub(super) struct Keys([Direction; 2]);

struct Direction {
    secret: Vec<u8>,
    key: Box<dyn AeadKey>,
    mask: Box<dyn MaskKey>,
    iv: [u8; 12],
}

impl Direction {
    fn nonce(&self, number: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(number.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        nonce
    }

    fn mask(&self, body: &[u8]) -> Option<[u8; 2]> {
        self.mask.mask(body.first_chunk()?).ok()
    }
}

impl Keys {
    /// A record from `side`, with a connection id unless that is empty.
    pub(super) fn seal(
        &self,
        side: Side,
        cid: &[u8],
        number: RecordNumber,
        content_type: ContentType,
        content: &[u8],
        form: Form,
    ) -> Vec<u8> {
        let direction = &self.0[side as usize];
        let trailer = [&[content_type.0][..], &vec![0; form.padding]].concat();
        let len = content.len() + trailer.len() + TAG_LEN;
        let short = if form.short_number { ShortSequenceNumber::low8 } else { ShortSequenceNumber::low16 };
        let header = UnifiedHeader {
            epoch_bits: UnifiedHeader::epoch_bits_of(number.epoch),
            cid_len: u8::try_from(cid.len()).expect("short enough"),
            sequence_number: short(number.sequence_number),
            length: (!form.without_length).then(|| u16::try_from(len).expect("a record's length")),
        };
        let mut record = vec![0; header.header_len() + len];
        header.write(cid, &mut record).expect("room for it");
        let (front, body) = record.split_at_mut(header.header_len());
        let nonce = direction.nonce(number.sequence_number.0);
        direction.key.seal(nonce, front, content, &trailer, body).expect("lengths fit");
        header.apply_mask(front, direction.mask(body).expect("16 bytes")).expect("a whole header");
        record
    }

    /// What is in a whole record of `epoch` from `side`, if its tag is right. Its connection id has `cid_len` bytes, if
    /// there is one. Only numbers up to 16 bits are known.
    pub(super) fn open(
        &self,
        side: Side,
        epoch: Epoch,
        record: &[u8],
        cid_len: usize,
    ) -> Option<(RecordNumber, ContentType, Vec<u8>)> {
        let direction = &self.0[side as usize];
        let header = UnifiedHeader::read(&mut Reader::new(record), cid_len).ok()?;
        let (front, body) = record.split_at(header.header_len());
        let mask = direction.mask(body)?;
        let mut front = front.to_vec();
        header.apply_mask(&mut front, mask).ok()?;
        let number = u64::from(header.with_mask(mask).sequence_number.value());
        let mut content = body.to_vec();
        let len = direction.key.open(direction.nonce(number), &front, &mut content).ok()?;
        content.truncate(len);
        let inner = InnerPlaintext::find(&content).ok()?;
        content.truncate(inner.content_len);
        Some((RecordNumber::new(epoch, SequenceNumber(number)), inner.content_type, content))
    }
}
