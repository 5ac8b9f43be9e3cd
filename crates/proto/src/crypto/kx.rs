//! Key exchange: named groups, and the finite-field exchange of DTLS 1.2.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::NamedGroup;
use zeroize::Zeroizing;

use super::{CryptoError, SecureRandom};

/// What both sides computed; wiped when dropped, never shown.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// Takes over the result of a key agreement.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The same number without its leading zero bytes, as the finite-field exchange of 1.2 wants
    /// it (RFC 5246 §8.1.2).
    #[must_use]
    pub fn without_leading_zeros(&self) -> &[u8] {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        self.0.get(zeros..).unwrap_or_default()
    }
}

impl AsRef<[u8]> for SharedSecret {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedSecret({} bytes)", self.0.len())
    }
}

/// Why no secret came of a peer's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KxError {
    /// It is no share of this group: the peer is at fault.
    InvalidShare,
    /// The random source or the library failed: we are.
    Failed,
}

impl From<CryptoError> for KxError {
    fn from(_: CryptoError) -> Self {
        Self::Failed
    }
}

impl fmt::Display for KxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidShare => "the share is not valid in its group",
            Self::Failed => "the key exchange failed",
        })
    }
}

impl core::error::Error for KxError {}

/// A named group of a provider: Diffie-Hellman, a key encapsulation mechanism, or both
/// ([`HybridGroup`](super::HybridGroup)).
///
/// Whoever speaks first calls [`start`](Self::start) and, with the other side's share,
/// [`ActiveKx::complete`]; whoever has the other side's share already calls [`answer`](Self::answer).
/// A mechanism of encapsulation needs the two to do different things, and so works in 1.3 alone, where the
/// client speaks first: a 1.2 server of ours starts with its share, and never takes such a group.
pub trait KxGroup: Send + Sync + fmt::Debug {
    /// Which group this is.
    fn name(&self) -> NamedGroup;

    /// Makes an ephemeral key pair, whose public half is our share.
    ///
    /// # Errors
    /// If the random source fails.
    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError>;

    /// Answers the share of a peer that started: our share to send, and the secret.
    ///
    /// As it stands it is for Diffie-Hellman, where an answer is a share like any other; a group with
    /// encapsulation has to bring its own.
    ///
    /// # Errors
    /// [`KxError::InvalidShare`] if `peer` is not a valid share of this group, [`KxError::Failed`] if the random
    /// source or the library fails.
    fn answer(&self, random: &dyn SecureRandom, peer: &[u8]) -> Result<(Vec<u8>, SharedSecret), KxError> {
        let ours = self.start(random)?;
        let share = ours.public_key().to_vec();
        Ok((share, ours.complete(peer)?))
    }
}

/// Our half of a key exchange that waits for the peer's answer.
pub trait ActiveKx: Send + Sync {
    /// Our share, encoded as the group wants it on the wire.
    fn public_key(&self) -> &[u8];

    /// Computes the secret from the peer's share and consumes the private key.
    ///
    /// # Errors
    /// [`KxError::InvalidShare`] if `peer` is not a valid share of this group: wrong length, not on the curve,
    /// of small order, an all-zero result (RFC 7748 §6.1), out of range (RFC 7919 §5.1).
    /// [`KxError::Failed`] if the library fails.
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError>;
}

/// The group of a finite-field exchange as a 1.2 server sends it: big-endian, of any origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a group of this kind is these two numbers")]
pub struct FiniteFieldParams<'a> {
    /// The prime modulus.
    pub p: &'a [u8],
    /// The generator.
    pub g: &'a [u8],
}

/// Why a server's finite-field group was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParamsRejected {
    /// The modulus has fewer than 2048 bits.
    TooSmall,
    /// The modulus has more than 8192 bits.
    TooLarge,
    /// The modulus is not a safe prime as far as was checked, or the generator is out of range.
    Unsafe,
    /// The peer's public value is out of range, or the random source failed.
    BadPublicValue,
}

/// The client's side of a finite-field exchange: our public value and the secret.
pub struct FiniteFieldExchange {
    /// Our public value, as long as the modulus.
    pub public: Vec<u8>,
    /// The shared number, as long as the modulus.
    pub secret: SharedSecret,
}

impl fmt::Debug for FiniteFieldExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiniteFieldExchange").finish_non_exhaustive()
    }
}

/// Finite-field Diffie-Hellman in groups that the server chose (RFC 5246 §7.4.3).
pub trait FiniteFieldDh: Send + Sync + fmt::Debug {
    /// Checks the group and `peer`, the server's public value, and answers them.
    ///
    /// # Errors
    /// [`ParamsRejected`] says which check failed.
    fn exchange(
        &self,
        params: FiniteFieldParams<'_>,
        peer: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<FiniteFieldExchange, ParamsRejected>;

    /// The parameters of an RFC 7919 group, for a server to send; `None` if `group` is not one.
    fn params(&self, group: NamedGroup) -> Option<FiniteFieldParams<'static>>;
}

#[cfg(test)]
mod tests {
    use super::SharedSecret;
    use crate::crypto::assert_wiped;

    #[test]
    fn the_shared_secret_is_wiped_when_dropped() {
        assert_wiped(|secret: &SharedSecret| &secret.0);
    }
}
