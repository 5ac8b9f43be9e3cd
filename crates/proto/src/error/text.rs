//! What the errors of associations say to people.

use core::fmt;

use super::{
    AlertReceived, CertificateFault, CrlFault, Error, Incompatible, LocalFault, Misfit, OcspFault, PeerFault, TimedOut,
};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(malformed) => malformed.fmt(f)?,
            Self::Incompatible(incompatible) => incompatible.fmt(f)?,
            Self::Peer(fault) => fault.fmt(f)?,
            Self::Certificate(fault) => fault.fmt(f)?,
            Self::AlertReceived(alert) => return alert.fmt(f),
            Self::TimedOut(patience) => return patience.fmt(f),
            Self::Local(fault) => fault.fmt(f)?,
        }
        match self.alert() {
            Some(alert) => write!(f, " (alert sent: {alert})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCommonVersion => "the peer speaks no DTLS version that is allowed here",
            Self::NoCommonCipherSuite => "no cipher suite in common",
            Self::NoCommonGroup => "no key exchange group in common",
            Self::NoCommonFiniteFieldGroup => "no finite-field group in common",
            Self::NoCommonSignatureScheme => "no signature scheme in common",
            Self::NoPreSharedKey => "the client offers no pre-shared key, and the server has nothing else",
            Self::NoCommonPskMode => "the client would use pre-shared keys in no way that is allowed here",
            Self::UnknownPskIdentity => "the client names a pre-shared key that is not known here",
            Self::NoCommonApplicationProtocol => "no application protocol in common",
            Self::NoExtendedMasterSecret => "the peer does not support the extended master secret",
            Self::NoSecureRenegotiation => "the peer does not indicate secure renegotiation",
            Self::UnsafeFiniteFieldGroup => "the server's Diffie-Hellman group is too small or not safe",
            Self::OlderVersionAfterEarlyData => "the server speaks an older version than early data needs",
            Self::NoCommonCertificateType => "no form of certificate in common",
            Self::NoCommonAuthority => "the client trusts no authority that a certificate here is for",
            Self::NoFittingIdentity(misfit) => return misfit.fmt(f),
            Self::CertificateRequired | Self::NoClientCertificate => {
                "the client sent no certificate although one is required"
            }
        })
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server asks for a certificate, and none of ours ")?;
        f.write_str(match self {
            Self::Form => "is of the form agreed on",
            Self::KeyType => "has a key of a type that it takes",
            Self::SignatureScheme => "has signatures that it can verify",
            Self::Authority => "was issued by an authority that it trusts",
        })
    }
}

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnexpectedMessage(message) => return write!(f, "the peer sent {message} out of turn"),
            Self::ExcessMessage(message) => return write!(f, "the peer sent {message} after the handshake"),
            Self::MisplacedApplicationData => "the peer sent application data under the keys of the handshake",
            Self::MalformedAlert => "the peer sent an alert of another length",
            Self::MalformedHandshakeRecord => "the peer sent a record that should hold handshake messages",
            Self::TooManyKeyUpdates => "the peer updates its keys more often than it may",
            Self::WrongEpoch(message) => return write!(f, "the peer sent {message} in the wrong epoch"),
            Self::FinishedMismatch => "the peer's Finished does not match this handshake",
            Self::BadSignature => "the peer's signature is wrong",
            Self::UnofferedCipherSuite => "the server chose a cipher suite that was not offered",
            Self::UnofferedCompression => "the server chose a compression method that was not offered",
            Self::UnofferedExtension => "the peer answered an extension that was not offered",
            Self::UnofferedVersion => "the server selected a version that was not offered",
            Self::UnofferedGroup => "the peer chose a group that was not offered",
            Self::UnofferedSignatureScheme => "the peer chose a signature scheme that was not offered",
            Self::UnofferedApplicationProtocol => "the server chose an application protocol that was not offered",
            Self::UnofferedCertificateType => "the server chose a form of certificate that was not offered",
            Self::UnofferedCertificateCompression => {
                "the peer's certificate is compressed in a way that was not offered"
            }
            Self::BadCompressedCertificate => "the peer's compressed certificate cannot be decompressed",
            Self::UnofferedSrtpProfile => "the server chose an SRTP profile that was not offered",
            Self::SrtpMkiMismatch => "the server's SRTP master key identifier is not the one that was offered",
            Self::BadRecordSizeLimit => "the peer's record size limit is not one that it may have",
            Self::BadMaxFragmentLength => "the peer's maximum fragment length is none, or not the one asked for",
            Self::TwoRecordLimits => "the server answered both extensions about the size of records",
            Self::Downgrade => "somebody downgraded the version of this handshake",
            Self::BadKeyShare => "the peer's key share is not valid",
            Self::BadKeyShareList => "the client's list of key shares does not fit its groups",
            Self::RenegotiationInfoMismatch => "the peer's renegotiation_info does not fit an initial handshake",
            Self::NullCompressionMissing => "the client does not offer the null compression method",
            Self::UncompressedPointsMissing => "the peer does not list uncompressed points",
            Self::NoCertificate => "the server sent no certificate",
            Self::ChainTooLong => "the peer's chain of certificates is too long",
            Self::WrongKeyForCipherSuite => "the peer's certificate does not go with the cipher suite",
            Self::ResumedWithOtherCipherSuite => "the server resumes a session with another cipher suite",
            Self::MisplacedExtension => "the peer put an extension into a message that must not have it",
            Self::VersionAfterCookie => "the server asked for a cookie as 1.2 does and then chose 1.3",
            Self::TooManyCertificateRequests => "the server asks for more certificates than can be answered",
            Self::RetryWithoutChange => "the server asks for another hello without anything new in it",
            Self::ChangedAfterRetry => "the peer changed its mind after a HelloRetryRequest",
            Self::InvalidCookie => "the client shows a cookie that it was not given",
            Self::SessionIdEchoed => "the server repeats a session id, which 1.3 does not",
            Self::LegacyCookie => "the client shows a cookie as 1.2 does and wants 1.3",
            Self::CompressionOffered => "the client offers compression, which 1.3 does not have",
            Self::CertificateContextMismatch => "a certificate message has a context that it must not have",
            Self::EmptyCertificate => "the server showed no certificate",
            Self::MissingExtension(extension) => return write!(f, "the peer did not send the extension {extension}"),
            Self::BadKeyUpdateRequest => "a KeyUpdate asks for something that does not exist",
            Self::BadConnectionIds => "a NewConnectionId has no id to use, or an unknown use for them",
            Self::TooManyCidsRequested => "the peer asks for connection ids too often",
            Self::PskNotLast => "the client's pre_shared_key is not its last extension",
            Self::BinderMismatch => "the client does not have the pre-shared key that it offers",
            Self::BinderCountMismatch => "the client's pre-shared keys and binders are not equally many",
            Self::PskWithdrawn => "the client withdrew the pre-shared key that was going to be used",
            Self::UnofferedPsk => "the server chose a pre-shared key that was not offered with its cipher suite",
            Self::UnofferedPskMode => "the server uses a pre-shared key in a way that was not offered",
            Self::EarlyDataMismatch => "the server takes early data that it cannot have read",
            Self::TooMuchEarlyData => "the client sent more early data than it may",
            Self::InappropriateFallback => "the client fell back to an older version for no good reason",
        })
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadEncoding => "the peer's certificate cannot be read",
            Self::UnknownIssuer => "the peer's certificate was not issued by a trusted authority",
            Self::TooManyPaths => "the peer's certificates fit together in more ways than are tried",
            Self::BadSignature => "a signature in the peer's certificate chain is wrong",
            Self::Expired => "the peer's certificate has expired",
            Self::NotYetValid => "the peer's certificate is not valid yet",
            Self::Revoked => "the peer's certificate was revoked",
            Self::Crl(fault) => return fault.fmt(f),
            Self::Ocsp(fault) => return fault.fmt(f),
            Self::NameMismatch => "the peer's certificate is for another name",
            Self::WrongPurpose => "the peer's certificate is not meant for this role",
            Self::Unsupported => "the peer's certificate uses an algorithm that is not supported",
            Self::FingerprintMismatch => "the peer's certificate does not have the expected fingerprint",
            Self::UnknownKey => "the peer's raw public key is not one of those expected",
            Self::Refused | Self::RefusedWith(_) => "the peer's certificate was refused by the application",
        })
    }
}

