//! ML-KEM beside elliptic curves (FIPS 203, draft-ietf-tls-ecdhe-mlkem).

use aws_lc_rs::kem::{self, Ciphertext, DecapsulationKey, EncapsulationKey};
use gramseal_proto::crypto::{
    ActiveKx, CryptoError, HybridGroup, KxError, KxGroup, SecureRandom, ShareLengths, SharedSecret,
};
use gramseal_wire::NamedGroup;

use crate::kx::{SECP256R1, X25519};

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

    fn start(&self, _random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        let private = DecapsulationKey::generate(&kem::ML_KEM_768).map_err(|_| CryptoError::new())?;
        let public =
            private.encapsulation_key().and_then(|public| public.key_bytes()).map_err(|_| CryptoError::new())?;
        Ok(Box::new(ActiveMlKem { private, public: public.as_ref().to_vec() }))
    }

    fn answer(&self, _random: &dyn SecureRandom, peer: &[u8]) -> Result<(Vec<u8>, SharedSecret), KxError> {
        // Reading checks the length; the rest of what FIPS 203 §7.2 wants is checked when the key is used, and
        // nothing else can fail then.
        let peer = EncapsulationKey::new(&kem::ML_KEM_768, peer).map_err(|_| KxError::InvalidShare)?;
        let (ciphertext, secret) = peer.encapsulate().map_err(|_| KxError::InvalidShare)?;
        Ok((ciphertext.as_ref().to_vec(), SharedSecret::new(secret.as_ref().to_vec())))
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
        if peer.len() != ShareLengths::ML_KEM_768.answer {
            return Err(KxError::InvalidShare);
        }
        // A ciphertext that does not fit the key gives a secret that nobody knows (FIPS 203 §7.3).
        let secret = self.private.decapsulate(Ciphertext::from(peer)).map_err(|_| KxError::Failed)?;
        Ok(SharedSecret::new(secret.as_ref().to_vec()))
    }
}
