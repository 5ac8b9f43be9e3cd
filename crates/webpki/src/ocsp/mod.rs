//! Stapled OCSP responses (RFC 6066 §8): whether they vouch for a certificate (RFC 6960 §3.2).
//!
//! Owns which response is about which certificate, who may have signed it, and for how long it
//! counts. It neither fetches responses nor asks for them; signatures are checked by the
//! provider's algorithms and responders' certificates by `rustls-webpki`.
//!
//! A response comes from a peer that nobody has authenticated yet. Its size bounds the work of
//! reading it; a constant bounds the number of signatures that are checked.

mod response;

use core::time::Duration;

use der::asn1::AnyRef;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{ID_KP_OCSP_SIGNING, ID_SHA_1, ID_SHA_256};
use der::oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK;
use der::{Any, Decode, Tag, Tagged};
use gramseal_proto::crypto::PublicKey;
use gramseal_proto::{CertificateFault, OcspFault};
use pki_types::{CertificateDer, Der, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use self::response::{BasicResponse, CertId, CertStatus, ResponderId, SingleResponse};
use crate::chain::Algorithms;
use crate::crl::{CrlDepth, Crls};
use crate::fields;
use crate::key::{sequence, split};

/// The longest response that is read, in bytes. Usual ones have 300 to 3000.
const MAX_LENGTH: usize = 64 << 10;
/// How many certificates of a response are tried as its signer's.
const MAX_SIGNERS: usize = 4;
/// RFC 7633 §6.
const ID_PE_TLS_FEATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24");
/// How far the clocks of a responder and of this machine may be apart.
const SKEW: Duration = Duration::from_secs(5 * 60);
/// For how long an answer counts that does not tell when the next one comes.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether servers have to prove that they are not revoked; see
/// [`ChainVerifierBuilder::with_ocsp`](crate::ChainVerifierBuilder::with_ocsp).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OcspPolicy {
    /// They are not asked.
    #[default]
    Ignore,
    /// They are asked. What they staple has to be right; nothing will do too, unless the
    /// certificate itself promises a response (RFC 7633, "must staple").
    IfStapled,
    /// They are asked, and have to staple a good response.
    Required,
}

/// What a response has to be about, and with what it is checked.
pub(crate) struct Check<'a> {
    pub(crate) policy: OcspPolicy,
    pub(crate) algorithms: Algorithms,
    pub(crate) crls: &'a Crls,
    pub(crate) now: UnixTime,
}

impl Check<'_> {
    /// Whether `response`, empty if there is none, is enough for the certificate at the end of
    /// `path`.
    pub(crate) fn run(&self, path: &VerifiedPath<'_>, response: &[u8]) -> Result<(), CertificateFault> {
        if self.policy == OcspPolicy::Ignore {
            return Ok(());
        }
        if response.is_empty() {
            let required = self.policy == OcspPolicy::Required || must_staple(&path.end_entity().der())?;
            return if required { Err(CertificateFault::Ocsp(OcspFault::Missing)) } else { Ok(()) };
        }
        let target = Target::new(path).ok_or(CertificateFault::BadEncoding)?;
        match self.status(&target, response) {
            Ok(Status::Good) => Ok(()),
            Ok(Status::Revoked) => Err(CertificateFault::Revoked),
            Err(fault) => Err(CertificateFault::Ocsp(fault)),
        }
    }

    /// What `response` says about `target`, if it may be believed (RFC 6960 §3.2).
    fn status(&self, target: &Target<'_>, response: &[u8]) -> Result<Status, OcspFault> {
        if response.len() > MAX_LENGTH {
            return Err(OcspFault::BadEncoding);
        }
        let response = BasicResponse::read(response)?;
        let data = response.data()?;
        let about: Vec<&SingleResponse> = data.responses.iter().filter(|single| target.is_meant(&single.id)).collect();
        if about.is_empty() {
            return Err(OcspFault::OtherCertificate);
        }
        if !self.is_signed(&response, &data.responder, &target.issuer)? {
            return Err(OcspFault::Untrusted);
        }
        // Whoever was revoked once stays so, however old the news; among several answers the worst
        // counts.
        if about.iter().any(|single| matches!(single.status, CertStatus::Revoked(_))) {
            return Ok(Status::Revoked);
        }
        if about.iter().any(|single| matches!(single.status, CertStatus::Unknown(_))) {
            return Err(OcspFault::Unknown);
        }
        if about.iter().all(|single| self.is_fresh(single)) { Ok(Status::Good) } else { Err(OcspFault::Outdated) }
    }

    /// RFC 6960 §4.2.2.1: neither from the future nor superseded.
    fn is_fresh(&self, single: &SingleResponse) -> bool {
        let now = Duration::from_secs(self.now.as_secs());
        let from = single.this_update.to_unix_duration();
        let until = single.next_update.map_or(from + MAX_AGE, |next| next.to_unix_duration());
        from <= now + SKEW && now <= until + SKEW
    }

    /// RFC 6960 §4.2.2.2: the issuer signed, or somebody whom it appointed to.
    fn is_signed(&self, response: &BasicResponse, signer: &ResponderId, issuer: &Signer) -> Result<bool, OcspFault> {
        let signed = response.signed()?;
        let Some((algorithm, signature)) = response.signature() else { return Ok(false) };
        // RFC 6960 §4.2.2.3: the response names its signer, so that nobody has to try all.
        let by = |candidate: &Signer| {
            candidate.is_named(signer) && candidate.has_signed(self.algorithms, algorithm, &signed, signature)
        };
        Ok(by(issuer)
            || response
                .certificates()
                .filter_map(|certificate| Responder::read(certificate.into()))
                .filter(|candidate| candidate.signer.is_named(signer))
                .take(MAX_SIGNERS)
                .any(|candidate| by(&candidate.signer) && self.is_appointed(&candidate, issuer)))
    }

    /// Whether the issuer itself made the certificate of a responder, for signing responses, and it
    /// is valid now.
    fn is_appointed(&self, candidate: &Responder, issuer: &Signer) -> bool {
        let Ok(certificate) = EndEntityCert::try_from(&candidate.certificate) else { return false };
        let anchor = TrustAnchor {
            subject: Der::from_slice(&issuer.name),
            subject_public_key_info: Der::from_slice(&issuer.key_info),
            name_constraints: None,
        };
        let lists = self.crls.as_refs();
        // RFC 6960 §4.2.2.2.1: the issuer may say that its responders are never revoked.
        let unchecked = extension(&candidate.certificate, ID_PKIX_OCSP_NOCHECK).is_ok_and(|value| value.is_some());
        let lists = if unchecked { &[] } else { &*lists };
        let revocation = self.crls.options(lists, CrlDepth::EndEntity);
        let usage = KeyUsage::required(ID_KP_OCSP_SIGNING.as_bytes());
        let anchors = [anchor];
        certificate.verify_for_usage(self.algorithms, &anchors, &[], self.now, usage, revocation, None).is_ok()
    }
}

