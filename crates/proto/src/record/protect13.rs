//! Record protection of DTLS 1.3: unified header, nonce, content type inside, masked record number.
//!
//! RFC 9147 §4, §4.2.2 and §4.2.3, RFC 9846 §5.2 to §5.4. Knows no window, no counter and no limit:
//! whoever seals must never give the same record number twice, and whoever opens says which number
//! it expects next.

use gramseal_wire::{ContentType, InnerPlaintext, RecordNumber, SequenceNumber, ShortSequenceNumber, UnifiedHeader};

use super::inner::{Short, TYPE_LEN, trailer};
use crate::crypto::{CryptoError, MASK_SAMPLE_LEN, NONCE_LEN, RecordKeys13};
use crate::discard::Discard;

/// Bytes in the headers that we write, without a connection id: first byte, 16 bits of the number, length. With its
/// length a record can share its datagram with others.
const HEADER_LEN: usize = 5;

/// What was in a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened13<'d> {
    pub(super) sequence_number: SequenceNumber,
    pub(super) content_type: ContentType,
    pub(super) content: &'d mut [u8],
}

/// Seals or opens the records of one epoch in one direction.
pub(super) struct Protection13 {
    keys: RecordKeys13,
}

impl Protection13 {
    pub(super) fn new(keys: RecordKeys13) -> Self {
        Self { keys }
    }

    /// Frees the expanded keys until [`Self::wake`].
    pub(super) fn rest(&mut self) {
        self.keys.put_to_rest();
    }

    /// Goes on with the same keys, expanded anew.
    pub(super) fn wake(&mut self, keys: RecordKeys13) {
        self.keys = keys;
    }

    /// Bytes that a record without a connection id has beyond content of a useful length, header included.
    #[inline]
    pub(super) fn overhead(&self) -> usize {
        HEADER_LEN + TYPE_LEN + self.keys.algorithm.tag_len()
    }

    /// Bytes of the record that holds `content_len` bytes, without a connection id.
    #[inline]
    pub(super) fn sealed_len(&self, content_len: usize) -> usize {
        self.overhead() + content_len + self.padding(content_len)
    }

    /// RFC 9147 §4.2.3: the ciphertext must be long enough for the mask to depend on.
    #[inline]
    fn padding(&self, content_len: usize) -> usize {
        MASK_SAMPLE_LEN.saturating_sub(content_len + TYPE_LEN + self.keys.algorithm.tag_len())
    }

    /// Seals `content` into `record`, which must have [`Self::sealed_len`] bytes and those of `cid`; for application
    /// data it may have more, which become padding.
    #[inline]
    pub(super) fn seal(
        &self,
        number: RecordNumber,
        content_type: ContentType,
        cid: &[u8],
        content: &[u8],
        record: &mut [u8],
    ) -> Result<(), CryptoError> {
        // Without an id the header has a length that the compiler knows.
        if cid.is_empty() {
            let (header, body) = record.split_first_chunk_mut::<HEADER_LEN>().ok_or(CryptoError)?;
            return self.seal_behind(header, number, content_type, &[], content, body);
        }
        let (header, body) = record.split_at_mut_checked(HEADER_LEN + cid.len()).ok_or(CryptoError)?;
        self.seal_behind(header, number, content_type, cid, content, body)
    }

    /// Always part of its callers, of which one knows how long the header is.
    #[inline(always)]
    fn seal_behind(
        &self,
        header: &mut [u8],
        number: RecordNumber,
        content_type: ContentType,
        cid: &[u8],
        content: &[u8],
        body: &mut [u8],
    ) -> Result<(), CryptoError> {
        let trailer_len = body.len().saturating_sub(content.len() + self.keys.algorithm.tag_len());
        let mut short = Short::default();
        let trailer = trailer(content_type, trailer_len, &mut short).ok_or(CryptoError)?;
        let unified = UnifiedHeader {
            epoch_bits: UnifiedHeader::epoch_bits_of(number.epoch),
            cid_len: u8::try_from(cid.len()).map_err(|_| CryptoError)?,
            sequence_number: ShortSequenceNumber::low16(number.sequence_number),
            length: Some(u16::try_from(body.len()).map_err(|_| CryptoError)?),
        };
        unified.write(cid, header).map_err(|_| CryptoError)?;
        self.keys.key.seal(self.nonce(number.sequence_number), header, content, trailer, body)?;
        let mask = self.mask(body).ok_or(CryptoError)?;
        unified.apply_mask(header, mask).map_err(|_| CryptoError)
    }

