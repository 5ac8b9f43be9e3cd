//! The send path: content in, one record in the caller's buffer out.
//!
//! One copy, the one that the cipher makes; no allocation. RFC 6347 §4.1.

use gramseal_wire::{ContentType, Epoch};

use super::epoch::SealError;
use super::layer::RecordLayer;

impl RecordLayer {
    /// Seals `payload` in `epoch` into the front of `out` and returns the length of the record in
    /// bytes. `out` must not overlap `payload`, and may hold anything.
    #[inline]
    pub(crate) fn seal(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let padding =
            if content_type == ContentType::APPLICATION_DATA { self.padding(epoch, payload.len()) } else { 0 };
        self.seal_padded(epoch, content_type, payload, padding, out)
    }

    /// The same with so many bytes of padding, of which only records of 1.3 with application data or messages have any.
    #[inline]
    pub(crate) fn seal_padded(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        payload: &[u8],
        padding: usize,
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        if payload.len() > self.max_content(epoch) {
            return Err(SealError::TooLong);
        }
        let version = self.write_version();
        let writer = self.write.find_mut(epoch).ok_or(SealError::NoSuchEpoch)?;
        let cid = self.cids.as_ref().map_or(&[][..], |cids| cids.peers());
        writer.seal(content_type, version, cid, payload, padding, out)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use gramseal_wire::{Codec, ContentType, Epoch, PlaintextHeader, ProtocolVersion, SequenceNumber};

    use super::{RecordLayer, SealError};
    use crate::crypto::AeadAlgorithm;
    use crate::discard::Discard;
    use crate::record::test_keys::test_keys;
    use crate::record::{ContentLimits, ReadEpoch, WriteEpoch, split_record};

    const DATA: ContentType = ContentType::APPLICATION_DATA;

    fn layer(first: SequenceNumber) -> RecordLayer {
        let mut layer = RecordLayer::new(first, 64);
        layer.set_version(ProtocolVersion::DTLS1_2);
        layer.install_write(WriteEpoch::dtls12(Epoch(1), test_keys(AeadAlgorithm::Aes128Gcm, 1)));
        layer
    }

    fn header(record: &[u8]) -> PlaintextHeader {
        PlaintextHeader::from_bytes(&record[..13]).expect("a header")
    }

    #[test]
    fn writes_one_record_at_the_front() {
        let mut out = [0xee; 64];
        let mut layer = layer(SequenceNumber(7));
        assert_eq!(layer.seal(Epoch(0), ContentType::HANDSHAKE, b"abc", &mut out), Ok(16));
        assert_eq!(out[..16], *b"\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x07\x00\x03abc");
        assert!(out[16..].iter().all(|byte| *byte == 0xee));
        assert_eq!((layer.overhead(Epoch(0)), layer.overhead(Epoch(1))), (13, 13 + 8 + 16));
    }

    #[test] // RFC 6347 §4.1
    fn each_epoch_counts_from_its_own_start() {
        let mut out = [0; 64];
        let mut layer = layer(SequenceNumber(7));
        for (epoch, number) in [(0, 7), (1, 0), (1, 1), (0, 8), (1, 2)] {
            layer.seal(Epoch(epoch), DATA, b"", &mut out).expect("seals");
            let header = header(&out);
            assert_eq!((header.epoch, header.sequence_number), (Epoch(epoch), SequenceNumber(number)));
        }
    }

    #[test] // RFC 6347 §4.2.1
    fn before_a_version_is_agreed_on_records_say_dtls_1_0() {
        let mut out = [0; 64];
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        layer.seal(Epoch(0), DATA, b"", &mut out).expect("seals");
        assert_eq!(header(&out).version, ProtocolVersion::DTLS1_0);
    }

    #[test]
    fn what_cannot_be_sealed_takes_no_number() {
        let mut layer = layer(SequenceNumber(0));
        let mut out = vec![0; 20_000];
        assert_eq!(layer.seal(Epoch(1), DATA, b"abc", &mut out[..39]), Err(SealError::BufferTooSmall));
        assert_eq!(layer.seal(Epoch(1), DATA, &[0; (1 << 14) + 1], &mut out), Err(SealError::TooLong));
        assert_eq!(layer.seal(Epoch(2), DATA, b"abc", &mut out), Err(SealError::NoSuchEpoch));
        assert_eq!(layer.seal(Epoch(1), DATA, &[0; 1 << 14], &mut out), Ok((1 << 14) + 37));
        assert_eq!(header(&out).sequence_number, SequenceNumber(0));
    }

    #[test] // RFC 6347 §4.1
    fn sequence_numbers_end_instead_of_wrapping() {
        let mut out = [0; 64];
        let mut layer = RecordLayer::new(SequenceNumber::MAX, 64);
        assert!(layer.nearly_exhausted(u64::MAX));
        assert!(layer.seal(Epoch(0), DATA, b"", &mut out).is_ok());
        assert_eq!(layer.seal(Epoch(0), DATA, b"", &mut out), Err(SealError::Exhausted));
        assert_eq!(layer.seal(Epoch(0), DATA, b"", &mut out), Err(SealError::Exhausted));
    }

    #[test] // RFC 8449 §4, RFC 6066 §4
    fn no_more_content_is_sealed_or_opened_than_the_limits_say() {
        let limits = ContentLimits { unprotected: 512, protected: 64 };
        let mut open = layer(SequenceNumber(0));
        let mut limited = layer(SequenceNumber(0));
        limited.limit_content(limits, limits);
        open.install_read(ReadEpoch::dtls12(Epoch(1), test_keys(AeadAlgorithm::Aes128Gcm, 1), 64));
        limited.install_read(ReadEpoch::dtls12(Epoch(1), test_keys(AeadAlgorithm::Aes128Gcm, 1), 64));
        let mut out = vec![0; 1000];
        for (epoch, most) in [(Epoch(0), 512), (Epoch(1), 64)] {
            assert_eq!(limited.max_content(epoch), most);
            assert_eq!(limited.seal(epoch, DATA, &vec![1; most + 1], &mut out), Err(SealError::TooLong));
            assert!(limited.seal(epoch, DATA, &vec![1; most], &mut out).is_ok());
            for (len, expected) in [(most, Ok(most)), (most + 1, Err(Discard::Oversized))] {
                let sealed = open.seal(epoch, DATA, &vec![1; len], &mut out).expect("no limit there");
                let record = split_record(&mut &mut out[..sealed], None).ok().flatten().expect("a record");
                assert_eq!(limited.open(record).map(|opened| opened.content.len()), expected, "{epoch:?}");
            }
        }
    }
}
