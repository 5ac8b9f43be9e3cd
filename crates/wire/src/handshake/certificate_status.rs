//! CertificateStatus: a message in 1.2, the content of an extension in 1.3.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::extension::Extension;
use crate::registry::{CertificateStatusType, ExtensionType, HandshakeType};

/// A stapled status response (RFC 6066 §8, RFC 6961 §2.2, RFC 9846 §4.5.1.1).
///
/// ```text
/// struct {
///     CertificateStatusType status_type;
///     opaque response<1..2^24-1>;
/// } CertificateStatus;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateStatus<'a> {
    /// What kind of response it is.
    pub status_type: CertificateStatusType,
    /// For `ocsp` one DER `OCSPResponse`.
    pub response: &'a [u8],
}

impl<'a> Codec<'a> for CertificateStatus<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { status_type: Codec::read(r)?, response: r.nonempty24()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.status_type.write(w);
        w.vec24(|w| w.bytes(self.response));
    }
}

impl<'a> HandshakeMessage<'a> for CertificateStatus<'a> {
    const TYPE: HandshakeType = HandshakeType::CERTIFICATE_STATUS;
}

impl<'a> Extension<'a> for CertificateStatus<'a> {
    const TYPE: ExtensionType = ExtensionType::STATUS_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let message = CertificateStatus { status_type: CertificateStatusType::OCSP, response: &[0x30] };
        assert_eq!(message.to_vec().unwrap(), [1, 0, 0, 1, 0x30]);
        assert_eq!(CertificateStatus::from_bytes(&[1, 0, 0, 1, 0x30]), Ok(message));
        assert_eq!(CertificateStatus::from_bytes(&[1, 0, 0, 0]), Err(DecodeError::EmptyVector));
    }
}
