//! The record header of DTLS 1.2 with a connection id.

use core::ops::Range;

use super::plaintext::epoch_and_sequence_number;
use crate::codec::{Codec, DecodeError, EncodeError, Reader};
use crate::numbers::{Epoch, SequenceNumber};
use crate::registry::{ContentType, ProtocolVersion};

/// Header of a `tls12_cid` record (RFC 9146 §4). The id itself stays in the datagram: [`Cid12Header::cid_range`].
///
/// ```text
/// struct {
///     ContentType outer_type = tls12_cid;
///     ProtocolVersion version;
///     uint16 epoch;
///     uint48 sequence_number;
///     opaque cid[cid_length];
///     uint16 length;
///     opaque enc_content[length];
/// } DTLSCiphertext;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cid12Header {
    /// Version of the record layer.
    pub version: ProtocolVersion,
    /// Key epoch; the wire has its low 16 bits.
    pub epoch: Epoch,
    /// Place in the epoch; the wire has 48 bits.
    pub sequence_number: SequenceNumber,
    /// Size of the connection id in bytes, 1 to 255.
    pub cid_len: u8,
    /// Size of the body in bytes.
    pub length: u16,
}

impl Cid12Header {
    /// Where in the header the connection id begins.
    pub const CID_OFFSET: usize = 11;

    /// Reads a header; `cid_len` is the agreed length of the connection id in bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]; [`DecodeError::IllegalValue`] if the first byte is another content type's, or if
    /// `cid_len` is not between 1 and 255.
    #[inline]
    pub fn read(r: &mut Reader<'_>, cid_len: usize) -> Result<Self, DecodeError> {
        // RFC 9146 §4: the content type is used only with an id of at least one byte.
        let short_cid_len = u8::try_from(cid_len).ok().filter(|&len| len > 0).ok_or(DecodeError::IllegalValue)?;
        if r.u8()? != ContentType::TLS12_CID.0 {
            return Err(DecodeError::IllegalValue);
        }
        let version = Codec::read(r)?;
        let epoch = Epoch(u64::from(r.u16()?));
        let sequence_number = SequenceNumber(r.u48()?);
        r.bytes(cid_len)?;
        Ok(Self { version, epoch, sequence_number, cid_len: short_cid_len, length: r.u16()? })
    }

    /// Size of the header in bytes.
    #[inline]
    pub fn header_len(&self) -> usize {
        self.cid_range().end + 2
    }

    /// Where in the header the connection id is.
    #[inline]
    pub fn cid_range(&self) -> Range<usize> {
        Self::CID_OFFSET..Self::CID_OFFSET + usize::from(self.cid_len)
    }

    /// Writes the header to the front of `out` and returns its size in bytes.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if `cid` is not `cid_len` bytes long, [`EncodeError::BufferTooSmall`].
    #[inline]
    pub fn write(&self, cid: &[u8], out: &mut [u8]) -> Result<usize, EncodeError> {
        if cid.len() != usize::from(self.cid_len) {
            return Err(EncodeError::TooLong);
        }
        let [v0, v1] = self.version.0.to_be_bytes();
        let number = epoch_and_sequence_number(self.epoch, self.sequence_number);
        put(out, &[&[ContentType::TLS12_CID.0, v0, v1], &number, cid, &self.length.to_be_bytes()])
    }
}

/// Size in bytes of the additional data of a `tls12_cid` record, without the connection id.
pub const ADDITIONAL_DATA12_CID_LEN: usize = 23;

/// Writes the additional data of an AEAD `tls12_cid` record to the front of `out` and returns its size in bytes
/// (RFC 9146 §5.3). `header.length` is not used; `inner_length` is the size of the inner plaintext.
///
/// ```text
/// additional_data = seq_num_placeholder(2^64-1) + tls12_cid + cid_length + tls12_cid + version + epoch
///                 + sequence_number + cid + length_of_DTLSInnerPlaintext;
/// ```
///
/// # Errors
/// [`EncodeError::TooLong`] if `cid` is not `header.cid_len` bytes long, [`EncodeError::BufferTooSmall`].
#[inline]
pub fn additional_data12_cid(
    header: &Cid12Header,
    cid: &[u8],
    inner_length: u16,
    out: &mut [u8],
) -> Result<usize, EncodeError> {
    if cid.len() != usize::from(header.cid_len) {
        return Err(EncodeError::TooLong);
    }
    let ContentType(outer) = ContentType::TLS12_CID;
    let [v0, v1] = header.version.0.to_be_bytes();
    let number = epoch_and_sequence_number(header.epoch, header.sequence_number);
    put(out, &[&[0xff; 8], &[outer, header.cid_len, outer, v0, v1], &number, cid, &inner_length.to_be_bytes()])
}

/// Copies `parts` one after the other to the front of `out`.
#[inline]
pub(super) fn put(out: &mut [u8], parts: &[&[u8]]) -> Result<usize, EncodeError> {
    let mut at = 0;
    for part in parts {
        let end = at + part.len();
        out.get_mut(at..end).ok_or(EncodeError::BufferTooSmall)?.copy_from_slice(part);
        at = end;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Cid12Header = Cid12Header {
        version: ProtocolVersion::DTLS1_2,
        epoch: Epoch(1),
        sequence_number: SequenceNumber(0x0203),
        cid_len: 2,
        length: 0x20,
    };
    const BYTES: [u8; 15] = [25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 2, 3, 0xc1, 0xd2, 0, 0x20];

    #[test]
    fn format() {
        let mut out = [0; 15];
        assert_eq!(HEADER.write(&[0xc1, 0xd2], &mut out), Ok(15));
        assert_eq!(out, BYTES);
        assert_eq!(Cid12Header::read(&mut Reader::new(&BYTES), 2), Ok(HEADER));
        assert_eq!(HEADER.header_len(), 15);
        assert_eq!(BYTES[HEADER.cid_range()], [0xc1, 0xd2]);
        assert_eq!(HEADER.write(&[0xc1], &mut out), Err(EncodeError::TooLong));
        assert_eq!(HEADER.write(&[0xc1, 0xd2], &mut out[..14]), Err(EncodeError::BufferTooSmall));
        assert_eq!(Cid12Header::read(&mut Reader::new(&BYTES), 3), Err(DecodeError::Truncated));
    }

    #[test] // RFC 9146 §4
    fn an_empty_connection_id_has_no_record_of_this_type() {
        assert_eq!(Cid12Header::read(&mut Reader::new(&BYTES), 0), Err(DecodeError::IllegalValue));
    }

    #[test] // RFC 9146 §5.3
    fn additional_data() {
        let mut out = [0; ADDITIONAL_DATA12_CID_LEN + 2];
        assert_eq!(additional_data12_cid(&HEADER, &[0xc1, 0xd2], 9, &mut out), Ok(25));
        assert_eq!(out[..8], [0xff; 8]);
        assert_eq!(out[8..], [25, 2, 25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 2, 3, 0xc1, 0xd2, 0, 9]);
    }
}
