//! Trust in authorities: certificate chains that lead to a root.

use std::fmt;
use std::sync::Arc;

use gramseal_proto::CertificateFault;
use gramseal_proto::config::{PeerCredential, PeerRole, PeerVerified, PeerVerifier, Presented, Verdict};
use gramseal_proto::crypto::Deferrable;
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Encode, Tag};

use crate::fault::fault;
use crate::fingerprint::Fingerprint;
use crate::key::public_key;

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];
type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

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
/// - Revocation is not checked.
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
    algorithms: Algorithms,
    roots: Vec<TrustAnchor<'static>>,
    authorities: Vec<Vec<u8>>,
    clock: Clock,
}

impl ChainVerifier {
    /// Begins with no roots. `algorithms` verify the signatures in chains; every provider of
    /// gramseal exports its own.
    pub fn builder(algorithms: &'static [&'static dyn SignatureVerificationAlgorithm]) -> ChainVerifierBuilder {
        ChainVerifierBuilder { algorithms, roots: Vec::new(), send_authorities: true, clock: Arc::new(UnixTime::now) }
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
        let now = (self.clock)();
        end_entity
            .verify_for_usage(self.algorithms, &self.roots, intermediates, now, usage, None, None)
            .map_err(|error| fault(&error))?;
        if let PeerRole::Server(name) = presented.role {
            end_entity.verify_is_valid_for_subject_name(name).map_err(|error| fault(&error))?;
        }
        public_key(&end_entity).map(PeerVerified::assertion)
    }
}

impl PeerVerifier for ChainVerifier {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        self.check(presented).into()
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
            .finish_non_exhaustive()
    }
}

/// Makes a [`ChainVerifier`].
#[must_use]
pub struct ChainVerifierBuilder {
    algorithms: Algorithms,
    roots: Vec<TrustAnchor<'static>>,
    send_authorities: bool,
    clock: Clock,
}

impl ChainVerifierBuilder {
    /// Trusts `roots`, too. Of a root only the subject, the public key and the name constraints
    /// count (RFC 5280 §6.1.1): its validity and its signature are not looked at.
    ///
    /// # Errors
    /// [`RootsError::Unusable`] for the first that cannot be read.
    pub fn with_roots<'a>(mut self, roots: impl IntoIterator<Item = CertificateDer<'a>>) -> Result<Self, RootsError> {
        for (index, root) in roots.into_iter().enumerate() {
            self.add_root(&root).map_err(|fault| RootsError::Unusable {
                index,
                fingerprint: Fingerprint::of(&root),
                fault,
            })?;
        }
        Ok(self)
    }

    /// Takes the time from `clock` instead of the system's.
    pub fn with_clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A server does not tell clients which authorities it trusts. Clients with several
    /// certificates then have to guess, but the handshake is smaller by about a hundred bytes for
    /// each root, which counts with the roots of an operating system.
    pub fn without_authorities(mut self) -> Self {
        self.send_authorities = false;
        self
    }

    /// Finishes the verifier.
    ///
    /// # Errors
    /// [`RootsError::None`] if it would trust no root and so refuse everybody.
    pub fn build(self) -> Result<ChainVerifier, RootsError> {
        if self.roots.is_empty() {
            return Err(RootsError::None);
        }
        let mut authorities = Vec::new();
        if self.send_authorities {
            for root in &self.roots {
                let name = subject(root);
                if !authorities.contains(&name) {
                    authorities.push(name);
                }
            }
        }
        Ok(ChainVerifier { algorithms: self.algorithms, roots: self.roots, authorities, clock: self.clock })
    }

    /// Adds one root unless it is there already.
    pub(crate) fn add_root(&mut self, root: &CertificateDer<'_>) -> Result<(), CertificateFault> {
        let anchor = anchor_from_trusted_cert(root).map_err(|error| fault(&error))?.to_owned();
        if !self.roots.contains(&anchor) {
            self.roots.push(anchor);
        }
        Ok(())
    }
}

impl fmt::Debug for ChainVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainVerifierBuilder")
            .field("algorithms", &self.algorithms.len())
            .field("roots", &self.roots.len())
            .field("send_authorities", &self.send_authorities)
            .finish_non_exhaustive()
    }
}

/// The subject of `root` as a DER-encoded `Name`; the anchor holds its content only.
fn subject(root: &TrustAnchor<'_>) -> Vec<u8> {
    AnyRef::new(Tag::Sequence, &root.subject)
        .and_then(|name| name.to_der())
        .expect("a name that was inside a certificate fits into a SEQUENCE")
}

/// Roots do not make a [`ChainVerifier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootsError {
    /// A certificate cannot serve as a root.
    Unusable {
        /// Its place among those given, from 0.
        index: usize,
        /// Its fingerprint.
        fingerprint: Fingerprint,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// There are none.
    None,
}

impl fmt::Display for RootsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable { index, fingerprint, fault: CertificateFault::Unsupported } => {
                write!(f, "root certificate {} ({fingerprint}) is of an unsupported kind", index + 1)
            }
            Self::Unusable { index, fingerprint, .. } => {
                write!(f, "root certificate {} ({fingerprint}) cannot be read", index + 1)
            }
            Self::None => f.write_str("no root certificates to trust"),
        }
    }
}

impl std::error::Error for RootsError {}
