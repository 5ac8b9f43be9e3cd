//! Why an association ended, and the one place that maps faults to alerts.
//!
//! An [`Error`] is final for its association. What is merely dropped is a
//! [`Discard`](crate::Discard); what a caller got wrong is a [`SendError`] or a
//! [`ConfigError`](crate::config::ConfigError) and changes nothing.

mod malformed;
mod text;

use core::fmt;

pub use malformed::Malformed;

use gramseal_wire::{AlertDescription, EncodeError, ExtensionType, HandshakeType};

use crate::crypto::{CryptoError, KxError};

/// Why an association failed. Every value is final.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The peer sent a handshake message that cannot be read.
    Decode(Malformed),
    /// Both sides follow the rules but have too little in common.
    Incompatible(Incompatible),
    /// The peer broke a rule of the protocol.
    Peer(PeerFault),
    /// The peer's certificate was not accepted.
    Certificate(CertificateFault),
    /// The peer ended the association with an alert.
    AlertReceived(AlertReceived),
    /// The handshake did not finish in time.
    TimedOut(TimedOut),
    /// Something failed on this side.
    Local(LocalFault),
}

/// What the two sides do not have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incompatible {
    /// The peer speaks no version of DTLS that is allowed here.
    NoCommonVersion,
    /// No cipher suite that both allow and a credential here can serve.
    NoCommonCipherSuite,
    /// No group that both allow.
    NoCommonGroup,
    /// The client lists finite-field groups, none of them is allowed here, and nothing else works out
    /// (RFC 7919 §4).
    NoCommonFiniteFieldGroup,
    /// No signature scheme that both allow and the private key here can make.
    NoCommonSignatureScheme,
    /// A server of 1.3 has pre-shared keys alone, and the client offers none that it could use.
    NoPreSharedKey,
    /// A server of 1.3 has pre-shared keys alone, and the client would use its own in no way that is allowed here
    /// (RFC 9846 §4.3.9).
    NoCommonPskMode,
    /// A client of 1.2 names a pre-shared key that the server does not have, and is to know that. See
    /// [`with_unknown_psks_told`](crate::config::ServerConfigBuilder::with_unknown_psks_told).
    UnknownPskIdentity,
    /// Neither side's application protocols are known to the other (RFC 7301 §3.2).
    NoCommonApplicationProtocol,
    /// The peer does not support the extended master secret (RFC 7627), which is required.
    NoExtendedMasterSecret,
    /// The peer does not indicate secure renegotiation (RFC 5746), which is required.
    NoSecureRenegotiation,
    /// The server's finite-field group is smaller than 2048 bits, too large, or not a safe prime.
    UnsafeFiniteFieldGroup,
    /// The client sent no certificate although one is required.
    CertificateRequired,
    /// The same in 1.3, which has an alert for it (RFC 9846 §4.5.1.3).
    NoClientCertificate,
    /// The server speaks an older version than 1.3, in which it had given a ticket for early data: this client
    /// has sent some, or might have (RFC 9846 §E.3). A new connection offers none.
    OlderVersionAfterEarlyData,
    /// No form of certificate (X.509, raw public key) that one side has and the other accepts
    /// (RFC 7250 §4.2).
    NoCommonCertificateType,
    /// Each credential of this server is only for clients that name one of its issuers, and this one names none of
    /// them.
    NoCommonAuthority,
    /// The server asks for a certificate, and none of this client's is of use to it; the one that comes nearest is not
    /// for this reason. Only where a certificate is
    /// [required](crate::config::ClientConfigBuilder::with_identity_required).
    NoFittingIdentity(Misfit),
}

/// Why a credential is of no use to who asks for one. In the order in which it is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Misfit {
    /// It is of another form than was agreed on (RFC 7250 §4.2).
    Form,
    /// A request of 1.2 names no type of certificate with such a key (RFC 5246 §7.4.4).
    KeyType,
    /// Its key makes no signature that the peer can verify, or its chain has one that the peer has to name
    /// (RFC 5246 §7.4.4, RFC 9846 §4.3.3).
    SignatureScheme,
    /// None of its issuers is one that the peer trusts (RFC 5246 §7.4.4, RFC 9846 §4.3.4).
    Authority,
}

