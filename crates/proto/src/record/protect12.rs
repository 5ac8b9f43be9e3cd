//! Record protection of DTLS 1.2: nonce and additional data around an AEAD.
//!
//! RFC 6347 §4.1.2.4, RFC 5246 §6.2.3.3, RFC 5288 §3, RFC 6655 §3, RFC 7905 §2, RFC 9146 §4 and §5.3. Knows no
//! window, no counter and no limit: the record number comes from outside, and whoever seals must never give
//! the same one twice.

use gramseal_wire::{
    ADDITIONAL_DATA12_CID_LEN, Cid12Header, ContentType, InnerPlaintext, ProtocolVersion, RecordNumber,
    additional_data12, additional_data12_cid,
};

use super::MAX_CONTENT_LEN;
use super::inner::{Short, trailer};
use crate::cid::Cid;
use crate::crypto::{AeadAlgorithm, CryptoError, NONCE_LEN, RecordKeys12};
use crate::discard::Discard;

/// Bytes of the nonce that travel in a record of GCM and CCM.
const EXPLICIT_LEN: usize = 8;

/// What the header of a record says and protection covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered {
    pub(super) number: RecordNumber,
    pub(super) content_type: ContentType,
    pub(super) version: ProtocolVersion,
}

/// The same of a record with a connection id, whose content has its type beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'c> {
    pub(super) number: RecordNumber,
    pub(super) version: ProtocolVersion,
    pub(super) cid: &'c [u8],
}

/// Seals or opens the records of one epoch in one direction.
pub(super) struct Protection12 {
    keys: RecordKeys12,
}

impl Protection12 {
    pub(super) fn new(mut keys: RecordKeys12) -> Self {
        // Where the record carries the rest of the nonce, the secret part has zeros there: mixing is
        // then the same for all algorithms.
        if explicit_len(keys.algorithm) != 0 {
            keys.iv.iter_mut().skip(NONCE_LEN - EXPLICIT_LEN).for_each(|byte| *byte = 0);
        }
        Self { keys }
    }

    /// Bytes that the body of a record has beyond its content.
    pub(super) fn overhead(&self) -> usize {
        explicit_len(self.keys.algorithm) + self.keys.algorithm.tag_len()
    }

    /// Seals `content` into `body`, which must be exactly [`Self::overhead`] bytes longer.
    #[inline]
    pub(super) fn seal(&self, covered: Covered, content: &[u8], body: &mut [u8]) -> Result<(), CryptoError> {
        let aad = additional_data(covered, content.len()).ok_or(CryptoError)?;
        let (nonce, sealed) = self.nonce_to_seal(covered.number, body)?;
        self.keys.key.seal(nonce, &aad, content, &[], sealed)
    }

    /// Seals `content` and its type into `body`, which has at least [`Self::overhead`] bytes and one more than
    /// `content`; what application data has beyond that becomes padding.
    #[inline]
    pub(super) fn seal_named(
        &self,
        named: Named<'_>,
        content_type: ContentType,
        content: &[u8],
        body: &mut [u8],
    ) -> Result<(), CryptoError> {
        let inner_len = body.len().checked_sub(self.overhead()).ok_or(CryptoError)?;
        let trailer_len = inner_len.checked_sub(content.len()).ok_or(CryptoError)?;
        let mut short = Short::default();
        let trailer = trailer(content_type, trailer_len, &mut short).ok_or(CryptoError)?;
        let mut aad = [0; ADDITIONAL_DATA12_CID_LEN + Cid::MAX_LEN];
        let aad = named_additional_data(named, inner_len, &mut aad).ok_or(CryptoError)?;
        let (nonce, sealed) = self.nonce_to_seal(named.number, body)?;
        self.keys.key.seal(nonce, aad, content, trailer, sealed)
    }

