//! status_request.

use super::Extension;
use super::empty::empty_extension;
use crate::codec::{Codec, DecodeError, Len16, OpaqueList, Reader, Writer};
use crate::registry::{CertificateStatusType, ExtensionType};

/// The client wants a stapled status (RFC 6066 §8). The answer is a
/// [`CertificateStatus`](crate::handshake::CertificateStatus).
///
/// ```text
/// struct {
///     CertificateStatusType status_type;
///     select (status_type) {
///         case ocsp: OCSPStatusRequest;
///     } request;
/// } CertificateStatusRequest;
/// struct {
///     ResponderID responder_id_list<0..2^16-1>;
///     Extensions  request_extensions<0..2^16-1>;
/// } OCSPStatusRequest;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusRequest<'a> {
    /// An OCSP response.
    Ocsp {
        /// DER identifiers of trusted responders; empty means whoever the server knows.
        responder_ids: OpaqueList<'a, Len16>,
        /// DER extensions for the OCSP request.
        request_extensions: &'a [u8],
    },
    /// A kind of status this crate does not know.
    Other {
        /// Its code; not `ocsp`.
        status_type: CertificateStatusType,
        /// What follows.
        request: &'a [u8],
    },
}

impl StatusRequest<'_> {
    /// The usual request: OCSP, any responder, no extensions.
    pub fn ocsp() -> Self {
        Self::Ocsp { responder_ids: OpaqueList::default(), request_extensions: &[] }
    }
}

impl<'a> Codec<'a> for StatusRequest<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match Codec::read(r)? {
            CertificateStatusType::OCSP => {
                Self::Ocsp { responder_ids: OpaqueList::new(r.vec16()?)?, request_extensions: r.vec16()? }
            }
            status_type => Self::Other { status_type, request: r.rest() },
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        match self {
            Self::Ocsp { responder_ids, request_extensions } => {
                CertificateStatusType::OCSP.write(w);
                w.vec16(|w| w.bytes(responder_ids.as_bytes()));
                w.vec16(|w| w.bytes(request_extensions));
            }
            Self::Other { status_type, request } => {
                status_type.write(w);
                w.bytes(request);
            }
        }
    }
}

impl<'a> Extension<'a> for StatusRequest<'a> {
    const TYPE: ExtensionType = ExtensionType::STATUS_REQUEST;
}

empty_extension! {
    /// In a 1.2 ServerHello: a CertificateStatus message follows (RFC 6066 §8). In a 1.3 CertificateRequest: the
    /// server wants the client's status (RFC 9846 §4.5.1.1).
    StatusRequestAck = STATUS_REQUEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        assert_eq!(StatusRequest::ocsp().to_vec().unwrap(), [1, 0, 0, 0, 0]);
        let bytes = [1, 0, 3, 0, 1, 9, 0, 1, 7];
        let read = StatusRequest::from_bytes(&bytes).unwrap();
        assert!(matches!(read, StatusRequest::Ocsp { request_extensions: [7], .. }));
        assert_eq!(read.to_vec().unwrap(), bytes);
        let other = StatusRequest::Other { status_type: CertificateStatusType(9), request: &[1, 2] };
        assert_eq!(StatusRequest::from_bytes(&[9, 1, 2]), Ok(other));
        assert_eq!(other.to_vec().unwrap(), [9, 1, 2]);
    }
}