/// What a response that may be believed says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Good,
    Revoked,
}

/// A certificate that a response should be about.
struct Target<'a> {
    serial: &'a [u8],
    issuer: Signer,
}

impl<'a> Target<'a> {
    fn new(path: &'a VerifiedPath<'a>) -> Option<Self> {
        let name = match path.intermediate_certificates().next() {
            Some(issuer) => issuer.subject(),
            None => &path.anchor().subject,
        };
        Some(Self { serial: path.end_entity().serial(), issuer: Signer::new(name, &path.issuer_spki())? })
    }

    /// RFC 6960 §4.1.1: issuer and serial number together name a certificate.
    fn is_meant(&self, id: &CertId) -> bool {
        let hash = match id.hash_algorithm.oid {
            ID_SHA_1 => sha1,
            ID_SHA_256 => sha256,
            _ => return false,
        };
        let issuer = &self.issuer;
        id.serial.tag() == Tag::Integer
            && id.serial.value() == self.serial
            && id.issuer_key_hash.as_bytes() == hash(issuer.key.key())
            && id.issuer_name_hash.as_bytes() == hash(&sequence(&issuer.name))
    }
}

/// Whoever may have signed a response.
struct Signer {
    /// The content of its subject.
    name: Vec<u8>,
    /// The content of its `SubjectPublicKeyInfo`.
    key_info: Vec<u8>,
    key: PublicKey,
}

impl Signer {
    fn new(name: &[u8], key_info: &[u8]) -> Option<Self> {
        let key = split(key_info).ok()?;
        let key_info = AnyRef::from_der(key_info).ok()?.value().to_vec();
        Some(Self { name: name.to_vec(), key_info, key })
    }

    fn is_named(&self, id: &ResponderId) -> bool {
        match id {
            ResponderId::ByName(name) => name.tag() == Tag::Sequence && name.value() == self.name,
            ResponderId::ByKey(hash) => hash.as_bytes() == sha1(self.key.key()),
        }
    }

    /// `algorithm` is the content of an `AlgorithmIdentifier`.
    fn has_signed(&self, algorithms: Algorithms, algorithm: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let fits = |known: &&&dyn SignatureVerificationAlgorithm| {
            known.signature_alg_id().as_ref() == algorithm && known.public_key_alg_id().as_ref() == self.key.algorithm()
        };
        algorithms
            .iter()
            .find(fits)
            .is_some_and(|known| known.verify_signature(self.key.key(), message, signature).is_ok())
    }
}

/// A certificate of a response that may be its signer's.
struct Responder {
    certificate: CertificateDer<'static>,
    signer: Signer,
}

impl Responder {
    fn read(certificate: CertificateDer<'static>) -> Option<Self> {
        let parsed = EndEntityCert::try_from(&certificate).ok()?;
        let signer = Signer::new(parsed.subject(), &parsed.subject_public_key_info())?;
        Some(Self { certificate, signer })
    }
}

/// RFC 7633 §4: whether a certificate promises that a response comes along with it.
fn must_staple(certificate: &CertificateDer<'_>) -> Result<bool, CertificateFault> {
    /// The extension type status_request as a DER INTEGER's content.
    const STATUS_REQUEST: &[u8] = &[5];
    let unreadable = |_| CertificateFault::BadEncoding;
    let Some(features) = extension(certificate, ID_PE_TLS_FEATURE).map_err(unreadable)? else { return Ok(false) };
    let features: Vec<Any> = Vec::from_der(&features).map_err(unreadable)?;
    Ok(features.iter().any(|feature| feature.tag() == Tag::Integer && feature.value() == STATUS_REQUEST))
}

/// The value of an extension of `certificate`, if it has it.
fn extension(certificate: &[u8], id: ObjectIdentifier) -> der::Result<Option<Vec<u8>>> {
    let found = fields::extensions(certificate)?.into_iter().find(|extension| extension.extn_id == id);
    Ok(found.map(|extension| extension.extn_value.into_bytes().into()))
}

/// Names and keys are hashed to find them, not to protect them: what is found is checked by a
/// signature. So SHA-1, which most responders use, does no harm.
fn sha1(bytes: &[u8]) -> Vec<u8> {
    Sha1::digest(bytes).to_vec()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}
