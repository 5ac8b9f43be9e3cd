//! HelloVerifyRequest.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::{HandshakeType, ProtocolVersion};

/// A cookie for the client to repeat (RFC 6347 §4.2.1). 1.2 only.
///
/// ```text
/// struct {
///     ProtocolVersion server_version;
///     opaque cookie<0..2^8-1>;
/// } HelloVerifyRequest;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloVerifyRequest<'a> {
    /// Says nothing about the version that will be chosen; servers send 1.0 here (RFC 6347 §4.2.1).
    pub server_version: ProtocolVersion,
    /// At most 255 bytes.
    pub cookie: &'a [u8],
}

impl<'a> Codec<'a> for HelloVerifyRequest<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { server_version: Codec::read(r)?, cookie: r.vec8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.server_version.write(w);
        w.vec8(|w| w.bytes(self.cookie));
    }
}

impl<'a> HandshakeMessage<'a> for HelloVerifyRequest<'a> {
    const TYPE: HandshakeType = HandshakeType::HELLO_VERIFY_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let request = HelloVerifyRequest { server_version: ProtocolVersion::DTLS1_0, cookie: &[1, 2, 3] };
        let bytes = [0xfe, 0xff, 3, 1, 2, 3];
        assert_eq!(request.to_vec().unwrap(), bytes);
        assert_eq!(HelloVerifyRequest::from_bytes(&bytes), Ok(request));
        assert_eq!(HelloVerifyRequest::from_bytes(&bytes[..5]), Err(DecodeError::Truncated));
    }
}