/// Which rule the peer broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerFault {
    /// A message that may not come at this point.
    UnexpectedMessage(HandshakeType),
    /// A message in an epoch that must not carry it.
    WrongEpoch(HandshakeType),
    /// A handshake message right behind the last one, or in 1.2 later, unless it would begin another handshake.
    ExcessMessage(HandshakeType),
    /// Application data under the keys of a handshake of 1.3 (RFC 9846 §5).
    MisplacedApplicationData,
    /// An authentic record with an alert that is not 2 bytes long (RFC 9846 §5.1, §6).
    MalformedAlert,
    /// An authentic record of handshake messages that cannot be told from each other, or with none (RFC 9147 §5.2).
    MalformedHandshakeRecord,
    /// A KeyUpdate to an epoch beyond the last one, see
    /// [`Transport::last_epoch`](crate::config::Transport::last_epoch).
    TooManyKeyUpdates,
    /// The peer's Finished does not match the handshake as seen here.
    FinishedMismatch,
    /// A signature over the handshake is wrong.
    BadSignature,
    /// The server chose a suite that was not offered.
    UnofferedCipherSuite,
    /// The server chose a compression method other than null.
    UnofferedCompression,
    /// An answer to an extension that was not asked for.
    UnofferedExtension,
    /// The server selected a version that was not offered, or one that is not selected in this way
    /// (RFC 9846 §4.3.1).
    UnofferedVersion,
    /// A group that was not offered.
    UnofferedGroup,
    /// A signature scheme that was not offered.
    UnofferedSignatureScheme,
    /// An application protocol that was not offered.
    UnofferedApplicationProtocol,
    /// A form of certificate, or of certificate status, that was not offered.
    UnofferedCertificateType,
    /// A certificate compressed in a way that was not offered (RFC 8879 §4).
    UnofferedCertificateCompression,
    /// A compressed certificate that cannot be decompressed, not to as many bytes as it says, or that would be
    /// longer than a message may be (RFC 8879 §4, §5).
    BadCompressedCertificate,
    /// An SRTP protection profile that was not offered.
    UnofferedSrtpProfile,
    /// An SRTP master key identifier that is neither the client's nor empty (RFC 5764 §4.1.3).
    SrtpMkiMismatch,
    /// A record size limit below 64 bytes, or from a server above 16,384 (RFC 8449 §4).
    BadRecordSizeLimit,
    /// A maximum fragment length that does not exist, or not the one that was asked for (RFC 6066 §4).
    BadMaxFragmentLength,
    /// The server answered both extensions about the size of records (RFC 8449 §5).
    TwoRecordLimits,
    /// The server's random says that a newer version was possible (RFC 9846 §4.2.3).
    Downgrade,
    /// A key share that is no valid element of its group.
    BadKeyShare,
    /// A client's list of key shares has two of one group, or one of a group that it does not list as
    /// supported (RFC 9846 §4.3.8).
    BadKeyShareList,
    /// `renegotiation_info` is not what an initial handshake must carry (RFC 5746 §3.4, §3.6).
    RenegotiationInfoMismatch,
    /// The client does not offer the null compression method (RFC 5246 §7.4.1.2).
    NullCompressionMissing,
    /// The list of point formats lacks the uncompressed one (RFC 8422 §5.1.2).
    UncompressedPointsMissing,
    /// The server sent no certificate.
    NoCertificate,
    /// A chain of more than 16 certificates.
    ChainTooLong,
    /// The certificate's key does not go with the suite (RFC 5246 §7.4.2).
    WrongKeyForCipherSuite,
    /// The server resumes a session with another cipher suite than it has (RFC 5246 §7.4.1.3).
    ResumedWithOtherCipherSuite,
    /// A 1.3 message lacks an extension that it must have (RFC 9846 §9.2).
    MissingExtension(ExtensionType),
    /// An extension in a message of 1.3 that must not have it (RFC 9846 §4.3).
    MisplacedExtension,
    /// The server asked for a cookie in the way of 1.2 and then chose 1.3 (RFC 9147 §5.1).
    VersionAfterCookie,
    /// A HelloRetryRequest that asks for nothing new (RFC 9846 §4.2.4).
    RetryWithoutChange,
    /// After a HelloRetryRequest something is not as it was (RFC 9846 §4.2.2, §4.2.4).
    ChangedAfterRetry,
    /// The client shows a cookie that it was not given (RFC 9147 §5.1).
    InvalidCookie,
    /// A 1.3 server repeats a session id (RFC 9147 §5.3).
    SessionIdEchoed,
    /// A 1.3 hello with a cookie in the way of 1.2 (RFC 9147 §5.3).
    LegacyCookie,
    /// A 1.3 hello that offers compression (RFC 9846 §4.2.2).
    CompressionOffered,
    /// A certificate message of 1.3 with a context that is not that of the request, or with one within the
    /// handshake (RFC 9846 §4.4.2, §4.5.1).
    CertificateContextMismatch,
    /// More requests for a certificate than we keep until they can be answered (RFC 9846 §4.7.2).
    TooManyCertificateRequests,
    /// A KeyUpdate that asks for something that does not exist (RFC 9846 §4.7.3).
    BadKeyUpdateRequest,
    /// A NewConnectionId whose ids are to be used at once has none, or says of no known use what they are for.
    BadConnectionIds,
    /// The peer asks for connection ids before it has got those it asked for, or again and again although it has as
    /// many as it may.
    TooManyCidsRequested,
    /// A 1.3 server showed no certificate (RFC 9846 §4.5.1.3).
    EmptyCertificate,
    /// `pre_shared_key` in a hello is not its last extension (RFC 9846 §4.3.11).
    PskNotLast,
    /// The client does not prove that it has the pre-shared key that it offers (RFC 9846 §4.3.11.2).
    BinderMismatch,
    /// The client offers more pre-shared keys than it has binders for, or fewer (RFC 9846 §4.3.11).
    BinderCountMismatch,
    /// After a HelloRetryRequest the client no longer offers the pre-shared key that was going to be used
    /// (RFC 9846 §4.2.2).
    PskWithdrawn,
    /// The server chose a pre-shared key that was not offered, or one that does not go with its cipher
    /// suite (RFC 9846 §4.3.11).
    UnofferedPsk,
    /// The server uses a pre-shared key in a way that was not offered, with a key exchange or without
    /// (RFC 9846 §4.3.9).
    UnofferedPskMode,
    /// The server takes early data with another key than the first, another cipher suite or another application
    /// protocol than the session has (RFC 9846 §4.3.10, §4.3.11).
    EarlyDataMismatch,
    /// The client sent more early data than its ticket allows (RFC 9846 §4.7.1).
    TooMuchEarlyData,
    /// `FALLBACK_SCSV` from a client that could speak a newer version with this server
    /// (RFC 7507 §3).
    InappropriateFallback,
}

