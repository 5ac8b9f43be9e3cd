//! The form of an OCSP response (RFC 6960 §4.2.1). Says nothing about whether it is true.

use der::asn1::{BitString, GeneralizedTime, Null, OctetString};
use der::oid::ObjectIdentifier;
use der::oid::db::rfc6960::ID_PKIX_OCSP_BASIC;
use der::{Any, Choice, Decode, Encode, Enumerated, Sequence};
use gramseal_proto::OcspFault;
use x509_cert::ext::Extensions;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// ```text
/// OCSPResponse ::= SEQUENCE {
///     responseStatus   OCSPResponseStatus,
///     responseBytes    [0] EXPLICIT ResponseBytes OPTIONAL }
/// ```
#[derive(Sequence)]
struct OcspResponse {
    status: ResponseStatus,
    #[asn1(context_specific = "0", optional = "true", tag_mode = "EXPLICIT")]
    bytes: Option<ResponseBytes>,
}

#[derive(Clone, Copy, PartialEq, Eq, Enumerated)]
#[repr(u8)]
enum ResponseStatus {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SignatureRequired = 5,
    Unauthorized = 6,
}

/// ```text
/// ResponseBytes ::= SEQUENCE {
///     responseType   OBJECT IDENTIFIER,
///     response       OCTET STRING }
/// ```
#[derive(Sequence)]
struct ResponseBytes {
    response_type: ObjectIdentifier,
    response: OctetString,
}

/// A response with its signature.
///
/// ```text
/// BasicOCSPResponse ::= SEQUENCE {
///     tbsResponseData      ResponseData,
///     signatureAlgorithm   AlgorithmIdentifier,
///     signature            BIT STRING,
///     certs                [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
/// ```
#[derive(Sequence)]
pub(super) struct BasicResponse {
    /// Kept as it came, for this is what is signed.
    data: Any,
    algorithm: Any,
    signature: BitString,
    #[asn1(context_specific = "0", optional = "true", tag_mode = "EXPLICIT")]
    certificates: Option<Vec<Any>>,
}

/// What a responder says.
///
/// ```text
/// ResponseData ::= SEQUENCE {
///     version              [0] EXPLICIT Version DEFAULT v1,
///     responderID          ResponderID,
///     producedAt           GeneralizedTime,
///     responses            SEQUENCE OF SingleResponse,
///     responseExtensions   [1] EXPLICIT Extensions OPTIONAL }
/// ```
#[derive(Sequence)]
pub(super) struct ResponseData {
    #[asn1(context_specific = "0", optional = "true", tag_mode = "EXPLICIT")]
    version: Option<u8>,
    pub(super) responder: ResponderId,
    produced_at: GeneralizedTime,
    pub(super) responses: Vec<SingleResponse>,
    #[asn1(context_specific = "1", optional = "true", tag_mode = "EXPLICIT")]
    extensions: Option<Extensions>,
}

/// Who signed a response.
#[derive(Choice)]
pub(super) enum ResponderId {
    /// Its subject.
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", constructed = "true")]
    ByName(Any),
    /// The SHA-1 hash of its public key.
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    ByKey(OctetString),
}

/// What a responder says about one certificate.
///
/// ```text
/// SingleResponse ::= SEQUENCE {
///     certID             CertID,
///     certStatus         CertStatus,
///     thisUpdate         GeneralizedTime,
///     nextUpdate         [0] EXPLICIT GeneralizedTime OPTIONAL,
///     singleExtensions   [1] EXPLICIT Extensions OPTIONAL }
/// ```
#[derive(Sequence)]
pub(super) struct SingleResponse {
    pub(super) id: CertId,
    pub(super) status: CertStatus,
    pub(super) this_update: GeneralizedTime,
    #[asn1(context_specific = "0", optional = "true", tag_mode = "EXPLICIT")]
    pub(super) next_update: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", optional = "true", tag_mode = "EXPLICIT")]
    extensions: Option<Extensions>,
}

/// Which certificate it is about.
///
/// ```text
/// CertID ::= SEQUENCE {
///     hashAlgorithm    AlgorithmIdentifier,
///     issuerNameHash   OCTET STRING,
///     issuerKeyHash    OCTET STRING,
///     serialNumber     CertificateSerialNumber }
/// ```
#[derive(Sequence)]
pub(super) struct CertId {
    pub(super) hash_algorithm: AlgorithmIdentifierOwned,
    pub(super) issuer_name_hash: OctetString,
    pub(super) issuer_key_hash: OctetString,
    pub(super) serial: Any,
}

#[derive(Choice)]
#[asn1(tag_mode = "IMPLICIT")]
pub(super) enum CertStatus {
    #[asn1(context_specific = "0")]
    Good(Null),
    #[asn1(context_specific = "1", constructed = "true")]
    Revoked(RevokedInfo),
    #[asn1(context_specific = "2")]
    Unknown(Null),
}

/// ```text
/// RevokedInfo ::= SEQUENCE {
///     revocationTime     GeneralizedTime,
///     revocationReason   [0] EXPLICIT CRLReason OPTIONAL }
/// ```
#[derive(Sequence)]
pub(super) struct RevokedInfo {
    time: GeneralizedTime,
    #[asn1(context_specific = "0", optional = "true", tag_mode = "EXPLICIT")]
    reason: Option<Any>,
}

impl BasicResponse {
    /// Reads an `OCSPResponse`.
    pub(super) fn read(response: &[u8]) -> Result<Self, OcspFault> {
        let response = OcspResponse::from_der(response).map_err(unreadable)?;
        if response.status != ResponseStatus::Successful {
            return Err(OcspFault::Unsuccessful);
        }
        // RFC 6960 §4.2.1: the basic type is the one that everybody has to know.
        let bytes = response.bytes.filter(|bytes| bytes.response_type == ID_PKIX_OCSP_BASIC);
        let bytes = bytes.ok_or(OcspFault::BadEncoding)?;
        Self::from_der(bytes.response.as_bytes()).map_err(unreadable)
    }

    /// What is said.
    pub(super) fn data(&self) -> Result<ResponseData, OcspFault> {
        let data: ResponseData = self.data.decode_as().map_err(unreadable)?;
        let critical = |extensions: &Option<Extensions>| extensions.iter().flatten().any(|each| each.critical);
        let singles = data.responses.iter().map(|single| &single.extensions);
        // RFC 6960 §4.2.2.3 knows version 1 only, written as 0. §4.4: no extension is known here that
        // could be critical.
        let unknown =
            data.version.is_some_and(|version| version != 0) || singles.chain([&data.extensions]).any(critical);
        if unknown { Err(OcspFault::BadEncoding) } else { Ok(data) }
    }

    /// What is signed.
    pub(super) fn signed(&self) -> Result<Vec<u8>, OcspFault> {
        self.data.to_der().map_err(unreadable)
    }

    /// The content of the `AlgorithmIdentifier` of the signature, and the signature.
    pub(super) fn signature(&self) -> Option<(&[u8], &[u8])> {
        Some((self.algorithm.value(), self.signature.as_bytes()?))
    }

    /// The certificates that may help to check the signature.
    pub(super) fn certificates(&self) -> impl Iterator<Item = Vec<u8>> {
        self.certificates.iter().flatten().filter_map(|certificate| certificate.to_der().ok())
    }
}

/// DER is read strictly, so that what is read has one encoding and is what was signed.
fn unreadable(_: der::Error) -> OcspFault {
    OcspFault::BadEncoding
}
