//! The suite's names for faults.

use gramseal_proto::wire::{AlertDescription, ExtensionType, HandshakeType};
use gramseal_proto::{CertificateFault, Error, Incompatible, LocalFault, Malformed, Misfit, PeerFault};

/// What is known of an association when it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// Whether it was established before.
    pub(crate) established: bool,
    /// Whether it is a server's, and its client speaks nothing newer than 1.2.
    pub(crate) client_of_12: bool,
}

/// The token that the runner looks for when this error ends an association.
pub(crate) fn token(error: &Error, circumstances: Circumstances) -> String {
    match error {
        // BoringSSL reads no handshake messages any more then.
        Error::Peer(PeerFault::ExcessMessage(_)) if circumstances.established => ":UNEXPECTED_RECORD:".into(),
        // To BoringSSL group and signature are part of the suite there.
        Error::Incompatible(Incompatible::NoCommonGroup | Incompatible::NoCommonSignatureScheme)
            if circumstances.client_of_12 =>
        {
            ":NO_SHARED_CIPHER:".into()
        }
        Error::Decode(malformed) => decode(*malformed).into(),
        Error::Incompatible(what) => incompatible(*what).into(),
        Error::Peer(fault) => peer(*fault).into(),
        Error::Certificate(CertificateFault::Ocsp(_)) | Error::Local(LocalFault::NoOcspResponse) => {
            ":OCSP_CB_ERROR:".into()
        }
        Error::Certificate(_) => ":CERTIFICATE_VERIFY_FAILED:".into(),
        Error::AlertReceived(alert) => alert_received(alert.description),
        Error::TimedOut(_) => ":READ_TIMEOUT_EXPIRED:".into(),
        Error::Local(LocalFault::MessageTooLong) => ":overflow:".into(),
        _ => ":INTERNAL_ERROR:".into(),
    }
}

/// BoringSSL has several names for what cannot be read, and prints all that apply.
fn decode(malformed: Malformed) -> &'static str {
    match (malformed.message, malformed.extension) {
        (Some(HandshakeType::CERTIFICATE), Some(_)) => ":DECODE_ERROR: :ERROR_PARSING_EXTENSION:",
        (_, Some(ExtensionType::PRE_SHARED_KEY)) => ":DECODE_ERROR: :ERROR_PARSING_EXTENSION:",
        (_, Some(_)) => ":ERROR_PARSING_EXTENSION: :PARSE_TLSEXT:",
        (Some(HandshakeType::CLIENT_HELLO), None) => ":DECODE_ERROR: :CLIENTHELLO_PARSE_FAILED:",
        (_, None) => ":DECODE_ERROR:",
    }
}

fn incompatible(what: Incompatible) -> &'static str {
    match what {
        Incompatible::NoCommonVersion => ":UNSUPPORTED_PROTOCOL:",
        Incompatible::NoCommonCipherSuite => ":NO_SHARED_CIPHER:",
        Incompatible::NoCommonGroup | Incompatible::NoCommonFiniteFieldGroup => ":NO_SHARED_GROUP:",
        Incompatible::NoCommonSignatureScheme => ":NO_COMMON_SIGNATURE_ALGORITHMS:",
        Incompatible::NoCommonApplicationProtocol => ":NO_APPLICATION_PROTOCOL:",
        Incompatible::CertificateRequired | Incompatible::NoClientCertificate => ":PEER_DID_NOT_RETURN_A_CERTIFICATE:",
        Incompatible::NoCommonCertificateType | Incompatible::NoFittingIdentity(Misfit::Form | Misfit::KeyType) => {
            ":UNKNOWN_CERTIFICATE_TYPE:"
        }
        Incompatible::NoFittingIdentity(Misfit::SignatureScheme) => ":NO_COMMON_SIGNATURE_ALGORITHMS:",
        Incompatible::NoFittingIdentity(Misfit::Authority) | Incompatible::NoCommonAuthority => ":NO_MATCHING_ISSUER:",
        Incompatible::NoPreSharedKey => ":PSK_IDENTITY_NOT_FOUND:",
        Incompatible::NoCommonPskMode => ":NO_SUPPORTED_PSK_MODE:",
        _ => ":HANDSHAKE_FAILURE:",
    }
}

fn peer(fault: PeerFault) -> &'static str {
    match fault {
        PeerFault::UnexpectedMessage(_) => ":UNEXPECTED_MESSAGE:",
        PeerFault::WrongEpoch(_) | PeerFault::ExcessMessage(_) => ":EXCESS_HANDSHAKE_DATA:",
        PeerFault::MalformedAlert => ":BAD_ALERT:",
        PeerFault::MalformedHandshakeRecord => ":BAD_HANDSHAKE_RECORD:",
        PeerFault::MisplacedApplicationData => ":UNEXPECTED_RECORD:",
        PeerFault::TooManyKeyUpdates => ":TOO_MANY_KEY_UPDATES:",
        PeerFault::FinishedMismatch | PeerFault::BinderMismatch => ":DIGEST_CHECK_FAILED:",
        PeerFault::BadSignature => ":BAD_SIGNATURE:",
        PeerFault::UnofferedCipherSuite => ":WRONG_CIPHER_RETURNED:",
        PeerFault::UnofferedExtension | PeerFault::MisplacedExtension => ":UNEXPECTED_EXTENSION:",
        PeerFault::UnofferedVersion => ":UNSUPPORTED_PROTOCOL:",
        PeerFault::UnofferedGroup => ":WRONG_CURVE:",
        PeerFault::UnofferedSignatureScheme => ":WRONG_SIGNATURE_TYPE:",
        PeerFault::UnofferedApplicationProtocol => ":INVALID_ALPN_PROTOCOL:",
        PeerFault::UnofferedSrtpProfile => ":BAD_SRTP_PROTECTION_PROFILE_LIST:",
        PeerFault::SrtpMkiMismatch => ":BAD_SRTP_MKI_VALUE:",
        PeerFault::VersionAfterCookie => ":INVALID_MESSAGE:",
        PeerFault::LegacyCookie | PeerFault::SessionIdEchoed => ":DECODE_ERROR:",
        PeerFault::Downgrade => ":TLS13_DOWNGRADE:",
        PeerFault::MissingExtension(_) => ":MISSING_EXTENSION:",
        PeerFault::PskNotLast => ":PRE_SHARED_KEY_MUST_BE_LAST:",
        PeerFault::BinderCountMismatch => ":PSK_IDENTITY_BINDER_COUNT_MISMATCH:",
        PeerFault::UnofferedPsk | PeerFault::PskWithdrawn => ":PSK_IDENTITY_NOT_FOUND:",
        PeerFault::UnofferedPskMode => ":MISSING_KEY_SHARE:",
        _ => ":UNEXPECTED_MESSAGE:",
    }
}

fn alert_received(alert: AlertDescription) -> String {
    let name = format!("{alert}").to_uppercase();
    format!(":TLSV1_ALERT_{name}: :SSLV3_ALERT_{name}:")
}
