//! Trust in authorities: certificate chains that lead to a root.

use std::fmt;
use std::sync::Arc;

use gramseal_proto::CertificateFault;
use gramseal_proto::config::{PeerCredential, PeerRole, PeerVerified, PeerVerifier, Presented, Verdict};
use gramseal_proto::crypto::Deferrable;
use gramseal_proto::wire::SignatureScheme;
use pki_types::{SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::builder::ChainVerifierBuilder;
use crate::context::Context;
use crate::crl::Crls;
use crate::fault::fault;
use crate::key::public_key;
use crate::ocsp::{self, OcspPolicy};
use crate::paths;

pub(crate) type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];
pub(crate) type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// Accepts peers whose certificate leads to a trusted root, is valid now and is meant for their
/// role; a server's must also carry the name that it was called by.
///
/// - Path (RFC 5280 §6): signatures, validity, basic constraints, path lengths and name constraints
///   of every certificate up to a root. Roots themselves are trusted as they are. A self-signed
///   certificate of a peer is no chain; see [`FingerprintVerifier`](crate::FingerprintVerifier).
/// - Role (RFC 5280 §4.2.1.12): an extended key usage extension, where there is one, must list
///   `serverAuth` or `clientAuth`.
/// - Name (RFC 9525 §6): DNS names and IP addresses among the subject alternative names. A `*` may
///   stand for the whole leftmost label. The common name is not looked at.
/// - Keys and signatures: those that the given algorithms verify. The providers of gramseal give
///   none for RSA keys under 2048 bits nor for SHA-1.
/// - Revocation (RFC 5280 §6.3): checked where revocation lists are given
///   ([`with_crls`](ChainVerifierBuilder::with_crls)) or servers staple OCSP responses
///   ([`with_ocsp`](ChainVerifierBuilder::with_ocsp)), otherwise not.
/// - Effort: a peer may send certificates that fit together in many ways, and in any order, as where
///   an authority has several keys or was certified by several others. By their names they may
///   form 128 paths of up to six authorities, beginnings of paths included; two certificates for
///   each of the six make 126. Copies count once. More are refused with
///   [`TooManyPaths`](CertificateFault::TooManyPaths) before any signature is checked, and so is what
///   needs more than 100 checks of signatures, those of revocation lists included.
///
/// ```
/// use gramseal_webpki::{ChainVerifier, RootsError};
/// use pki_types::{CertificateDer, SignatureVerificationAlgorithm};
///
/// fn verifier(
///     algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
///     root: CertificateDer<'_>,
/// ) -> Result<ChainVerifier, RootsError> {
///     ChainVerifier::builder(algorithms).with_roots([root])?.build()
/// }
/// ```
#[derive(Clone)]
pub struct ChainVerifier {
    pub(crate) algorithms: Algorithms,
    /// Those that TLS has for them.
    pub(crate) schemes: Vec<SignatureScheme>,
    pub(crate) roots: Vec<TrustAnchor<'static>>,
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) crls: Crls,
    pub(crate) ocsp: OcspPolicy,
    /// None is the system's.
    pub(crate) clock: Option<Clock>,
}

impl ChainVerifier {
    /// Begins with no roots. `algorithms` verify the signatures in chains; every provider of
    /// gramseal exports its own.
    pub fn builder(algorithms: &'static [&'static dyn SignatureVerificationAlgorithm]) -> ChainVerifierBuilder {
        ChainVerifierBuilder::new(algorithms)
    }
}

impl ChainVerifier {
    fn check(&self, presented: &Presented<'_>) -> Verdict {
        let PeerCredential::Chain { end_entity, intermediates } = presented.credential else {
            return Err(CertificateFault::Unsupported);
        };
        let end_entity = EndEntityCert::try_from(end_entity).map_err(|error| fault(&error))?;
        let usage = match presented.role {
            PeerRole::Server(_) => KeyUsage::server_auth(),
            PeerRole::Client => KeyUsage::client_auth(),
        };
        let intermediates = paths::without_copies(&end_entity, intermediates)?;
        let now = self.clock.as_ref().map_or_else(UnixTime::now, |clock| clock());
        let crls = self.crls.as_refs();
        let revocation = self.crls.options(&crls, self.crls.policy.depth);
        let path = end_entity
            .verify_for_usage(self.algorithms, &self.roots, &intermediates, now, usage, revocation, None)
            .map_err(|error| fault(&error))?;
        if let PeerRole::Server(name) = presented.role {
            end_entity.verify_is_valid_for_subject_name(name).map_err(|error| fault(&error))?;
        }
        let check = ocsp::Check { policy: self.ocsp, algorithms: self.algorithms, crls: &self.crls, now };
        check.run(&path, presented.ocsp_response)?;
        public_key(&end_entity).map(PeerVerified::assertion)
    }
}

impl PeerVerifier for ChainVerifier {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        self.check(presented).into()
    }

    fn wants_ocsp_response(&self) -> bool {
        self.ocsp != OcspPolicy::Ignore
    }

    /// Those of the given algorithms.
    fn certificate_schemes(&self) -> &[SignatureScheme] {
        &self.schemes
    }

    /// A verifier with a clock of its own is like no other. New revocation lists make a new rule, so
    /// that whom they revoke cannot resume a session from before.
    fn session_context(&self) -> Option<Vec<u8>> {
        if self.clock.is_some() {
            return None;
        }
        let roots = self.roots.iter().map(|root| {
            let constraints = root.name_constraints.as_ref().map_or(&[][..], |constraints| constraints);
            Context::new("root").with(&root.subject).with(&root.subject_public_key_info).with(constraints).finish()
        });
        let algorithms = self.algorithms.iter().map(|algorithm| {
            let context = Context::new("algorithm").with(algorithm.public_key_alg_id());
            context.with(algorithm.signature_alg_id()).finish()
        });
        let policies = format!("{:?} {:?}", self.crls.policy, self.ocsp);
        let context = Context::new("chain").with_set(roots).with_set(algorithms).with_set(self.crls.hashes());
        Some(context.with(policies).finish())
    }

    /// The subjects of the roots, each once, in the order in which they were given.
    fn authorities(&self) -> &[Vec<u8>] {
        &self.authorities
    }
}

impl fmt::Debug for ChainVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainVerifier")
            .field("algorithms", &self.algorithms.len())
            .field("roots", &self.roots.len())
            .field("crls", &self.crls.len())
            .field("ocsp", &self.ocsp)
            .finish_non_exhaustive()
    }
}
