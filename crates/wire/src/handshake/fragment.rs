//! The DTLS handshake header and a fragment of a message.

use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::numbers::MessageSeq;
use crate::registry::HandshakeType;

/// The 12 bytes before each fragment (RFC 6347 §4.2.2, RFC 9147 §5.2).
///
/// ```text
/// struct {
///     HandshakeType msg_type;
///     uint24 length;
///     uint16 message_seq;
///     uint24 fragment_offset;
///     uint24 fragment_length;
/// } HandshakeHeader;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeHeader {
    /// Type of the message.
    pub msg_type: HandshakeType,
    /// Size of the whole message body in bytes.
    pub length: u32,
    /// Place of the message among those of its sender.
    pub message_seq: MessageSeq,
    /// Where in the body the fragment starts, in bytes.
    pub fragment_offset: u32,
    /// Size of the fragment in bytes.
    pub fragment_length: u32,
}

impl HandshakeHeader {
    /// Size of the header in bytes.
    pub const LEN: usize = 12;

    /// The header of a message in one piece, as the 1.2 transcript hashes it (RFC 6347 §4.2.6).
    #[inline]
    pub fn whole(msg_type: HandshakeType, length: u32, message_seq: MessageSeq) -> Self {
        Self { msg_type, length, message_seq, fragment_offset: 0, fragment_length: length }
    }

    /// Reads the header at the front of `bytes`, which may go on behind it.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::FragmentOutOfRange`]
    #[inline]
    pub fn from_prefix(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(bytes))
    }

    /// The four bytes of a TLS handshake header, as the 1.3 transcript hashes it (RFC 9147 §5.2).
    #[inline]
    pub fn tls_bytes(msg_type: HandshakeType, length: u32) -> [u8; 4] {
        let [_, l0, l1, l2] = length.to_be_bytes();
        [msg_type.0, l0, l1, l2]
    }

    /// The header's bytes. Of each 24-bit field the low 24 bits are written.
    #[inline]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [t, l0, l1, l2] = Self::tls_bytes(self.msg_type, self.length);
        let [s0, s1] = self.message_seq.0.to_be_bytes();
        let [_, o0, o1, o2] = self.fragment_offset.to_be_bytes();
        let [_, f0, f1, f2] = self.fragment_length.to_be_bytes();
        [t, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2]
    }
}

impl<'a> Codec<'a> for HandshakeHeader {
    #[inline]
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        // One check of the length for all fields, as each message passes here more than once.
        let [t, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2] = r.array::<{ Self::LEN }>()?;
        let header = Self {
            msg_type: HandshakeType(t),
            length: u32::from_be_bytes([0, l0, l1, l2]),
            message_seq: MessageSeq(u16::from_be_bytes([s0, s1])),
            fragment_offset: u32::from_be_bytes([0, o0, o1, o2]),
            fragment_length: u32::from_be_bytes([0, f0, f1, f2]),
        };
        // Both are 24-bit numbers, so the sum cannot wrap.
        if header.fragment_offset.saturating_add(header.fragment_length) > header.length {
            return Err(DecodeError::FragmentOutOfRange);
        }
        Ok(header)
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.msg_type.write(w);
        w.u24(self.length);
        w.u16(self.message_seq.0);
        w.u24(self.fragment_offset);
        w.u24(self.fragment_length);
    }
}

/// Part of a handshake message, or all of it. A record may carry several: read until the reader is empty.
///
/// ```text
/// struct {
///     HandshakeType msg_type;
///     uint24 length;
///     uint16 message_seq;
///     uint24 fragment_offset;
///     opaque body<0..2^24-1>;      /* fragment_length */
/// } DTLSHandshake;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Type of the message.
    pub msg_type: HandshakeType,
    /// Size of the whole message body in bytes.
    pub length: u32,
    /// Place of the message among those of its sender.
    pub message_seq: MessageSeq,
    /// Where in the message body this part starts, in bytes.
    pub fragment_offset: u32,
    /// The part.
    pub body: &'a [u8],
}

impl Fragment<'_> {
    /// The header of this fragment; a body beyond 2²⁴ − 1 bytes, which cannot be sent, shows as `u32::MAX`.
    #[inline]
    pub fn header(&self) -> HandshakeHeader {
        HandshakeHeader {
            msg_type: self.msg_type,
            length: self.length,
            message_seq: self.message_seq,
            fragment_offset: self.fragment_offset,
            fragment_length: u32::try_from(self.body.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether the fragment holds the end of the message.
    #[inline]
    pub fn is_last(&self) -> bool {
        self.fragment_offset as usize + self.body.len() == self.length as usize
    }

    /// Whether the fragment is the whole message.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.body.len() == self.length as usize
    }
}

impl<'a> Codec<'a> for Fragment<'a> {
    #[inline]
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header = HandshakeHeader::read(r)?;
        Ok(Self {
            msg_type: header.msg_type,
            length: header.length,
            message_seq: header.message_seq,
            fragment_offset: header.fragment_offset,
            body: r.bytes(header.fragment_length as usize)?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.header().write(w);
        w.bytes(self.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 15] = [11, 0, 1, 0, 0, 2, 0, 0, 0xf0, 0, 0, 3, 7, 8, 9];

    #[test]
    fn format() {
        let fragment = Fragment {
            msg_type: HandshakeType::CERTIFICATE,
            length: 0x100,
            message_seq: MessageSeq(2),
            fragment_offset: 0xf0,
            body: &[7, 8, 9],
        };
        assert_eq!(fragment.to_vec().unwrap(), BYTES);
        assert_eq!(Fragment::from_bytes(&BYTES), Ok(fragment));
        assert_eq!(fragment.header().to_bytes(), BYTES[..12]);
        assert_eq!(Fragment::from_bytes(&BYTES[..14]), Err(DecodeError::Truncated));
    }

    #[test]
    fn a_fragment_stays_inside_its_message() {
        let mut bytes = BYTES;
        bytes[8] = 0xfd;
        assert!(Fragment::from_bytes(&bytes).is_ok());
        bytes[8] = 0xfe;
        assert_eq!(Fragment::from_bytes(&bytes), Err(DecodeError::FragmentOutOfRange));
    }

    #[test] // RFC 9147 §5.2
    fn the_1_3_transcript_sees_no_dtls_fields() {
        assert_eq!(HandshakeHeader::tls_bytes(HandshakeType::MESSAGE_HASH, 0x01_0203), [254, 1, 2, 3]);
    }

    #[test]
    fn several_fragments_follow_each_other() {
        let twice = [BYTES, BYTES].concat();
        let mut r = Reader::new(&twice);
        assert_eq!(Fragment::read(&mut r), Fragment::read(&mut r));
        assert!(r.is_empty());
    }
}