impl fmt::Display for CrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no revocation list covers the peer's certificate chain",
            Self::Outdated => "the revocation list for the peer's certificate chain is out of date",
            Self::Untrusted => "the revocation list for the peer's certificate chain is not signed by its authority",
        })
    }
}

impl fmt::Display for OcspFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the server stapled no OCSP response",
            Self::BadEncoding => "the stapled OCSP response cannot be read",
            Self::Unsuccessful => "the stapled OCSP response is a responder's error",
            Self::OtherCertificate => "the stapled OCSP response is not about the server's certificate",
            Self::Untrusted => "the stapled OCSP response is not signed for the certificate's issuer",
            Self::Outdated => "the stapled OCSP response is out of date",
            Self::Unknown => "the OCSP responder does not know the server's certificate",
        })
    }
}

impl fmt::Display for AlertReceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doubt = if self.authenticated { "" } else { ", unprotected, and stayed silent" };
        write!(f, "the peer sent the alert {}{doubt}", self.description)
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "the peer did not answer",
            Self::PostHandshake => "the peer never acknowledged a message after the handshake",
            Self::Handshake => "the handshake did not finish in time",
        })
    }
}

impl fmt::Display for LocalFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crypto => "a cryptographic operation failed",
            Self::MessageTooLong => "a message outgrew its length field",
            Self::MissingAlgorithm => "the cryptography provider lacks a configured algorithm",
            Self::NoOcspResponse => "there is no OCSP response to staple to a certificate that needs one",
            Self::KeyWornOut => "too many records did not open under the peer's keys",
            Self::UnusableCid => "a connection id is empty or in use already",
        })
    }
}