/// Why the peer's certificate was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It cannot be read.
    BadEncoding,
    /// Its chain does not lead to a trusted root.
    UnknownIssuer,
    /// The certificates that came with it fit together in more ways than are tried.
    TooManyPaths,
    /// A signature in the chain is wrong.
    BadSignature,
    /// It is past its validity.
    Expired,
    /// Its validity has not begun.
    NotYetValid,
    /// It was revoked, or an authority of its chain was.
    Revoked,
    /// Revocation lists are to be checked, and do not tell.
    Crl(CrlFault),
    /// The server's status is to be checked, and what it stapled does not tell.
    Ocsp(OcspFault),
    /// It is for another name.
    NameMismatch,
    /// Its key usage does not allow this role.
    WrongPurpose,
    /// Its key or signature algorithm is not supported.
    Unsupported,
    /// It is not the certificate whose fingerprint was given.
    FingerprintMismatch,
    /// It is a raw public key, and not one of those that were given (RFC 7250 §4.3, §4.4).
    UnknownKey,
    /// The application's own rule refused it.
    Refused,
    /// The same, and the peer is to hear this alert in place of certificate_unknown.
    RefusedWith(AlertDescription),
}

/// Why certificate revocation lists do not tell whether a certificate was revoked (RFC 5280 §6.3).
///
/// The lists are this side's own, so the peer is rarely to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrlFault {
    /// None covers a certificate of the chain.
    Missing,
    /// The list is past its `nextUpdate`.
    Outdated,
    /// The authority did not sign the list, or may not sign any.
    Untrusted,
}

/// Why a stapled OCSP response does not tell that the server's certificate is good
/// (RFC 6066 §8, RFC 6960 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OcspFault {
    /// Nothing is stapled although something has to be.
    Missing,
    /// It cannot be read, or is of an unknown kind.
    BadEncoding,
    /// The responder had no answer: an error status (RFC 6960 §2.3).
    Unsuccessful,
    /// It says nothing about this certificate.
    OtherCertificate,
    /// Neither the certificate's issuer signed it nor a responder that the issuer appointed
    /// (RFC 6960 §4.2.2.2).
    Untrusted,
    /// The answer is too old, or from the future.
    Outdated,
    /// The responder does not know the certificate.
    Unknown,
}

/// An alert of the peer's that ended the association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nothing else is known of an alert")]
pub struct AlertReceived {
    /// What the peer says.
    pub description: AlertDescription,
    /// Whether the record that carried it was protected. A plaintext alert may be forged, so it
    /// ends a handshake only when the peer stays silent after it.
    pub authenticated: bool,
}

