//! What goes into a [`ChainVerifier`]: roots above all.
//!
//! Owns what can be wrong with the parts, found once, here; what can be wrong with a peer is found
//! in `chain`.

use std::fmt;
use std::sync::Arc;

use gramseal_proto::CertificateFault;
use pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use webpki::anchor_from_trusted_cert;

use crate::chain::{Algorithms, ChainVerifier, Clock};
use crate::crl::{CrlError, CrlPolicy, Crls};
use crate::fault::fault;
use crate::fingerprint::Fingerprint;
use crate::key::sequence;
use crate::ocsp::OcspPolicy;
use crate::schemes;

/// Makes a [`ChainVerifier`].
#[must_use]
pub struct ChainVerifierBuilder {
    algorithms: Algorithms,
    roots: Vec<TrustAnchor<'static>>,
    send_authorities: bool,
    crls: Crls,
    ocsp: OcspPolicy,
    clock: Option<Clock>,
}

impl ChainVerifierBuilder {
    pub(crate) fn new(algorithms: Algorithms) -> Self {
        Self {
            algorithms,
            roots: Vec::new(),
            send_authorities: true,
            crls: Crls::default(),
            ocsp: OcspPolicy::default(),
            clock: None,
        }
    }

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

    /// Refuses peers that are revoked by `crls`, in DER form, or whose authorities are. Lists given
    /// by several calls count together.
    ///
    /// [`with_crl_policy`](Self::with_crl_policy) says how strictly; at first, each certificate
    /// below the root must be covered by a list that is up to date (RFC 5280 §6.3). A list counts
    /// for the certificates of the authority that has its name and signed it. Of several for the
    /// same certificates the one issued last counts.
    ///
    /// Lists do not renew themselves. When new ones come, build a new verifier: connections that
    /// exist do not notice, but sessions from before are not resumed. Each verification checks the
    /// lists' signatures, which takes time in proportion to their size.
    ///
    /// # Errors
    /// [`CrlError`] for the first that cannot be used, and if there are none.
    pub fn with_crls<'a>(
        mut self,
        crls: impl IntoIterator<Item = CertificateRevocationListDer<'a>>,
    ) -> Result<Self, CrlError> {
        self.crls.add(crls)?;
        Ok(self)
    }

    /// How strictly revocation lists count; nothing without [`with_crls`](Self::with_crls).
    pub fn with_crl_policy(mut self, policy: CrlPolicy) -> Self {
        self.crls.policy = policy;
        self
    }

    /// Asks servers for a recent OCSP response that vouches for their certificate (RFC 6066 §8); at
    /// first, none is asked for.
    ///
    /// A response counts if the certificate's issuer signed it, or a responder that the issuer
    /// appointed (RFC 6960 §4.2.2.2), and from its `thisUpdate` to its `nextUpdate`, with five
    /// minutes of tolerance for clocks that differ; one without `nextUpdate` counts for a day. The
    /// authorities on the way to the root are not covered: see [`with_crls`](Self::with_crls), which
    /// is independent of this. Whether a responder is revoked itself, only such lists can tell (RFC
    /// 6960 §4.2.2.2.1), unless its certificate says that nobody need check.
    ///
    /// Clients cannot staple in DTLS 1.2, so a server that uses [`OcspPolicy::Required`] refuses
    /// every client.
    pub fn with_ocsp(mut self, policy: OcspPolicy) -> Self {
        self.ocsp = policy;
        self
    }

    /// Takes the time from `clock` instead of the system's.
    pub fn with_clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
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
                let name = sequence(&root.subject);
                if !authorities.contains(&name) {
                    authorities.push(name);
                }
            }
        }
        Ok(ChainVerifier {
            algorithms: self.algorithms,
            schemes: schemes::verified_by(self.algorithms),
            roots: self.roots,
            authorities,
            crls: self.crls,
            ocsp: self.ocsp,
            clock: self.clock,
        })
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
            .field("crls", &self.crls.len())
            .field("ocsp", &self.ocsp)
            .finish_non_exhaustive()
    }
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