    /// The nonce for a record with this number, whose explicit part is written to the front of `body`; and the rest
    /// of it.
    #[inline]
    fn nonce_to_seal<'b>(
        &self,
        number: RecordNumber,
        body: &'b mut [u8],
    ) -> Result<([u8; NONCE_LEN], &'b mut [u8]), CryptoError> {
        // The explicit part is the record number and never random: a random one repeats sooner or
        // later, and a repeated GCM nonce gives the authentication key away.
        let explicit = number_bytes(number);
        let sealed = match explicit_len(self.keys.algorithm) {
            0 => body,
            len => {
                let (front, sealed) = body.split_at_mut_checked(len).ok_or(CryptoError)?;
                front.copy_from_slice(&explicit);
                sealed
            }
        };
        Ok((self.nonce(explicit), sealed))
    }

    /// Opens `body` in place and gives back the content in it.
    #[inline]
    pub(super) fn open<'d>(&self, covered: Covered, body: &'d mut [u8]) -> Result<&'d mut [u8], Discard> {
        let content_len = body.len().checked_sub(self.overhead()).ok_or(Discard::Malformed)?;
        let aad = additional_data(covered, content_len).ok_or(Discard::Oversized)?;
        self.open_under(&aad, covered.number, body)
    }

    /// Opens the body of a record with a connection id in place and gives back the content in it, with its type.
    #[inline]
    pub(super) fn open_named<'d>(
        &self,
        named: Named<'_>,
        body: &'d mut [u8],
    ) -> Result<(ContentType, &'d mut [u8]), Discard> {
        let inner_len = body.len().checked_sub(self.overhead()).ok_or(Discard::Malformed)?;
        // RFC 9146 §5: all that is sealed counts.
        if inner_len > MAX_CONTENT_LEN {
            return Err(Discard::Oversized);
        }
        let mut aad = [0; ADDITIONAL_DATA12_CID_LEN + Cid::MAX_LEN];
        let aad = named_additional_data(named, inner_len, &mut aad).ok_or(Discard::Malformed)?;
        let plaintext = self.open_under(aad, named.number, body)?;
        let inner = InnerPlaintext::find(plaintext).map_err(|_| Discard::Malformed)?;
        let content = plaintext.get_mut(..inner.content_len).ok_or(Discard::Malformed)?;
        Ok((inner.content_type, content))
    }

    #[inline]
    fn open_under<'d>(&self, aad: &[u8], number: RecordNumber, body: &'d mut [u8]) -> Result<&'d mut [u8], Discard> {
        let (nonce, sealed) = match explicit_len(self.keys.algorithm) {
            0 => (self.nonce(number_bytes(number)), body),
            // The sender may choose it as it likes (RFC 5288 §3).
            len => {
                let (front, sealed) = body.split_at_mut_checked(len).ok_or(Discard::Malformed)?;
                let explicit = <[u8; EXPLICIT_LEN]>::try_from(&*front).map_err(|_| Discard::Malformed)?;
                (self.nonce(explicit), sealed)
            }
        };
        let len = self.keys.key.open(nonce, aad, sealed).map_err(|_| Discard::BadTag)?;
        sealed.get_mut(..len).ok_or(Discard::BadTag)
    }

    /// GCM and CCM put `explicit` behind 4 secret bytes; ChaCha20-Poly1305 mixes it into 12.
    ///
    /// In a long word and a short one, as ciphers load it: bytes that were stored in other portions
    /// have to settle in the cache first, which costs more than all the rest here.
    fn nonce(&self, explicit: [u8; EXPLICIT_LEN]) -> [u8; NONCE_LEN] {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.keys.iv;
        let [s, t, u, v, w, x, y, z] = explicit;
        let long = u64::from_ne_bytes([a, b, c, d, e, f, g, h]) ^ u64::from_ne_bytes([0, 0, 0, 0, s, t, u, v]);
        let short = u32::from_ne_bytes([i, j, k, l]) ^ u32::from_ne_bytes([w, x, y, z]);
        let [a, b, c, d, e, f, g, h] = long.to_ne_bytes();
        let [i, j, k, l] = short.to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }
}

/// How many bytes of the nonce a record carries.
const fn explicit_len(algorithm: AeadAlgorithm) -> usize {
    match algorithm {
        AeadAlgorithm::ChaCha20Poly1305 => 0,
        AeadAlgorithm::Aes128Gcm
        | AeadAlgorithm::Aes256Gcm
        | AeadAlgorithm::Aes128Ccm
        | AeadAlgorithm::Aes256Ccm
        | AeadAlgorithm::Aes128Ccm8
        | AeadAlgorithm::Aes256Ccm8 => EXPLICIT_LEN,
    }
}

/// The record number as nonces and additional data have it.
fn number_bytes(number: RecordNumber) -> [u8; EXPLICIT_LEN] {
    let [.., e0, e1] = number.epoch.0.to_be_bytes();
    let [_, _, s0, s1, s2, s3, s4, s5] = number.sequence_number.0.to_be_bytes();
    [e0, e1, s0, s1, s2, s3, s4, s5]
}

/// `None` if the content is longer than the field for its length can say.
fn additional_data(covered: Covered, content_len: usize) -> Option<[u8; 13]> {
    let Covered { number, content_type, version } = covered;
    let length = u16::try_from(content_len).ok()?;
    Some(additional_data12(number.epoch, number.sequence_number, content_type, version, length))
}

