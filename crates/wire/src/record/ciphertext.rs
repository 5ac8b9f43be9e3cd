//! The unified header of DTLS 1.3.

use core::ops::Range;

use super::cid12::put;
use crate::codec::{DecodeError, EncodeError, Reader};
use crate::numbers::{Epoch, SequenceNumber};

/// The low bits of a sequence number, as many as the header carries. On the wire they are masked (RFC 9147 §4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShortSequenceNumber {
    /// One byte: S bit 0.
    Bits8(u8),
    /// Two bytes: S bit 1.
    Bits16(u16),
}

impl ShortSequenceNumber {
    /// The low 8 bits of `sequence_number`.
    #[inline]
    pub fn low8(sequence_number: SequenceNumber) -> Self {
        let [.., low] = sequence_number.0.to_be_bytes();
        Self::Bits8(low)
    }

    /// The low 16 bits of `sequence_number`.
    #[inline]
    pub fn low16(sequence_number: SequenceNumber) -> Self {
        let [.., high, low] = sequence_number.0.to_be_bytes();
        Self::Bits16(u16::from_be_bytes([high, low]))
    }

    /// The bits as a number.
    #[inline]
    pub fn value(self) -> u16 {
        match self {
            Self::Bits8(bits) => u16::from(bits),
            Self::Bits16(bits) => bits,
        }
    }

    /// Size in the header in bytes, 1 or 2.
    #[inline]
    pub fn size(self) -> usize {
        match self {
            Self::Bits8(_) => 1,
            Self::Bits16(_) => 2,
        }
    }

    /// Masks or unmasks the bits with the first bytes of `mask`.
    #[inline]
    #[must_use]
    pub fn xor(self, mask: [u8; 2]) -> Self {
        let [first, _] = mask;
        match self {
            Self::Bits8(bits) => Self::Bits8(bits ^ first),
            Self::Bits16(bits) => Self::Bits16(bits ^ u16::from_be_bytes(mask)),
        }
    }
}

/// Header of a protected DTLS 1.3 record (RFC 9147 §4). The connection id stays in the datagram.
///
/// ```text
///  0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+
/// |0|0|1|C|S|L|E E|      C: connection id present   S: 16-bit sequence number
/// +-+-+-+-+-+-+-+-+      L: length present          E: low bits of the epoch
/// | connection id |
/// | 8 or 16 bit   |
/// | seq. number   |
/// | 16 bit length |
/// +-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnifiedHeader {
    /// The low two bits of the epoch.
    pub epoch_bits: u8,
    /// Size of the connection id in bytes; 0 if the record has none.
    pub cid_len: u8,
    /// Low bits of the sequence number, as they are on the wire: masked, unless the caller unmasked them.
    pub sequence_number: ShortSequenceNumber,
    /// Size of the body in bytes; without it the body ends with the datagram.
    pub length: Option<u16>,
}

const FIXED_BITS: u8 = 0b0010_0000;
const FIXED_MASK: u8 = 0b1110_0000;
const CID_BIT: u8 = 0b0001_0000;
const SEQUENCE_BIT: u8 = 0b0000_1000;
const LENGTH_BIT: u8 = 0b0000_0100;
const EPOCH_MASK: u8 = 0b0000_0011;

impl UnifiedHeader {
    /// Where in the header the connection id begins, if there is one.
    pub const CID_OFFSET: usize = 1;

    /// Whether a header that starts with `first_byte` has a connection id.
    #[inline]
    pub fn has_cid(first_byte: u8) -> bool {
        first_byte & CID_BIT != 0
    }

    /// Whether `first_byte` starts such a header: 32 to 63.
    #[inline]
    pub fn starts_with(first_byte: u8) -> bool {
        first_byte & FIXED_MASK == FIXED_BITS
    }

    /// The low two bits of `epoch`.
    #[inline]
    pub fn epoch_bits_of(epoch: Epoch) -> u8 {
        let [.., low] = epoch.0.to_be_bytes();
        low & EPOCH_MASK
    }

