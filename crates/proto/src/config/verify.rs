//! Deciding whether a peer is who it should be.

use alloc::vec::Vec;
use core::fmt;

use pki_types::{CertificateDer, ServerName};

use crate::crypto::PublicKey;
use crate::error::CertificateFault;

/// What a peer presented to prove who it is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Presented<'a> {
    /// The peer's own certificate.
    pub end_entity: &'a CertificateDer<'a>,
    /// The rest of its chain, in the order it was sent.
    pub intermediates: &'a [CertificateDer<'a>],
    /// The role it plays.
    pub role: PeerRole<'a>,
}

impl<'a> Presented<'a> {
    /// For tests of verifiers and for code that checks certificates outside a handshake.
    #[must_use]
    pub fn new(
        end_entity: &'a CertificateDer<'a>,
        intermediates: &'a [CertificateDer<'a>],
        role: PeerRole<'a>,
    ) -> Self {
        Self { end_entity, intermediates, role }
    }
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

/// A rule that accepts or refuses peers.
///
/// The `gramseal-webpki` crate has the usual ones: chains to given roots, fingerprints.
pub trait PeerVerifier: Send + Sync + fmt::Debug {
    /// Checks what the peer presented. That the peer holds the private key is checked elsewhere.
    ///
    /// # Errors
    /// Why the peer is refused; the alert follows from it.
    fn verify(&self, presented: &Presented<'_>) -> Result<PeerVerified, CertificateFault>;

    /// Names of acceptable authorities, DER-encoded, that a server sends in its
    /// CertificateRequest; may be empty (RFC 5246 §7.4.4).
    fn authorities(&self) -> &[Vec<u8>] {
        &[]
    }

    /// Bytes that stand for the rule: verifiers with the same bytes accept the same peers. A resumed
    /// session does not show its certificates again, so it is resumed only where the rule is the same as
    /// in its full handshake. `None`, the default: no other configuration has this rule.
    fn session_context(&self) -> Option<Vec<u8>> {
        None
    }
}
