//! Trust in public keys named beforehand, without certificates around them (RFC 7250).

use std::sync::Arc;

use gramseal_proto::CertificateFault;
use gramseal_proto::config::{PeerCredential, PeerVerified, PeerVerifier, Presented, Verdict};
use gramseal_proto::crypto::Deferrable;
use gramseal_proto::wire::CertificateType;

use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::key::public_key_of_raw;

/// Accepts the peers whose raw public key has one of the given fingerprints, in either role.
///
/// Nothing but the key counts: a raw key has no name, no validity and no issuer (RFC 7250 §4.3,
/// §4.4). Without any fingerprint nobody is accepted. Peers that show a certificate are refused,
/// unless [`or_certificates`](Self::or_certificates) says who judges them.
///
/// ```
/// use gramseal_webpki::{Fingerprint, RawPublicKeyVerifier};
/// use pki_types::SubjectPublicKeyInfoDer;
///
/// fn verifier(key: &SubjectPublicKeyInfoDer<'_>) -> RawPublicKeyVerifier {
///     RawPublicKeyVerifier::new([Fingerprint::of_public_key(key)])
/// }
/// ```
#[derive(Debug, Clone)]
pub struct RawPublicKeyVerifier {
    allowed: Vec<Fingerprint>,
    certificates: Option<Arc<dyn PeerVerifier>>,
    types: Vec<CertificateType>,
}

impl RawPublicKeyVerifier {
    /// Accepts keys with one of the `allowed` fingerprints; see [`Fingerprint::of_public_key`].
    #[must_use]
    pub fn new(allowed: impl IntoIterator<Item = Fingerprint>) -> Self {
        let types = vec![CertificateType::RAW_PUBLIC_KEY];
        Self { allowed: allowed.into_iter().collect(), certificates: None, types }
    }

    /// Lets peers show certificates too, which `verifier` judges. Raw keys are preferred.
    #[must_use]
    pub fn or_certificates(mut self, verifier: Arc<dyn PeerVerifier>) -> Self {
        self.types.truncate(1);
        self.types.extend(verifier.certificate_types().iter().filter(|kind| **kind != CertificateType::RAW_PUBLIC_KEY));
        self.certificates = Some(verifier);
        self
    }
}

impl PeerVerifier for RawPublicKeyVerifier {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        match (presented.credential, &self.certificates) {
            (PeerCredential::Chain { .. }, Some(verifier)) => verifier.verify(presented),
            (PeerCredential::Chain { .. }, None) => Err(CertificateFault::Unsupported).into(),
            // Not in constant time: public keys and their hashes are public.
            (PeerCredential::RawPublicKey(key), _) if self.allowed.contains(&Fingerprint::of_public_key(key)) => {
                public_key_of_raw(key).map(PeerVerified::assertion).into()
            }
            (PeerCredential::RawPublicKey(_), _) => Err(CertificateFault::UnknownKey).into(),
        }
    }

    fn certificate_types(&self) -> &[CertificateType] {
        &self.types
    }

    fn wants_ocsp_response(&self) -> bool {
        self.certificates.as_ref().is_some_and(|verifier| verifier.wants_ocsp_response())
    }

    fn session_context(&self) -> Option<Vec<u8>> {
        let context = Context::new("raw keys").with_set(self.allowed.iter().map(Fingerprint::as_bytes));
        match &self.certificates {
            Some(verifier) => Some(context.with(verifier.session_context()?).finish()),
            None => Some(context.finish()),
        }
    }

    fn authorities(&self) -> &[Vec<u8>] {
        self.certificates.as_ref().map_or(&[], |verifier| verifier.authorities())
    }
}
