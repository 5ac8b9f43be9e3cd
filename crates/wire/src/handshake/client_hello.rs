//! ClientHello, whole and as much of it as a first fragment holds.

use super::{HandshakeMessage, Random};
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::extension::Extensions;
use crate::registry::{CipherSuite, CompressionMethod, HandshakeType, ProtocolVersion};

/// What the client offers, the same layout in 1.2 and 1.3 (RFC 6347 §4.2.1, RFC 9147 §5.3).
///
/// ```text
/// struct {
///     ProtocolVersion client_version;
///     Random random;
///     SessionID session_id<0..32>;
///     opaque cookie<0..2^8-1>;
///     CipherSuite cipher_suites<2..2^16-2>;
///     CompressionMethod compression_methods<1..2^8-1>;
///     select (extensions_present) { case true: Extension extensions<0..2^16-1>; };
/// } ClientHello;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The highest version without the `supported_versions` extension.
    pub legacy_version: ProtocolVersion,
    /// The client's random.
    pub random: Random,
    /// Session to resume in 1.2, at most 32 bytes.
    pub session_id: &'a [u8],
    /// Cookie of a HelloVerifyRequest, at most 255 bytes; empty in 1.3, whose cookie is an extension.
    pub cookie: &'a [u8],
    /// Suites, the client's favourite first.
    pub cipher_suites: List<'a, CipherSuite>,
    /// Compression methods.
    pub compression_methods: List<'a, CompressionMethod>,
    /// The extension block; it may be absent.
    pub extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    /// What `compression_methods` has to be in 1.3, and should be in 1.2.
    pub const NULL_COMPRESSION: List<'static, CompressionMethod> = List::of_whole(&[CompressionMethod::NULL.0]);

    /// The fields a [`ClientHelloPrefix`] has.
    pub fn prefix(&self) -> ClientHelloPrefix<'a> {
        ClientHelloPrefix {
            legacy_version: self.legacy_version,
            random: self.random,
            session_id: self.session_id,
            cookie: self.cookie,
        }
    }
}

impl<'a> Codec<'a> for ClientHello<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let ClientHelloPrefix { legacy_version, random, session_id, cookie } = ClientHelloPrefix::read(r)?;
        Ok(Self {
            legacy_version,
            random,
            session_id,
            cookie,
            cipher_suites: List::read16(r)?,
            compression_methods: List::read8(r)?,
            extensions: Extensions::read(r)?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.prefix().write(w);
        self.cipher_suites.write16(w);
        self.compression_methods.write8(w);
        self.extensions.write(w);
    }
}

impl<'a> HandshakeMessage<'a> for ClientHello<'a> {
    const TYPE: HandshakeType = HandshakeType::CLIENT_HELLO;
}

/// The front of a ClientHello, which fits any first fragment, so that a cookie can be checked before reassembly.
///
/// Read it with [`Codec::read`]; what follows, cut off or not, stays in the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHelloPrefix<'a> {
    /// As in [`ClientHello`].
    pub legacy_version: ProtocolVersion,
    /// As in [`ClientHello`].
    pub random: Random,
    /// As in [`ClientHello`].
    pub session_id: &'a [u8],
    /// As in [`ClientHello`].
    pub cookie: &'a [u8],
}

impl<'a> Codec<'a> for ClientHelloPrefix<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            legacy_version: Codec::read(r)?,
            random: Codec::read(r)?,
            session_id: read_session_id(r)?,
            cookie: r.vec8()?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.legacy_version.write(w);
        self.random.write(w);
        write_session_id(self.session_id, w);
        w.vec8(|w| w.bytes(self.cookie));
    }
}

/// Longest session id in bytes (RFC 5246 §7.4.1.2).
const MAX_SESSION_ID: usize = 32;

/// Reads `SessionID session_id<0..32>`.
pub(super) fn read_session_id<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let session_id = r.vec8()?;
    if session_id.len() > MAX_SESSION_ID { Err(DecodeError::BadVectorLength) } else { Ok(session_id) }
}

/// Writes `SessionID session_id<0..32>`.
pub(super) fn write_session_id(session_id: &[u8], w: &mut Writer<'_>) {
    if session_id.len() > MAX_SESSION_ID {
        w.overflow();
    }
    w.vec8(|w| w.bytes(session_id));
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn bytes() -> Vec<u8> {
        let mut bytes = Vec::from([0xfe, 0xfd]);
        bytes.extend([0xaa; 32]);
        bytes.extend([1, 0x51, 2, 0xc0, 0xc1]);
        bytes.extend([0, 4, 0xc0, 0x2b, 0x0a, 0x0a, 1, 0]);
        bytes.extend([0, 4, 0, 23, 0, 0]);
        bytes
    }

    #[test]
    fn format() {
        let bytes = bytes();
        let hello = ClientHello::from_bytes(&bytes).unwrap();
        assert_eq!(hello.legacy_version, ProtocolVersion::DTLS1_2);
        assert_eq!(hello.session_id, [0x51]);
        assert_eq!(hello.cookie, [0xc0, 0xc1]);
        assert_eq!(
            hello.cipher_suites.iter().collect::<Vec<_>>(),
            [CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, CipherSuite(0x0a0a)]
        );
        assert_eq!(hello.extensions.iter().count(), 1);
        assert_eq!(hello.to_vec().unwrap(), bytes);
    }

    #[test]
    fn an_absent_extension_block_differs_from_an_empty_one() {
        let bytes = bytes();
        let absent = &bytes[..bytes.len() - 6];
        let empty = [absent, &[0, 0]].concat();
        for form in [absent, &empty] {
            let hello = ClientHello::from_bytes(form).unwrap();
            assert!(hello.extensions.is_empty());
            assert_eq!(hello.to_vec().unwrap(), form);
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = bytes();
        let absent = bytes.len() - 6;
        for end in (0..bytes.len()).filter(|&end| end != absent) {
            assert_eq!(ClientHello::from_bytes(&bytes[..end]), Err(DecodeError::Truncated), "{end}");
        }
    }

    #[test]
    fn the_prefix_is_read_from_a_cut_hello() {
        let bytes = bytes();
        let whole = ClientHello::from_bytes(&bytes).unwrap();
        let prefix = ClientHelloPrefix::read(&mut Reader::new(&bytes[..41])).unwrap();
        assert_eq!(prefix, whole.prefix());
    }

    #[test] // RFC 5246 §7.4.1.2
    fn a_session_id_has_at_most_32_bytes() {
        let mut bytes = bytes();
        bytes.splice(34..36, [33].into_iter().chain([0; 33]));
        assert_eq!(ClientHello::from_bytes(&bytes), Err(DecodeError::BadVectorLength));
        let hello = ClientHelloPrefix {
            legacy_version: ProtocolVersion::DTLS1_2,
            random: Random([0; 32]),
            session_id: &[0; 33],
            cookie: &[],
        };
        assert!(hello.to_vec().is_err());
    }
}
