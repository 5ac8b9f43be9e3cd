//! ServerHello, which in 1.3 also serves as HelloRetryRequest.

use super::client_hello::{read_session_id, write_session_id};
use super::{HandshakeMessage, Random};
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::extension::Extensions;
use crate::registry::{CipherSuite, CompressionMethod, HandshakeType, ProtocolVersion};

/// What the server chose (RFC 5246 §7.4.1.3, RFC 9846 §4.2.3, RFC 9147 §5.4).
///
/// ```text
/// struct {
///     ProtocolVersion legacy_version;
///     Random random;
///     SessionID session_id<0..32>;
///     CipherSuite cipher_suite;
///     CompressionMethod compression_method;
///     select (extensions_present) { case true: Extension extensions<0..2^16-1>; };
/// } ServerHello;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The version chosen; in 1.3 always 1.2, with the version in an extension.
    pub legacy_version: ProtocolVersion,
    /// The server's random.
    pub random: Random,
    /// Session id, at most 32 bytes; in 1.3 the echo of the client's.
    pub session_id: &'a [u8],
    /// The suite chosen.
    pub cipher_suite: CipherSuite,
    /// The compression chosen.
    pub compression_method: CompressionMethod,
    /// The extension block; it may be absent.
    pub extensions: Extensions<'a>,
}

impl ServerHello<'_> {
    /// Whether the random makes this a HelloRetryRequest (RFC 9846 §4.2.3).
    pub fn is_hello_retry_request(&self) -> bool {
        self.random == Random::HELLO_RETRY_REQUEST
    }
}

impl<'a> Codec<'a> for ServerHello<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            legacy_version: Codec::read(r)?,
            random: Codec::read(r)?,
            session_id: read_session_id(r)?,
            cipher_suite: Codec::read(r)?,
            compression_method: Codec::read(r)?,
            extensions: Extensions::read(r)?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.legacy_version.write(w);
        self.random.write(w);
        write_session_id(self.session_id, w);
        self.cipher_suite.write(w);
        self.compression_method.write(w);
        self.extensions.write(w);
    }
}

impl<'a> HandshakeMessage<'a> for ServerHello<'a> {
    const TYPE: HandshakeType = HandshakeType::SERVER_HELLO;
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn format() {
        let mut bytes = Vec::from([0xfe, 0xfd]);
        bytes.extend([0xbb; 32]);
        bytes.extend([2, 0x51, 0x52, 0xc0, 0x2f, 0]);
        let hello = ServerHello::from_bytes(&bytes).unwrap();
        assert_eq!(hello.session_id, [0x51, 0x52]);
        assert_eq!(hello.cipher_suite, CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
        assert!(!hello.is_hello_retry_request());
        assert_eq!(hello.to_vec().unwrap(), bytes);
        bytes.extend([0, 5, 0xff, 0x01, 0, 1, 0]);
        let hello = ServerHello::from_bytes(&bytes).unwrap();
        assert_eq!(hello.extensions.iter().count(), 1);
        assert_eq!(hello.to_vec().unwrap(), bytes);
        let retry = ServerHello { random: Random::HELLO_RETRY_REQUEST, ..hello };
        assert!(retry.is_hello_retry_request());
    }
}