/// Which patience ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimedOut {
    /// Nothing that belongs to this association ever came.
    NoAnswer,
    /// The handshake began but did not finish.
    Handshake,
    /// A message after the handshake was never acknowledged, see
    /// [`Transport::max_retransmissions`](crate::config::Transport::max_retransmissions).
    PostHandshake,
}

/// What failed on this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalFault {
    /// A cryptographic operation failed.
    Crypto,
    /// A message of ours outgrew its length field.
    MessageTooLong,
    /// The provider lacks an algorithm that the configuration promised.
    MissingAlgorithm,
    /// So many records did not open that the peer's keys of 1.3 must not be used any more (RFC 9147 §4.5.3).
    KeyWornOut,
    /// The generator of connection ids made an empty one, or one that another association on the socket has, or that
    /// begins with it.
    UnusableCid,
    /// The client asks for an OCSP response, the certificate needs one, and there is none
    /// ([`OcspSource::is_required`](crate::config::OcspSource::is_required)).
    NoOcspResponse,
}

impl Error {
    /// The alert to send, or `None` if the peer must not hear of it.
    #[must_use]
    pub fn alert(&self) -> Option<AlertDescription> {
        Some(match self {
            Self::Decode(_) => AlertDescription::DECODE_ERROR,
            Self::Incompatible(incompatible) => incompatible.alert(),
            Self::Peer(fault) => fault.alert(),
            Self::Certificate(fault) => fault.alert(),
            Self::Local(_) => AlertDescription::INTERNAL_ERROR,
            Self::AlertReceived(_) | Self::TimedOut(_) => return None,
        })
    }
}

impl Incompatible {
    fn alert(self) -> AlertDescription {
        match self {
            Self::NoCommonVersion | Self::OlderVersionAfterEarlyData => AlertDescription::PROTOCOL_VERSION,
            Self::NoCommonApplicationProtocol => AlertDescription::NO_APPLICATION_PROTOCOL,
            Self::UnknownPskIdentity => AlertDescription::UNKNOWN_PSK_IDENTITY,
            Self::NoCommonCertificateType => AlertDescription::UNSUPPORTED_CERTIFICATE,
            Self::NoCommonFiniteFieldGroup | Self::UnsafeFiniteFieldGroup => AlertDescription::INSUFFICIENT_SECURITY,
            Self::NoClientCertificate => AlertDescription::CERTIFICATE_REQUIRED,
            Self::NoCommonCipherSuite
            | Self::NoCommonGroup
            | Self::NoCommonSignatureScheme
            | Self::NoCommonAuthority
            | Self::NoFittingIdentity(_)
            | Self::NoPreSharedKey
            | Self::NoCommonPskMode
            | Self::NoExtendedMasterSecret
            | Self::NoSecureRenegotiation
            | Self::CertificateRequired => AlertDescription::HANDSHAKE_FAILURE,
        }
    }
}

impl PeerFault {
    fn alert(self) -> AlertDescription {
        match self {
            Self::UnexpectedMessage(_)
            | Self::WrongEpoch(_)
            | Self::ExcessMessage(_)
            | Self::TooManyKeyUpdates
            | Self::MisplacedApplicationData
            | Self::TooManyCertificateRequests
            | Self::TooMuchEarlyData => AlertDescription::UNEXPECTED_MESSAGE,
            Self::FinishedMismatch | Self::BadSignature | Self::BinderMismatch => AlertDescription::DECRYPT_ERROR,
            Self::TooManyCidsRequested => AlertDescription::TOO_MANY_CIDS_REQUESTED,
            Self::UnofferedExtension => AlertDescription::UNSUPPORTED_EXTENSION,
            Self::RenegotiationInfoMismatch => AlertDescription::HANDSHAKE_FAILURE,
            Self::NoCertificate | Self::ChainTooLong | Self::BadCompressedCertificate => {
                AlertDescription::BAD_CERTIFICATE
            }
            Self::EmptyCertificate | Self::MalformedAlert | Self::MalformedHandshakeRecord => {
                AlertDescription::DECODE_ERROR
            }
            Self::MissingExtension(_) => AlertDescription::MISSING_EXTENSION,
            Self::InappropriateFallback => AlertDescription::INAPPROPRIATE_FALLBACK,
            Self::UnofferedCipherSuite
            | Self::UnofferedCompression
            | Self::UnofferedVersion
            | Self::UnofferedGroup
            | Self::UnofferedSignatureScheme
            | Self::UnofferedApplicationProtocol
            | Self::UnofferedCertificateType
            | Self::UnofferedCertificateCompression
            | Self::UnofferedSrtpProfile
            | Self::SrtpMkiMismatch
            | Self::BadRecordSizeLimit
            | Self::BadMaxFragmentLength
            | Self::TwoRecordLimits
            | Self::Downgrade
            | Self::BadKeyShare
            | Self::BadKeyShareList
            | Self::NullCompressionMissing
            | Self::UncompressedPointsMissing
            | Self::MisplacedExtension
            | Self::VersionAfterCookie
            | Self::RetryWithoutChange
            | Self::ChangedAfterRetry
            | Self::InvalidCookie
            | Self::SessionIdEchoed
            | Self::LegacyCookie
            | Self::CompressionOffered
            | Self::CertificateContextMismatch
            | Self::BadKeyUpdateRequest
            | Self::BadConnectionIds
            | Self::PskNotLast
            | Self::BinderCountMismatch
            | Self::PskWithdrawn
            | Self::UnofferedPsk
            | Self::UnofferedPskMode
            | Self::EarlyDataMismatch
            | Self::WrongKeyForCipherSuite
            | Self::ResumedWithOtherCipherSuite => AlertDescription::ILLEGAL_PARAMETER,
        }
    }
}

