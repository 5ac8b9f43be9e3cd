//! ML-KEM beside elliptic curves (FIPS 203, draft-ietf-tls-ecdhe-mlkem).

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_proto::crypto::{
    ActiveKx, CryptoError, HybridGroup, KxError, KxGroup, SecureRandom, ShareLengths, SharedSecret,
};
use gramseal_wire::NamedGroup;
use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use ml_kem::{B32, Decapsulate as _, Key, KeyExport as _, Seed};
use zeroize::{Zeroize as _, Zeroizing};

use crate::kx::{SECP256R1, X25519};
use crate::random::fill_secret;

/// ML-KEM-768 and x25519.
pub static X25519MLKEM768: &dyn KxGroup =
    &HybridGroup::new(NamedGroup::X25519MLKEM768, [MLKEM768, X25519], ShareLengths::ML_KEM_768);

/// secp256r1 and ML-KEM-768.
pub static SECP256R1MLKEM768: &dyn KxGroup =
    &HybridGroup::new(NamedGroup::SECP256R1MLKEM768, [SECP256R1, MLKEM768], ShareLengths::SECP256R1);

/// ML-KEM-768 alone (draft-ietf-tls-mlkem), in no list here: add it to the `groups` of a
/// [`CryptoProvider`](gramseal_proto::crypto::CryptoProvider) to be able to name it.
pub static MLKEM768: &dyn KxGroup = &MlKem768;

#[derive(Debug)]
struct MlKem768;

impl KxGroup for MlKem768 {
    fn name(&self) -> NamedGroup {
        NamedGroup::MLKEM768
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        let mut seed = Zeroizing::new(Seed::default());
        fill_secret(random, &mut seed)?;
        let private = DecapsulationKey::from_seed(*seed);
        let public = private.encapsulation_key().to_bytes().to_vec();
        Ok(Box::new(ActiveMlKem { private, public }))
    }

    fn answer(&self, random: &dyn SecureRandom, peer: &[u8]) -> Result<(Vec<u8>, SharedSecret), KxError> {
        let peer: &Key<EncapsulationKey> = peer.try_into().map_err(|_| KxError::InvalidShare)?;
        // FIPS 203 §7.2: numbers that are not below the modulus are refused in here.
        let peer = EncapsulationKey::new(peer).map_err(|_| KxError::InvalidShare)?;
        let mut message = Zeroizing::new(B32::default());
        fill_secret(random, &mut message)?;
        let (ciphertext, mut secret) = peer.encapsulate_deterministic(&message);
        let shared = SharedSecret::new(secret.to_vec());
        secret.zeroize();
        Ok((ciphertext.to_vec(), shared))
    }
}

struct ActiveMlKem {
    private: DecapsulationKey,
    public: Vec<u8>,
}

impl ActiveKx for ActiveMlKem {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        let peer: &Ciphertext = peer.try_into().map_err(|_| KxError::InvalidShare)?;
        // A ciphertext that does not fit the key gives a secret that nobody knows (FIPS 203 §7.3).
        let mut secret = self.private.decapsulate(peer);
        let shared = SharedSecret::new(secret.to_vec());
        secret.zeroize();
        Ok(shared)
    }
}