    /// Opens `record`, whose header was read, in place. Of the numbers that the header may mean it is
    /// the one nearest to `expected` (RFC 9147 §4.2.2).
    #[inline]
    pub(super) fn open<'d>(
        &self,
        header: UnifiedHeader,
        expected: SequenceNumber,
        record: &'d mut [u8],
    ) -> Result<Opened13<'d>, Discard> {
        let (header_bytes, body) = record.split_at_mut_checked(header.header_len()).ok_or(Discard::Malformed)?;
        // RFC 9147 §4.2.3: a shorter one is as good as forged, but no key was tried on it.
        let mask = self.mask(body).ok_or(Discard::Malformed)?;
        header.apply_mask(header_bytes, mask).map_err(|_| Discard::Malformed)?;
        let sequence_number = reconstruct(header.with_mask(mask).sequence_number, expected);

        let len = self.keys.key.open(self.nonce(sequence_number), header_bytes, body).map_err(|_| Discard::BadTag)?;
        let plaintext = body.get_mut(..len).ok_or(Discard::BadTag)?;
        // RFC 9846 §5.4 ends the connection of a peer that sends no type at all; RFC 9147 §4.5.2 lets
        // us drop what is wrong with a record, whatever it is.
        let inner = InnerPlaintext::find(plaintext).map_err(|_| Discard::Malformed)?;
        let content = plaintext.get_mut(..inner.content_len).ok_or(Discard::Malformed)?;
        Ok(Opened13 { sequence_number, content_type: inner.content_type, content })
    }

    /// The mask for a record with this body; `None` if it is too short for one, or the provider fails.
    #[inline]
    fn mask(&self, body: &[u8]) -> Option<[u8; 2]> {
        self.keys.mask.mask(body.first_chunk::<MASK_SAMPLE_LEN>()?).ok()
    }

    /// RFC 9846 §5.3: the sequence number, padded on the left, mixed into the IV.
    ///
    /// In a long word and a short one, as ciphers load it: bytes that were stored in other portions
    /// have to settle in the cache first.
    #[inline]
    fn nonce(&self, number: SequenceNumber) -> [u8; NONCE_LEN] {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.keys.iv;
        let [s, t, u, v, w, x, y, z] = number.0.to_be_bytes();
        let long = u64::from_ne_bytes([a, b, c, d, e, f, g, h]) ^ u64::from_ne_bytes([0, 0, 0, 0, s, t, u, v]);
        let short = u32::from_ne_bytes([i, j, k, l]) ^ u32::from_ne_bytes([w, x, y, z]);
        let [a, b, c, d, e, f, g, h] = long.to_ne_bytes();
        let [i, j, k, l] = short.to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }
}

