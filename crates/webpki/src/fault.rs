//! What `rustls-webpki` says, in the words of the protocol.

use gramseal_proto::CertificateFault;
use webpki::Error;

use crate::crl;

/// The fault that `error` amounts to; the alert follows from the fault.
pub(crate) fn fault(error: &Error) -> CertificateFault {
    match error {
        Error::BadDer
        | Error::BadDerTime
        | Error::EmptyEkuExtension
        | Error::ExtensionValueInvalid
        | Error::InvalidCertValidity
        | Error::InvalidNetworkMaskConstraint
        | Error::InvalidSerialNumber
        | Error::MalformedDnsIdentifier
        | Error::MalformedExtensions
        | Error::MalformedNameConstraint
        | Error::SignatureAlgorithmMismatch
        | Error::TrailingData(_) => CertificateFault::BadEncoding,

        Error::CertExpired { .. } => CertificateFault::Expired,
        Error::CertNotValidYet { .. } => CertificateFault::NotYetValid,
        Error::CertNotValidForName(_) => CertificateFault::NameMismatch,
        Error::InvalidSignatureForPublicKey => CertificateFault::BadSignature,
        Error::CaUsedAsEndEntity | Error::RequiredEkuNotFoundContext(_) => CertificateFault::WrongPurpose,
        Error::CertDistrusted | Error::CertRevoked => CertificateFault::Revoked,

        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded => CertificateFault::TooManyPaths,

        // Whoever signs without being an authority, or for a name or a depth beyond its
        // authority, is no trusted issuer. A path that is too long leads to none either.
        Error::UnknownIssuer
        | Error::EndEntityUsedAsCa
        | Error::NameConstraintViolation
        | Error::PathLenConstraintViolated
        | Error::MaximumPathDepthExceeded => CertificateFault::UnknownIssuer,

        Error::UnsupportedCertVersion
        | Error::UnsupportedCriticalExtension
        | Error::UnsupportedNameType
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => CertificateFault::Unsupported,

        // What is said of revocation lists; and reasons that a later release may add: refused, and
        // the alert names none.
        other => crl::fault(other).unwrap_or(CertificateFault::Refused),
    }
}
