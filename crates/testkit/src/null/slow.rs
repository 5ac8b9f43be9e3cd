//! Signers and verifiers that answer later: as soon as somebody runs the future they give.

use std::fmt;
use std::sync::Arc;

use gramseal_proto::config::{PeerVerifier, Presented, Verdict};
use gramseal_proto::crypto::{CryptoError, Deferrable, SecureRandom, SigningKey};
use gramseal_wire::{CertificateType, SignatureScheme};
use pki_types::SubjectPublicKeyInfoDer;

/// Makes what answers at once answer later.
#[derive(Clone)]
pub struct Slow<T: ?Sized>(pub Arc<T>);

impl<T: fmt::Debug + ?Sized> fmt::Debug for Slow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slow").field(&&self.0).finish()
    }
}

/// The value of what answers at once, later.
fn later<T: Send + 'static>(value: Deferrable<T>) -> Deferrable<T> {
    let value = value.now().expect("what is made slow answers at once");
    Deferrable::later(async move { value })
}

impl<K: SigningKey + ?Sized> SigningKey for Slow<K> {
    fn schemes(&self) -> &[SignatureScheme] {
        self.0.schemes()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        later(self.0.sign(scheme, message, random))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }
}

impl<V: PeerVerifier + ?Sized> PeerVerifier for Slow<V> {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        later(self.0.verify(presented))
    }

    fn certificate_types(&self) -> &[CertificateType] {
        self.0.certificate_types()
    }

    fn wants_ocsp_response(&self) -> bool {
        self.0.wants_ocsp_response()
    }

    fn session_context(&self) -> Option<Vec<u8>> {
        self.0.session_context()
    }

    fn authorities(&self) -> &[Vec<u8>] {
        self.0.authorities()
    }
}
