//! Records: telling datagrams apart, and the layouts of record headers.
//!
//! Owns: offsets and header bytes. Never does: move or copy a payload, or trust a header.
//! RFC 6347 §4.1, RFC 9147 §4, RFC 9146 §4 and §5, RFC 9443 §2.

mod cid12;
mod ciphertext;
mod demux;
mod inner_plaintext;
mod plaintext;
mod records;

pub use cid12::{ADDITIONAL_DATA12_CID_LEN, Cid12Header, additional_data12_cid};
pub use ciphertext::{ShortSequenceNumber, UnifiedHeader};
pub use demux::DatagramKind;
pub use inner_plaintext::InnerPlaintext;
pub use plaintext::{PlaintextHeader, additional_data12};
pub use records::{Record, Records};

use core::ops::Range;

use crate::codec::{Codec, DecodeError, Reader};
use crate::registry::ContentType;

/// The header of a record, in one of its three layouts. The first byte tells which (RFC 9147 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordHeader {
    /// 13 bytes with everything in the clear.
    Plaintext(PlaintextHeader),
    /// DTLS 1.2 with a connection id.
    Cid12(Cid12Header),
    /// DTLS 1.3, protected.
    Unified(UnifiedHeader),
}

impl RecordHeader {
    /// Reads the header of the record that starts at the first byte of `datagram`. `cid_len` is the length in bytes
    /// of the connection ids this side chose; 0 if it uses none. The body need not be there.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]; [`DecodeError::NotARecord`] if the first byte is another protocol's;
    /// [`DecodeError::IllegalValue`] if the record has a connection id though `cid_len` is 0.
    #[inline]
    pub fn read(datagram: &[u8], cid_len: usize) -> Result<Self, DecodeError> {
        let &first = datagram.first().ok_or(DecodeError::Truncated)?;
        let mut r = Reader::new(datagram);
        if UnifiedHeader::starts_with(first) {
            UnifiedHeader::read(&mut r, cid_len).map(Self::Unified)
        } else if DatagramKind::of(first) != DatagramKind::Dtls {
            Err(DecodeError::NotARecord)
        } else if first == ContentType::TLS12_CID.0 {
            Cid12Header::read(&mut r, cid_len).map(Self::Cid12)
        } else {
            PlaintextHeader::read(&mut r).map(Self::Plaintext)
        }
    }

    /// Size of the header in bytes.
    #[inline]
    pub fn header_len(&self) -> usize {
        match self {
            Self::Plaintext(_) => PlaintextHeader::LEN,
            Self::Cid12(header) => header.header_len(),
            Self::Unified(header) => header.header_len(),
        }
    }

    /// Size of the body in bytes, in a datagram of which `datagram_len` bytes are left from the start of this header.
    /// A body without a length field reaches to the end of the datagram.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the datagram ends before the record.
    #[inline]
    pub fn body_len(&self, datagram_len: usize) -> Result<usize, DecodeError> {
        let left = datagram_len.checked_sub(self.header_len()).ok_or(DecodeError::Truncated)?;
        let length = match self {
            Self::Plaintext(header) => usize::from(header.length),
            Self::Cid12(header) => usize::from(header.length),
            Self::Unified(header) => header.length.map_or(left, usize::from),
        };
        if length > left { Err(DecodeError::Truncated) } else { Ok(length) }
    }

    /// Where in the header the connection id is; empty if there is none.
    #[inline]
    pub fn cid_range(&self) -> Range<usize> {
        match self {
            Self::Plaintext(_) => 0..0,
            Self::Cid12(header) => header.cid_range(),
            Self::Unified(header) => header.cid_range(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // RFC 9147 §4.1
    fn the_first_byte_tells_the_layout() {
        let kind = |first: u8| {
            let mut datagram = [0; 20];
            datagram[0] = first;
            RecordHeader::read(&datagram, 2)
        };
        for first in [20, 21, 22, 23, 24, 26, 27, 31] {
            assert!(matches!(kind(first), Ok(RecordHeader::Plaintext(_))), "{first}");
        }
        assert!(matches!(kind(25), Ok(RecordHeader::Cid12(_))));
        for first in 32..64 {
            assert!(matches!(kind(first), Ok(RecordHeader::Unified(_))), "{first}");
        }
        for first in (0..20).chain(64..=255) {
            assert_eq!(kind(first), Err(DecodeError::NotARecord), "{first}");
        }
        assert_eq!(RecordHeader::read(&[], 2), Err(DecodeError::Truncated));
    }

    #[test]
    fn a_body_must_be_there() {
        let header = RecordHeader::read(&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 0).unwrap();
        assert_eq!(header.body_len(15), Ok(2));
        assert_eq!(header.body_len(16), Ok(2));
        assert_eq!(header.body_len(14), Err(DecodeError::Truncated));
        assert_eq!(header.body_len(12), Err(DecodeError::Truncated));
        assert_eq!(header.cid_range(), 0..0);
    }
}