    /// Reads a header; `cid_len` is the length in bytes of this side's connection ids, used only if the header says
    /// that it has one.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]; [`DecodeError::NotARecord`] if the fixed bits are others;
    /// [`DecodeError::IllegalValue`] if there is a connection id though `cid_len` is 0 (or above 255).
    #[inline]
    pub fn read(r: &mut Reader<'_>, cid_len: usize) -> Result<Self, DecodeError> {
        let first = r.u8()?;
        if !Self::starts_with(first) {
            return Err(DecodeError::NotARecord);
        }
        let cid_len = if !Self::has_cid(first) {
            0
        } else {
            // An id of unknown length hides where the rest of the header is.
            let short = u8::try_from(cid_len).ok().filter(|&len| len > 0).ok_or(DecodeError::IllegalValue)?;
            r.bytes(cid_len)?;
            short
        };
        let sequence_number = if first & SEQUENCE_BIT == 0 {
            ShortSequenceNumber::Bits8(r.u8()?)
        } else {
            ShortSequenceNumber::Bits16(r.u16()?)
        };
        let length = if first & LENGTH_BIT == 0 { None } else { Some(r.u16()?) };
        Ok(Self { epoch_bits: first & EPOCH_MASK, cid_len, sequence_number, length })
    }

    /// Size of the header in bytes.
    #[inline]
    pub fn header_len(&self) -> usize {
        self.sequence_number_range().end + if self.length.is_some() { 2 } else { 0 }
    }

    /// Where in the header the connection id is; empty if there is none.
    #[inline]
    pub fn cid_range(&self) -> Range<usize> {
        Self::CID_OFFSET..Self::CID_OFFSET + usize::from(self.cid_len)
    }

    /// Where in the header the masked bytes are.
    #[inline]
    pub fn sequence_number_range(&self) -> Range<usize> {
        let start = self.cid_range().end;
        start..start + self.sequence_number.size()
    }

    /// The same header with its sequence number masked or unmasked.
    #[inline]
    #[must_use]
    pub fn with_mask(self, mask: [u8; 2]) -> Self {
        Self { sequence_number: self.sequence_number.xor(mask), ..self }
    }

    /// Masks or unmasks the sequence number in place, in the bytes of this header. The additional data of the AEAD is
    /// the header with the number unmasked (RFC 9147 §4).
    ///
    /// # Errors
    /// [`EncodeError::BufferTooSmall`] if `header` is not a whole header.
    #[inline]
    pub fn apply_mask(&self, header: &mut [u8], mask: [u8; 2]) -> Result<(), EncodeError> {
        let [first, second] = mask;
        let behind_cid = header.get_mut(self.cid_range().end..).unwrap_or_default();
        match (self.sequence_number, behind_cid) {
            (ShortSequenceNumber::Bits8(_), [number, ..]) => *number ^= first,
            (ShortSequenceNumber::Bits16(_), [high, low, ..]) => {
                *high ^= first;
                *low ^= second;
            }
            _ => return Err(EncodeError::BufferTooSmall),
        }
        Ok(())
    }

