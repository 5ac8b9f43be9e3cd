//! The 13-byte record header: every DTLS 1.2 record without a connection id, and DTLS 1.3 records of epoch 0.

use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::numbers::{Epoch, SequenceNumber};
use crate::registry::{ContentType, ProtocolVersion};

/// Header of a `DTLSPlaintext` or `DTLSCiphertext` record (RFC 6347 §4.1, RFC 9147 §4).
///
/// ```text
/// struct {
///     ContentType type;
///     ProtocolVersion version;
///     uint16 epoch;
///     uint48 sequence_number;
///     uint16 length;
///     opaque fragment[length];
/// } DTLSPlaintext;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaintextHeader {
    /// What the record carries.
    pub content_type: ContentType,
    /// Version of the record layer; not reliable before the handshake has chosen one.
    pub version: ProtocolVersion,
    /// Key epoch; the wire has its low 16 bits.
    pub epoch: Epoch,
    /// Place in the epoch; the wire has 48 bits.
    pub sequence_number: SequenceNumber,
    /// Size of the body in bytes.
    pub length: u16,
}

impl PlaintextHeader {
    /// Size of the header in bytes.
    pub const LEN: usize = 13;

    /// Writes the header. Of the epoch the low 16 bits are sent, of the sequence number the low 48.
    pub fn write(&self, out: &mut [u8; Self::LEN]) {
        *out = self.to_bytes();
    }

    /// The header's bytes; see [`PlaintextHeader::write`].
    #[inline]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [v0, v1] = self.version.0.to_be_bytes();
        let [n0, n1, n2, n3, n4, n5, n6, n7] = epoch_and_sequence_number(self.epoch, self.sequence_number);
        let [l0, l1] = self.length.to_be_bytes();
        [self.content_type.0, v0, v1, n0, n1, n2, n3, n4, n5, n6, n7, l0, l1]
    }
}

impl<'a> Codec<'a> for PlaintextHeader {
    #[inline]
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        // One check of the length for all fields: every record passes here.
        let [t, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5, l0, l1] = r.array::<{ Self::LEN }>()?;
        Ok(Self {
            content_type: ContentType(t),
            version: ProtocolVersion(u16::from_be_bytes([v0, v1])),
            epoch: Epoch(u64::from(u16::from_be_bytes([e0, e1]))),
            sequence_number: SequenceNumber(u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5])),
            length: u16::from_be_bytes([l0, l1]),
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        if self.epoch.0 > u64::from(u16::MAX) || self.sequence_number > SequenceNumber::MAX {
            w.overflow();
        }
        w.bytes(&self.to_bytes());
    }
}

/// Additional data of an AEAD record in DTLS 1.2 without a connection id: what the MAC of TLS covers, the 64-bit
/// number being epoch and sequence number (RFC 5246 §6.2.3.3, RFC 6347 §4.1.2.1). `length` is that of the plaintext.
///
/// ```text
/// additional_data = seq_num + TLSCompressed.type + TLSCompressed.version + TLSCompressed.length;
/// ```
#[inline]
pub fn additional_data12(
    epoch: Epoch,
    sequence_number: SequenceNumber,
    content_type: ContentType,
    version: ProtocolVersion,
    length: u16,
) -> [u8; 13] {
    let [n0, n1, n2, n3, n4, n5, n6, n7] = epoch_and_sequence_number(epoch, sequence_number);
    let [v0, v1] = version.0.to_be_bytes();
    let [l0, l1] = length.to_be_bytes();
    [n0, n1, n2, n3, n4, n5, n6, n7, content_type.0, v0, v1, l0, l1]
}

/// The 16 + 48 bits that stand for the 64-bit number of TLS.
#[inline]
pub(super) fn epoch_and_sequence_number(epoch: Epoch, sequence_number: SequenceNumber) -> [u8; 8] {
    ((epoch.0 << 48) | (sequence_number.0 & SequenceNumber::MAX.0)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 13] = [22, 0xfe, 0xfd, 0, 1, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x02, 0x10];

    #[test]
    fn header_format() {
        let header = PlaintextHeader {
            content_type: ContentType::HANDSHAKE,
            version: ProtocolVersion::DTLS1_2,
            epoch: Epoch(1),
            sequence_number: SequenceNumber(0x0102_0304_0506),
            length: 0x0210,
        };
        assert_eq!(header.to_bytes(), BYTES);
        assert_eq!(PlaintextHeader::from_bytes(&BYTES), Ok(header));
        assert_eq!(PlaintextHeader::from_bytes(&BYTES[..12]), Err(DecodeError::Truncated));
        assert!(PlaintextHeader { epoch: Epoch(0x1_0000), ..header }.to_vec().is_err());
    }

    #[test] // RFC 6347 §4.1.2.1
    fn additional_data_starts_with_the_record_number() {
        let aad = additional_data12(
            Epoch(1),
            SequenceNumber(0x0102_0304_0506),
            ContentType::APPLICATION_DATA,
            ProtocolVersion::DTLS1_2,
            5,
        );
        assert_eq!(aad, [0, 1, 1, 2, 3, 4, 5, 6, 23, 0xfe, 0xfd, 0, 5]);
    }
}