/// The number that ends in the bits of `short` and is nearest to `expected` (RFC 9147 §4.2.2).
#[inline]
fn reconstruct(short: ShortSequenceNumber, expected: SequenceNumber) -> SequenceNumber {
    let span = 1u64 << (8 * short.size());
    let same_turn = expected.0 & !(span - 1) | u64::from(short.value());
    let nearest = if same_turn > expected.0 + span / 2 {
        same_turn.checked_sub(span)
    } else if same_turn + span / 2 < expected.0 {
        Some(same_turn + span).filter(|number| *number <= SequenceNumber::MAX.0)
    } else {
        None
    };
    SequenceNumber(nearest.unwrap_or(same_turn))
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec;
    use alloc::vec::Vec;

    use aes_gcm::Aes128Gcm;
    use aes_gcm::aead::KeyInit;
    use aes_gcm::aes::Aes128;
    use gramseal_wire::{ContentType, Epoch, Reader, RecordNumber, SequenceNumber, ShortSequenceNumber, UnifiedHeader};
    use proptest::prelude::*;

    use super::{Opened13, Protection13, reconstruct};
    use crate::crypto::test_hex::unhex;
    use crate::crypto::{AeadAlgorithm, RecordKeys13};
    use crate::discard::Discard;
    use crate::record::test_keys::{Block, Real, test_keys13};

    const DATA: ContentType = ContentType::APPLICATION_DATA;

    /// A record of the handshake that dtls.xargs.org shows byte by byte: see `wire/tests/dtls13_xargs.rs`.
    struct Recorded {
        /// Key, IV and the key for the mask.
        keys: [&'static str; 3],
        number: (u64, u64),
        content_type: ContentType,
        content: &'static str,
        record: &'static str,
    }

    /// All but the long ones.
    const RECORDED: [Recorded; 7] = [
        Recorded {
            keys: ["004e03e64ab6cba6b542775ec230e20a", "6d9924be044ee97c624913f2", "7173fac51194e775001d625ef69d7c9f"],
            number: (2, 0),
            content_type: ContentType(22),
            content: "0800001200010000000000120010000a000c000a0017001d001800190100",
            record: "2e79fa002fee9dcff3f8679a4859fe68377fb34ada85df879c673e501d7a4e8f1950e0fcf67fe442e7d7d2b8a3d5fa59574ffd00",
        },
        Recorded {
            keys: ["004e03e64ab6cba6b542775ec230e20a", "6d9924be044ee97c624913f2", "7173fac51194e775001d625ef69d7c9f"],
            number: (2, 3),
            content_type: ContentType(22),
            content: "1400002000040000000000201d89aa62e5f88a0fc952884715d8acb3798659afb9e7789a8db2b3816ba45246",
            record: "2e0bb8003da44135732a099823b8a5f61a2b35ce921a89abb152f876cd26797dc3ed73d917b299c16928b9cf9e58d1cd58686b8b90ce9fe6454e0cef9efc40f2397a",
        },
        Recorded {
            keys: ["6caa2633d5e48f10051e69dc45549c97", "106dc6e393b7a9ea8ef29dd7", "beed6218676635c2cb46a45694144fec"],
            number: (2, 0),
            content_type: ContentType(22),
            content: "1400002000010000000000206f2801396b0e90ebb4a3ba384abcfc6b24201abd81b316b2391da378377facf5",
            record: "2ec248003d8a2cd52d5000f8786afb47cdf0b8f2b81342b00c43dce64b1d0194d2e201f681750978528bbe26af79612401c007a2c5f75f7cffb7465bc01d23d8511f",
        },
        Recorded {
            keys: ["2b65fffbbc8189474aa2003c43c32d4d", "582f5a11bdaf973fe3ffeb4e", "57ba02596c6a1352d7fe8416c7e17d5a"],
            number: (3, 0),
            content_type: ContentType(26),
            content: "001000000000000000020000000000000000",
            record: "2f31500023ea80ab8e08c93895418d243571ea6de7d863ee84230bb6043cb384df94b6da285a3bc4",
        },
        Recorded {
            keys: ["9ba90dbce8857bc1fcb81d41a0465cfe", "682219974631fa0656ee4eff", "5cb5bd8bac29777c650c0dde22d16d47"],
            number: (3, 0),
            content_type: ContentType(23),
            content: "70696e67",
            record: "2f683f00157d72278b6c649f1e7b56b3cad411faf7bd518bfb15",
        },
        Recorded {
            keys: ["2b65fffbbc8189474aa2003c43c32d4d", "582f5a11bdaf973fe3ffeb4e", "57ba02596c6a1352d7fe8416c7e17d5a"],
            number: (3, 1),
            content_type: ContentType(23),
            content: "706f6e67",
            record: "2fa2580015f5bd33f27b72780e351fa00703fb9f658c689f95ae",
        },
        Recorded {
            keys: ["2b65fffbbc8189474aa2003c43c32d4d", "582f5a11bdaf973fe3ffeb4e", "57ba02596c6a1352d7fe8416c7e17d5a"],
            number: (3, 2),
            content_type: ContentType(21),
            content: "0100",
            record: "2f690c0013dd8cd07daa964fd1ab508825378fc96fa8b1e8",
        },
    ];

    #[test] // RFC 9147 §4
    fn every_record_of_a_recorded_handshake_comes_out() {
        for recorded in RECORDED {
            let [key, iv, mask] = recorded.keys.map(unhex);
            let protection = Protection13::new(RecordKeys13 {
                algorithm: AeadAlgorithm::Aes128Gcm,
                key: Box::new(Real(Aes128Gcm::new_from_slice(&key).expect("16 bytes"))),
                iv: iv.try_into().expect("12 bytes"),
                mask: Box::new(Block(Aes128::new_from_slice(&mask).expect("16 bytes"))),
            });
            let (epoch, sequence_number) = recorded.number;
            let number = RecordNumber::new(Epoch(epoch), SequenceNumber(sequence_number));
            let content = unhex(recorded.content);
            let mut record = vec![0; protection.sealed_len(content.len())];
            protection.seal(number, recorded.content_type, &[], &content, &mut record).expect("room for it");
            assert_eq!(record, unhex(recorded.record));
            let opened = open(&protection, 0, &mut record).expect("authentic");
            assert_eq!((opened.content_type, &*opened.content), (recorded.content_type, &content[..]));
            assert_eq!(opened.sequence_number, number.sequence_number);
        }
    }

    fn protection(algorithm: AeadAlgorithm) -> Protection13 {
        Protection13::new(test_keys13(algorithm, 1))
    }

    fn number(sequence_number: u64) -> RecordNumber {
        RecordNumber::new(Epoch(3), SequenceNumber(sequence_number))
    }

    fn sealed(protection: &Protection13, number: RecordNumber, content: &[u8]) -> Vec<u8> {
        let mut record = vec![0xEE; protection.sealed_len(content.len())];
        protection.seal(number, DATA, &[], content, &mut record).expect("room for it");
        record
    }

    fn open<'d>(protection: &Protection13, expected: u64, record: &'d mut [u8]) -> Result<Opened13<'d>, Discard> {
        let header = UnifiedHeader::read(&mut Reader::new(record), 0).expect("a header");
        protection.open(header, SequenceNumber(expected), record)
    }

    #[test] // RFC 9147 §4.2.2
    fn the_number_nearest_to_the_expected_one_is_meant() {
        let bits8 = |bits, expected| reconstruct(ShortSequenceNumber::Bits8(bits), SequenceNumber(expected)).0;
        assert_eq!([bits8(0, 0), bits8(255, 0), bits8(255, 100)], [0, 255, 255], "there is nothing below 0");
        assert_eq!([bits8(0, 200), bits8(200, 256), bits8(1, 511)], [256, 200, 513]);
        assert_eq!([bits8(0x7F, 0x300), bits8(0x81, 0x300)], [0x37F, 0x281]);
        let bits16 = |bits, expected| reconstruct(ShortSequenceNumber::Bits16(bits), SequenceNumber(expected)).0;
        assert_eq!([bits16(5, 0xFFF0), bits16(0xFFF0, 0x1_0005)], [0x1_0005, 0xFFF0]);
        let last = SequenceNumber::MAX.0;
        assert_eq!([bits16(0xFFFF, last), bits16(3, last)], [last, last - 0xFFFC], "there is nothing above 2^48 - 1");
    }

    #[test] // RFC 9147 §4
    fn header_type_and_number_are_as_the_standard_has_them() {
        let protection = protection(AeadAlgorithm::Aes128Gcm);
        let mut record = sealed(&protection, number(0x1_0203), b"abc");
        assert_eq!((record.len(), protection.overhead()), (3 + 22, 22));
        // 001, no connection id, 16-bit number, length, epoch 3; then a masked number and the length.
        assert_eq!((record[0], &record[3..5]), (0b0010_1111, &[0, 20][..]));
        assert_ne!(record[1..3], [2, 3]);
        let opened = open(&protection, 0x1_0200, &mut record);
        let content = &mut [b'a', b'b', b'c'][..];
        let expected = Opened13 { sequence_number: SequenceNumber(0x1_0203), content_type: DATA, content };
        assert_eq!(opened, Ok(expected));
    }

    #[test] // RFC 9147 §4.2.3
    fn a_record_with_a_short_tag_is_padded_for_its_mask() {
        let protection = protection(AeadAlgorithm::Aes128Ccm8);
        for len in 0..20 {
            let content = vec![7; len];
            let mut record = sealed(&protection, number(len as u64), &content);
            assert_eq!(record.len() - 5, (len + 1 + 8).max(16));
            assert_eq!(open(&protection, 0, &mut record).map(|opened| opened.content.to_vec()), Ok(content));
        }
    }

    #[test] // RFC 9147 §4.2.3
    fn a_body_too_short_for_a_mask_is_malformed() {
        let protection = protection(AeadAlgorithm::Aes128Ccm8);
        for len in 0..16 {
            let mut record = vec![0x27, 0, 0, len];
            record.resize(4 + usize::from(len), 0);
            assert_eq!(open(&protection, 0, &mut record), Err(Discard::Malformed), "{len}");
        }
    }

    #[test] // RFC 9846 §5.4
    fn padding_is_taken_off_and_a_record_of_nothing_else_is_dropped() {
        let protection = protection(AeadAlgorithm::Aes128Gcm);
        let seal = |content_type| {
            let mut record = vec![0; protection.sealed_len(4)];
            protection.seal(number(0), content_type, &[], b"a\x17\0\0", &mut record).expect("room for it");
            record
        };
        let mut padded = seal(ContentType(0));
        let opened = open(&protection, 0, &mut padded).expect("authentic");
        assert_eq!((opened.content_type, &*opened.content), (DATA, &b"a"[..]));
        let mut record = vec![0; protection.sealed_len(4)];
        protection.seal(number(0), ContentType(0), &[], &[0; 4], &mut record).expect("room for it");
        assert_eq!(open(&protection, 0, &mut record), Err(Discard::Malformed));
    }

    #[test] // RFC 9147 §4
    fn every_form_of_the_header_is_read() {
        let protection = protection(AeadAlgorithm::Aes128Gcm);
        let number = number(0x103);
        for long in [false, true] {
            for with_length in [false, true] {
                let body_len = 5 + 1 + 16;
                let unified = UnifiedHeader {
                    epoch_bits: 3,
                    cid_len: 0,
                    sequence_number: match long {
                        true => ShortSequenceNumber::low16(number.sequence_number),
                        false => ShortSequenceNumber::low8(number.sequence_number),
                    },
                    length: with_length.then_some(body_len),
                };
                let mut record = vec![0; unified.header_len() + usize::from(body_len)];
                unified.write(&[], &mut record).expect("room for it");
                let (header, body) = record.split_at_mut(unified.header_len());
                let nonce = protection.nonce(number.sequence_number);
                protection.keys.key.seal(nonce, header, b"hello", &[DATA.0], body).expect("room for it");
                unified.apply_mask(header, protection.mask(body).expect("long enough")).expect("a whole header");
                let opened = open(&protection, 0x100, &mut record).expect("authentic");
                assert_eq!((opened.sequence_number, &*opened.content), (number.sequence_number, &b"hello"[..]));
            }
        }
    }

    #[test] // RFC 9147 §4: the whole header is authentic
    fn a_changed_record_does_not_open() {
        let protection = protection(AeadAlgorithm::Aes128Gcm);
        let record = sealed(&protection, number(9), b"hello");
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 1;
            // Another form of header, or no header at all.
            if at == 0 || (3..5).contains(&at) {
                continue;
            }
            assert_eq!(open(&protection, 9, &mut changed), Err(Discard::BadTag), "{at}");
        }
        // The number under the mask is any that the receiver does not expect.
        let mut record = record;
        assert_eq!(open(&protection, 9 + (1 << 16), &mut record), Err(Discard::BadTag));
    }

    proptest! {
        #[test] // RFC 9147 §4.2.2
        fn no_number_with_these_bits_is_nearer(expected in 0u64..=SequenceNumber::MAX.0, bits: u16, long: bool) {
            let short = match long {
                true => ShortSequenceNumber::Bits16(bits),
                false => ShortSequenceNumber::Bits8(bits.to_be_bytes()[1]),
            };
            let span = if long { 1 << 16 } else { 1 << 8 };
            let number = reconstruct(short, SequenceNumber(expected)).0;
            prop_assert!(number <= SequenceNumber::MAX.0);
            prop_assert_eq!(number % span, u64::from(short.value()));
            for other in [number.checked_sub(span), Some(number + span).filter(|other| *other <= SequenceNumber::MAX.0)] {
                prop_assert!(other.is_none_or(|other| other.abs_diff(expected) >= number.abs_diff(expected)));
            }
        }
    }
}
