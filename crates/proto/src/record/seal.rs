//! The send path: content in, one record in the caller's buffer out.
//!
//! One copy, the one that the cipher makes; no allocation. RFC 6347 §4.1.

use gramseal_wire::{ContentType, Epoch};

use super::epoch::SealError;
use super::layer::RecordLayer;

impl RecordLayer {
    /// Seals `payload` in `epoch` into the front of `out` and returns the length of the record in
    /// bytes. `out` must not overlap `payload`, and may hold anything.
    pub(crate) fn seal(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let version = self.write_version();
        let writer = self.write.find_mut(epoch).ok_or(SealError::NoSuchEpoch)?;
        writer.seal(content_type, version, payload, out)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use gramseal_wire::{Codec, ContentType, Epoch, PlaintextHeader, ProtocolVersion, SequenceNumber};

    use super::{RecordLayer, SealError};
    use crate::crypto::AeadAlgorithm;
    use crate::record::WriteEpoch;
    use crate::record::test_keys::test_keys;

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
        assert!(layer.nearly_exhausted());
        assert!(layer.seal(Epoch(0), DATA, b"", &mut out).is_ok());
        assert_eq!(layer.seal(Epoch(0), DATA, b"", &mut out), Err(SealError::Exhausted));
        assert_eq!(layer.seal(Epoch(0), DATA, b"", &mut out), Err(SealError::Exhausted));
    }
}
