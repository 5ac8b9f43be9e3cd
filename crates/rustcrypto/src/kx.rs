//! Elliptic-curve key agreement: x25519 and the NIST curves (RFC 8422, RFC 7748).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use gramseal_proto::crypto::{ActiveKx, CryptoError, KxError, KxGroup, SecureRandom, SharedSecret};
use gramseal_wire::NamedGroup;
use p256::elliptic_curve::ecdh::EphemeralSecret;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize, Generate as _, PublicKey};
use x25519_dalek::{PublicKey as XPublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::random::{Source, fill_secret};

/// x25519.
pub static X25519: &dyn KxGroup = &Montgomery;

/// secp256r1, also called P-256.
pub static SECP256R1: &dyn KxGroup = &Weierstrass::<p256::NistP256>::new(NamedGroup::SECP256R1);

/// secp384r1, also called P-384.
pub static SECP384R1: &dyn KxGroup = &Weierstrass::<p384::NistP384>::new(NamedGroup::SECP384R1);

/// secp521r1, also called P-521.
pub static SECP521R1: &dyn KxGroup = &Weierstrass::<p521::NistP521>::new(NamedGroup::SECP521R1);

#[derive(Debug)]
struct Montgomery;

impl KxGroup for Montgomery {
    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_secret(random, bytes.as_mut())?;
        let private = StaticSecret::from(*bytes);
        let public = XPublicKey::from(&private);
        Ok(Box::new(ActiveMontgomery { private, public }))
    }
}

/// The private key is a "static" one only in the library's words: those it calls ephemeral cannot
/// be made with a random source that may fail.
struct ActiveMontgomery {
    private: StaticSecret,
    public: XPublicKey,
}

impl ActiveKx for ActiveMontgomery {
    fn public_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| KxError::InvalidShare)?;
        let secret = self.private.diffie_hellman(&XPublicKey::from(peer));
        // RFC 7748 §6.1, RFC 8422 §5.11: an all-zero result comes from a point of small order.
        if !secret.was_contributory() {
            return Err(KxError::InvalidShare);
        }
        Ok(SharedSecret::new(secret.as_bytes().to_vec()))
    }
}

struct Weierstrass<C> {
    name: NamedGroup,
    curve: PhantomData<fn() -> C>,
}

impl<C> Weierstrass<C> {
    const fn new(name: NamedGroup) -> Self {
        Self { name, curve: PhantomData }
    }
}

impl<C> fmt::Debug for Weierstrass<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Weierstrass").field(&self.name).finish()
    }
}

impl<C> KxGroup for Weierstrass<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn name(&self) -> NamedGroup {
        self.name
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        let private =
            EphemeralSecret::<C>::try_generate_from_rng(&mut Source(random)).map_err(|_| CryptoError::new())?;
        let public = private.public_key().as_affine().to_sec1_point(false).as_bytes().to_vec();
        Ok(Box::new(ActiveWeierstrass { private, public }))
    }
}

struct ActiveWeierstrass<C: CurveArithmetic> {
    private: EphemeralSecret<C>,
    public: Vec<u8>,
}

/// First byte of the only point format of RFC 8422 §5.4.1.
const UNCOMPRESSED: u8 = 4;

impl<C> ActiveKx for ActiveWeierstrass<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        // The library reads compressed points too; a share is none.
        if peer.len() != self.public.len() || peer.first() != Some(&UNCOMPRESSED) {
            return Err(KxError::InvalidShare);
        }
        // Points off the curve are refused in here; a curve of prime order has none of small order.
        let peer = PublicKey::<C>::from_sec1_bytes(peer).map_err(|_| KxError::InvalidShare)?;
        Ok(SharedSecret::new(self.private.diffie_hellman(&peer).raw_secret_bytes().to_vec()))
    }
}