    /// Writes the header to the front of `out` and returns its size in bytes. With the number unmasked this is the
    /// additional data.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if `cid` is not `cid_len` bytes long or `epoch_bits` has more than two bits,
    /// [`EncodeError::BufferTooSmall`].
    #[inline]
    pub fn write(&self, cid: &[u8], out: &mut [u8]) -> Result<usize, EncodeError> {
        if cid.len() != usize::from(self.cid_len) || self.epoch_bits & !EPOCH_MASK != 0 {
            return Err(EncodeError::TooLong);
        }
        let mut first = FIXED_BITS | self.epoch_bits;
        if self.cid_len > 0 {
            first |= CID_BIT;
        }
        if self.length.is_some() {
            first |= LENGTH_BIT;
        }
        let number = self.sequence_number.value().to_be_bytes();
        let number: &[u8] = match (self.sequence_number, &number) {
            (ShortSequenceNumber::Bits8(_), [_, low]) => core::slice::from_ref(low),
            (ShortSequenceNumber::Bits16(_), both) => {
                first |= SEQUENCE_BIT;
                both
            }
        };
        let length = self.length.map(u16::to_be_bytes);
        put(out, &[&[first], cid, number, length.as_ref().map_or(&[], |l| l)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: UnifiedHeader, cid: &[u8], bytes: &[u8]) {
        let mut out = [0; 16];
        let len = header.write(cid, &mut out).unwrap();
        assert_eq!(out[..len], *bytes);
        assert_eq!(header.header_len(), len);
        assert_eq!(UnifiedHeader::read(&mut Reader::new(bytes), 3), Ok(header));
        assert_eq!(bytes[header.cid_range()], *cid);
        for end in 0..len {
            assert_eq!(UnifiedHeader::read(&mut Reader::new(&bytes[..end]), 3), Err(DecodeError::Truncated));
            assert_eq!(header.write(cid, &mut out[..end]), Err(EncodeError::BufferTooSmall));
        }
    }

    const SMALL: UnifiedHeader =
        UnifiedHeader { epoch_bits: 3, cid_len: 0, sequence_number: ShortSequenceNumber::Bits8(0x42), length: None };

    #[test] // RFC 9147 §4, figures 3 and 4
    fn all_forms() {
        let long = ShortSequenceNumber::Bits16(0x4243);
        check(SMALL, &[], &[0x23, 0x42]);
        check(UnifiedHeader { length: Some(0x0102), ..SMALL }, &[], &[0x27, 0x42, 1, 2]);
        check(UnifiedHeader { sequence_number: long, ..SMALL }, &[], &[0x2b, 0x42, 0x43]);
        check(UnifiedHeader { cid_len: 3, ..SMALL }, &[7, 8, 9], &[0x33, 7, 8, 9, 0x42]);
        let full = UnifiedHeader { epoch_bits: 2, cid_len: 3, sequence_number: long, length: Some(5) };
        check(full, &[7, 8, 9], &[0x3e, 7, 8, 9, 0x42, 0x43, 0, 5]);
    }

    #[test]
    fn a_connection_id_of_unknown_length_is_refused() {
        assert_eq!(UnifiedHeader::read(&mut Reader::new(&[0x33, 1, 2]), 0), Err(DecodeError::IllegalValue));
    }

    #[test] // RFC 9147 §4.2.3
    fn the_mask_covers_only_the_sequence_number() {
        let mut bytes = [0x3e, 7, 8, 9, 0x42, 0x43, 0, 5];
        let header = UnifiedHeader::read(&mut Reader::new(&bytes), 3).unwrap();
        header.apply_mask(&mut bytes, [0xf0, 0x0f]).unwrap();
        assert_eq!(bytes, [0x3e, 7, 8, 9, 0xb2, 0x4c, 0, 5]);
        assert_eq!(UnifiedHeader::read(&mut Reader::new(&bytes), 3), Ok(header.with_mask([0xf0, 0x0f])));
        assert_eq!(SMALL.with_mask([0xff, 0xaa]).sequence_number, ShortSequenceNumber::Bits8(0xbd));
        let mut bytes = [0x23, 0x42];
        SMALL.apply_mask(&mut bytes, [0xff, 0xaa]).unwrap();
        assert_eq!(bytes, [0x23, 0xbd]);
        assert!(SMALL.apply_mask(&mut [0x23], [0; 2]).is_err());
    }

    #[test]
    fn low_bits() {
        assert_eq!(ShortSequenceNumber::low8(SequenceNumber(0x1_0203)), ShortSequenceNumber::Bits8(3));
        assert_eq!(ShortSequenceNumber::low16(SequenceNumber(0x1_0203)), ShortSequenceNumber::Bits16(0x0203));
        assert_eq!(UnifiedHeader::epoch_bits_of(Epoch(6)), 2);
    }
}
