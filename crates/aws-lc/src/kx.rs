//! Elliptic-curve key agreement: x25519 and the NIST curves (RFC 8422, RFC 7748).

use aws_lc_rs::agreement::{self, EphemeralPrivateKey, PublicKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;
use gramseal_proto::crypto::{ActiveKx, CryptoError, KxError, KxGroup, SecureRandom, SharedSecret};
use gramseal_wire::NamedGroup;

/// x25519.
pub static X25519: &dyn KxGroup =
    &Curve { name: NamedGroup::X25519, algorithm: &agreement::X25519, share: Share { len: 32, first_byte: None } };

/// secp256r1, also called P-256.
pub static SECP256R1: &dyn KxGroup =
    &Curve { name: NamedGroup::SECP256R1, algorithm: &agreement::ECDH_P256, share: Share::uncompressed(32) };

/// secp384r1, also called P-384.
pub static SECP384R1: &dyn KxGroup =
    &Curve { name: NamedGroup::SECP384R1, algorithm: &agreement::ECDH_P384, share: Share::uncompressed(48) };

/// secp521r1, also called P-521.
pub static SECP521R1: &dyn KxGroup =
    &Curve { name: NamedGroup::SECP521R1, algorithm: &agreement::ECDH_P521, share: Share::uncompressed(66) };

#[derive(Debug)]
struct Curve {
    name: NamedGroup,
    algorithm: &'static agreement::Algorithm,
    share: Share,
}

/// How a share looks on the wire.
#[derive(Debug, Clone, Copy)]
struct Share {
    len: usize,
    first_byte: Option<u8>,
}

impl Share {
    /// The only point format of RFC 8422 §5.4.1; `field_len` is in bytes.
    const fn uncompressed(field_len: usize) -> Self {
        Self { len: 1 + 2 * field_len, first_byte: Some(4) }
    }

    /// The library reads compressed points and whole certificates' keys too; a share is neither.
    fn admits(self, share: &[u8]) -> bool {
        share.len() == self.len && (self.first_byte.is_none() || share.first().copied() == self.first_byte)
    }
}

impl KxGroup for Curve {
    fn name(&self) -> NamedGroup {
        self.name
    }

    fn start(&self, _random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        let private =
            EphemeralPrivateKey::generate(self.algorithm, &SystemRandom::new()).map_err(|_| CryptoError::new())?;
        let public = private.compute_public_key().map_err(|_| CryptoError::new())?;
        Ok(Box::new(Active { private, public, algorithm: self.algorithm, share: self.share }))
    }
}

struct Active {
    private: EphemeralPrivateKey,
    public: PublicKey,
    algorithm: &'static agreement::Algorithm,
    share: Share,
}

impl ActiveKx for Active {
    fn public_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        if !self.share.admits(peer) {
            return Err(KxError::InvalidShare);
        }
        let peer = UnparsedPublicKey::new(self.algorithm, peer);
        // Points off the curve and all-zero results (RFC 7748 §6.1) are refused in here.
        agree_ephemeral(self.private, peer, KxError::InvalidShare, |secret| Ok(SharedSecret::new(secret.to_vec())))
    }
}