/// The same of a record with a connection id (RFC 9146 §5.3), at the front of `out`.
#[inline]
fn named_additional_data<'a>(named: Named<'_>, inner_len: usize, out: &'a mut [u8]) -> Option<&'a [u8]> {
    let Named { number: RecordNumber { epoch, sequence_number }, version, cid } = named;
    let cid_len = u8::try_from(cid.len()).ok()?;
    let header = Cid12Header { version, epoch, sequence_number, cid_len, length: 0 };
    let len = additional_data12_cid(&header, cid, u16::try_from(inner_len).ok()?, out).ok()?;
    out.get(..len)
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec;
    use alloc::vec::Vec;

    use aes_gcm::Aes128Gcm;
    use aes_gcm::aead::KeyInit;
    use aes_gcm::aead::consts::{U8, U12};
    use aes_gcm::aes::Aes128;
    use ccm::Ccm;
    use chacha20poly1305::ChaCha20Poly1305;
    use gramseal_wire::{ContentType, Epoch, ProtocolVersion, RecordNumber, SequenceNumber};

    use super::{Covered, Named, Protection12};
    use crate::crypto::test_hex::unhex;
    use crate::crypto::{AeadAlgorithm, AeadKey, NONCE_LEN, RecordKeys12};
    use crate::discard::Discard;
    use crate::record::test_keys::{Real, test_keys};

    const CONTENT: [u8; 16] = *b"gramseal\x00\x01\x02\x03\x04\x05\x06\x07";
    const IV: [u8; NONCE_LEN] = [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab];
    const COVERED: Covered = Covered {
        number: RecordNumber { epoch: Epoch(1), sequence_number: SequenceNumber(0x0102_0304_0506) },
        content_type: ContentType::APPLICATION_DATA,
        version: ProtocolVersion::DTLS1_2,
    };

    /// Bodies of records made with the `cryptography` package 50.0.2 for Python (OpenSSL): its AEAD
    /// over `CONTENT`, with nonce and additional data put together by hand as the RFCs say, for the
    /// numbers above. Keys: 10 11 … 1f (AES) and 20 21 … 3f (ChaCha20).
    const KNOWN: [(AeadAlgorithm, &str); 3] = [
        (AeadAlgorithm::Aes128Gcm, "0001010203040506a9dcea0223632c2e0dd3dc001f30fef60cdd2aeb149d3f2102e2df742d1286fe"),
        (AeadAlgorithm::ChaCha20Poly1305, "7639bee64fee88ae0483c4db7b1d2d16a19d014f17d654fa066656c0ea59760c"),
        (AeadAlgorithm::Aes128Ccm8, "00010102030405062484818fccec79162e862074dc7a69d8c73f965b309d2216"),
    ];

    /// The same with a connection id and three zeros behind the type, made in the same way (48.0.0).
    const KNOWN_NAMED: [(AeadAlgorithm, &str); 3] = [
        (
            AeadAlgorithm::Aes128Gcm,
            "0001010203040506a9dcea0223632c2e0dd3dc001f30fef6c535507ee50c7c32165eb7e48b1e5d0c63e83fdc",
        ),
        (AeadAlgorithm::ChaCha20Poly1305, "7639bee64fee88ae0483c4db7b1d2d16e30c0ef511647aef358d2d172fac788dd1396c5d"),
        (AeadAlgorithm::Aes128Ccm8, "00010102030405062484818fccec79162e862074dc7a69d8e26aa320c7e3594bbdf73124"),
    ];
    const NAMED: Named<'static> = Named { number: COVERED.number, version: COVERED.version, cid: &[0xc1, 0xd2, 0xe3] };

    fn real(algorithm: AeadAlgorithm) -> Box<dyn AeadKey> {
        let key: Vec<u8> = match algorithm {
            AeadAlgorithm::ChaCha20Poly1305 => (0x20..0x40).collect(),
            _ => (0x10..0x20).collect(),
        };
        match algorithm {
            AeadAlgorithm::Aes128Gcm => Box::new(Real(Aes128Gcm::new_from_slice(&key).expect("16 bytes"))),
            AeadAlgorithm::Aes128Ccm8 => {
                Box::new(Real(Ccm::<Aes128, U8, U12>::new_from_slice(&key).expect("16 bytes")))
            }
            _ => Box::new(Real(ChaCha20Poly1305::new_from_slice(&key).expect("32 bytes"))),
        }
    }

    #[test] // RFC 5288 §3, RFC 6655 §3, RFC 7905 §2
    fn known_answers() {
        for (algorithm, body) in KNOWN {
            let body = unhex(body);
            let protection = Protection12::new(RecordKeys12 { algorithm, key: real(algorithm), iv: IV });
            let mut sealed = vec![0; CONTENT.len() + protection.overhead()];
            protection.seal(COVERED, &CONTENT, &mut sealed).expect("seals");
            assert_eq!(sealed, body, "{algorithm:?}");
            assert_eq!(protection.open(COVERED, &mut sealed), Ok(&mut { CONTENT }[..]), "{algorithm:?}");
        }
    }

    #[test] // RFC 9146 §5.3
    fn known_answers_with_a_connection_id() {
        for (algorithm, body) in KNOWN_NAMED {
            let body = unhex(body);
            let protection = Protection12::new(RecordKeys12 { algorithm, key: real(algorithm), iv: IV });
            let mut sealed = vec![0; CONTENT.len() + 4 + protection.overhead()];
            protection.seal_named(NAMED, COVERED.content_type, &CONTENT, &mut sealed).expect("seals");
            assert_eq!(sealed, body, "{algorithm:?}");
            let opened = protection.open_named(NAMED, &mut sealed);
            assert_eq!(opened, Ok((COVERED.content_type, &mut { CONTENT }[..])), "{algorithm:?}");
        }
    }

    #[test] // RFC 9146 §4 and §5
    fn what_is_sealed_with_a_connection_id_has_a_type_and_at_most_16384_bytes() {
        let protection = Protection12::new(test_keys(AeadAlgorithm::ChaCha20Poly1305, 7));
        let sealed = |content: &[u8]| {
            let mut body = vec![0; content.len() + 1 + protection.overhead()];
            protection.seal_named(NAMED, ContentType(0), content, &mut body).expect("seals");
            body
        };
        assert_eq!(protection.open_named(NAMED, &mut sealed(&[0; 9])), Err(Discard::Malformed), "zeros alone");
        let mut typed = sealed(&[&[1; (1 << 14) - 2][..], &[23]].concat());
        assert!(protection.open_named(NAMED, &mut typed).is_ok());
        let mut long = sealed(&[&[1; (1 << 14) - 1][..], &[23]].concat());
        assert_eq!(protection.open_named(NAMED, &mut long), Err(Discard::Oversized));
        assert_eq!(protection.open_named(NAMED, &mut [0; 15]), Err(Discard::Malformed));
    }

    #[test] // RFC 5288 §3
    fn a_peer_may_choose_its_explicit_nonce() {
        let ours = Protection12::new(test_keys(AeadAlgorithm::Aes128Gcm, 7));
        let mut body = vec![0; 3 + ours.overhead()];
        // As if the peer had counted from elsewhere: seal under another number, then check under
        // the additional data of this one, which this AEAD can do by hand.
        let nonce = ours.nonce([9; 8]);
        let aad = super::additional_data(COVERED, 3).expect("short");
        body[..8].copy_from_slice(&[9; 8]);
        ours.keys.key.seal(nonce, &aad, b"abc", &[], &mut body[8..]).expect("seals");
        assert_eq!(ours.open(COVERED, &mut body), Ok(&mut [b'a', b'b', b'c'][..]));
    }

    #[test]
    fn a_body_too_short_for_nonce_and_tag_is_malformed() {
        for algorithm in [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::ChaCha20Poly1305, AeadAlgorithm::Aes256Ccm8] {
            let protection = Protection12::new(test_keys(algorithm, 7));
            let mut body = vec![0; protection.overhead() - 1];
            assert_eq!(protection.open(COVERED, &mut body), Err(Discard::Malformed));
            assert_eq!(protection.open(COVERED, &mut []), Err(Discard::Malformed));
        }
    }

    #[test] // RFC 5246 §6.2.3.3, RFC 6347 §4.1.2.1
    fn number_type_and_version_are_protected() {
        let protection = Protection12::new(test_keys(AeadAlgorithm::ChaCha20Poly1305, 7));
        let mut body = vec![0; 3 + protection.overhead()];
        protection.seal(COVERED, b"abc", &mut body).expect("seals");
        let open = |covered| protection.open(covered, &mut body.clone()).map(|content| content.to_vec());
        assert_eq!(open(COVERED), Ok(b"abc".to_vec()));
        let number = RecordNumber::new(Epoch(1), SequenceNumber(0));
        assert_eq!(open(Covered { number, ..COVERED }), Err(Discard::BadTag));
        assert_eq!(open(Covered { content_type: ContentType::ALERT, ..COVERED }), Err(Discard::BadTag));
        assert_eq!(open(Covered { version: ProtocolVersion::DTLS1_0, ..COVERED }), Err(Discard::BadTag));
    }
}
