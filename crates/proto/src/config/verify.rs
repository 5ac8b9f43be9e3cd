//! Deciding whether a peer is who it should be.

use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::{CertificateType, SignatureScheme};
use pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer};

use crate::crypto::{Deferrable, PublicKey};
use crate::error::CertificateFault;

/// What a peer presented to prove who it is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Presented<'a> {
    /// Its certificates, or its key without any.
    pub credential: PeerCredential<'a>,
    /// The role it plays.
    pub role: PeerRole<'a>,
    /// The DER `OCSPResponse` that a server stapled to its certificate (RFC 6066 §8); empty if there
    /// is none. Nothing of it has been checked.
    pub ocsp_response: &'a [u8],
}

impl<'a> Presented<'a> {
    /// A chain. For the handshake, for tests of verifiers, and for code that checks certificates
    /// elsewhere.
    #[must_use]
    pub fn chain(
        end_entity: &'a CertificateDer<'a>,
        intermediates: &'a [CertificateDer<'a>],
        role: PeerRole<'a>,
    ) -> Self {
        Self { credential: PeerCredential::Chain { end_entity, intermediates }, role, ocsp_response: &[] }
    }

    /// A raw public key.
    #[must_use]
    pub fn raw_public_key(key: &'a SubjectPublicKeyInfoDer<'a>, role: PeerRole<'a>) -> Self {
        Self { credential: PeerCredential::RawPublicKey(key), role, ocsp_response: &[] }
    }

    /// With a stapled OCSP response.
    #[must_use]
    pub fn with_ocsp_response(mut self, ocsp_response: &'a [u8]) -> Self {
        self.ocsp_response = ocsp_response;
        self
    }
}

/// The form in which a peer shows its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a verifier must decide about every form; there are two")]
pub enum PeerCredential<'a> {
    /// A certificate chain.
    Chain {
        /// The peer's own certificate.
        end_entity: &'a CertificateDer<'a>,
        /// The rest of its chain, in the order it was sent.
        intermediates: &'a [CertificateDer<'a>],
    },
    /// A raw public key (RFC 7250): only comes to verifiers whose
    /// [`certificate_types`](PeerVerifier::certificate_types) list it.
    RawPublicKey(&'a SubjectPublicKeyInfoDer<'a>),
}

/// The role of the peer whose certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a verifier must decide for every role; there are two")]
pub enum PeerRole<'a> {
    /// A server that should have this name.
    Server(&'a ServerName<'a>),
    /// A client.
    Client,
}

/// A peer passed verification and has this public key.
///
/// Only a [`PeerVerifier`] makes this value, and a handshake cannot go on without one.
#[derive(Debug, Clone)]
pub struct PeerVerified {
    public_key: PublicKey,
}

impl PeerVerified {
    /// The caller has checked that the holder of `public_key` may be the peer.
    #[must_use]
    pub fn assertion(public_key: PublicKey) -> Self {
        Self { public_key }
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// What a [`PeerVerifier`] says.
pub type Verdict = Result<PeerVerified, CertificateFault>;

/// A rule that accepts or refuses peers.
///
/// The `gramseal-webpki` crate has the usual ones: chains to given roots, fingerprints, raw keys.
pub trait PeerVerifier: Send + Sync + fmt::Debug {
    /// Checks what the peer presented. That the peer holds the private key is checked elsewhere.
    ///
    /// A rule that has to ask somebody first answers later: the handshake waits. It copies what it
    /// needs of `presented`.
    ///
    /// # Errors
    /// Why the peer is refused; the alert follows from it.
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict>;

    /// The forms of credential to accept, most preferred first (RFC 7250). X.509 certificates
    /// unless it says otherwise.
    fn certificate_types(&self) -> &[CertificateType] {
        &[CertificateType::X509]
    }

    /// Whether servers are asked to staple an OCSP response to their certificate (RFC 6066 §8).
    fn wants_ocsp_response(&self) -> bool {
        false
    }

    /// Names of acceptable authorities, DER-encoded, that a server sends in its CertificateRequest, and a
    /// client in its hello if it is told to; may be empty (RFC 5246 §7.4.4, RFC 9846 §4.3.4).
    fn authorities(&self) -> &[Vec<u8>] {
        &[]
    }

    /// The schemes of the signatures in certificates that it can check, most preferred first. Peers are told
    /// of them where they are others than those that the provider verifies handshakes with
    /// (`signature_algorithms_cert`, RFC 9846 §4.3.3). Empty, the default: the same.
    fn certificate_schemes(&self) -> &[SignatureScheme] {
        &[]
    }

    /// Bytes that stand for the rule: verifiers with the same bytes accept the same peers. A resumed
    /// session does not show its certificates again, so it is resumed only where the rule is the same as
    /// in its full handshake. `None`, the default: no other configuration has this rule.
    fn session_context(&self) -> Option<Vec<u8>> {
        None
    }
}