impl CertificateFault {
    fn alert(self) -> AlertDescription {
        match self {
            // RFC 9846 §6.2: of the ways that were tried none leads to a trusted authority.
            Self::UnknownIssuer | Self::TooManyPaths => AlertDescription::UNKNOWN_CA,
            Self::Expired | Self::NotYetValid => AlertDescription::CERTIFICATE_EXPIRED,
            Self::Revoked => AlertDescription::CERTIFICATE_REVOKED,
            Self::Unsupported | Self::WrongPurpose => AlertDescription::UNSUPPORTED_CERTIFICATE,
            Self::BadEncoding
            | Self::BadSignature
            | Self::NameMismatch
            | Self::FingerprintMismatch
            | Self::UnknownKey => AlertDescription::BAD_CERTIFICATE,
            // RFC 6066 §8: a response that is not satisfactory has an alert of its own.
            Self::Ocsp(_) => AlertDescription::BAD_CERTIFICATE_STATUS_RESPONSE,
            // Nothing is wrong with the certificate as far as anybody knows.
            Self::Crl(_) | Self::Refused => AlertDescription::CERTIFICATE_UNKNOWN,
            Self::RefusedWith(description) => description,
        }
    }
}

impl From<Incompatible> for Error {
    fn from(incompatible: Incompatible) -> Self {
        Self::Incompatible(incompatible)
    }
}

impl From<PeerFault> for Error {
    fn from(fault: PeerFault) -> Self {
        Self::Peer(fault)
    }
}

impl From<CertificateFault> for Error {
    fn from(fault: CertificateFault) -> Self {
        Self::Certificate(fault)
    }
}

impl From<LocalFault> for Error {
    fn from(fault: LocalFault) -> Self {
        Self::Local(fault)
    }
}

impl From<CryptoError> for Error {
    fn from(_: CryptoError) -> Self {
        Self::Local(LocalFault::Crypto)
    }
}

impl From<KxError> for Error {
    fn from(error: KxError) -> Self {
        match error {
            KxError::InvalidShare => Self::Peer(PeerFault::BadKeyShare),
            KxError::Failed => Self::Local(LocalFault::Crypto),
        }
    }
}

impl From<EncodeError> for Error {
    fn from(_: EncodeError) -> Self {
        Self::Local(LocalFault::MessageTooLong)
    }
}

impl core::error::Error for Error {}

/// A payload was not sealed. Nothing changed; the caller may try again with something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The handshake has not finished.
    NotConnected,
    /// The association has ended.
    Closed,
    /// The payload does not fit into one datagram.
    TooLarge {
        /// The longest payload that fits, in bytes.
        limit: usize,
    },
    /// The caller's buffer is too short for the record.
    BufferTooSmall {
        /// Bytes that the record needs.
        needed: usize,
    },
    /// The keys have protected as many records as they may; a new association is needed.
    KeysExhausted,
    /// Nothing may be sent before a [checkpoint](crate::Connection::checkpoint) is stored.
    CheckpointDue,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("the handshake has not finished"),
            Self::Closed => f.write_str("the association has ended"),
            Self::TooLarge { limit } => write!(f, "the payload is larger than {limit} bytes"),
            Self::BufferTooSmall { needed } => write!(f, "the buffer has fewer than {needed} bytes"),
            Self::KeysExhausted => f.write_str("the keys have protected as many records as they may"),
            Self::CheckpointDue => f.write_str("a checkpoint has to be stored first"),
        }
    }
}

impl core::error::Error for SendError {}
