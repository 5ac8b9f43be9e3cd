//! Verification that does not verify. Named so that it stands out in a review.

use gramseal_proto::CertificateFault;
use gramseal_proto::config::{PeerCredential, PeerVerified, PeerVerifier, Presented, Verdict};
use gramseal_proto::crypto::Deferrable;

use crate::context::Context;
use crate::key::public_key_of;

/// Accepts every peer whose certificate can be read.
///
/// The handshake still proves that the peer holds the key of its certificate, so a passive
/// listener learns nothing. Anybody on the path can pose as the peer, though. For experiments, and
/// for applications that look at the certificate after the handshake.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to configure")]
pub struct AcceptAnyCertificate;

impl PeerVerifier for AcceptAnyCertificate {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        let key = match presented.credential {
            PeerCredential::Chain { end_entity, .. } => public_key_of(end_entity),
            PeerCredential::RawPublicKey(_) => Err(CertificateFault::Unsupported),
        };
        key.map(PeerVerified::assertion).into()
    }

    fn session_context(&self) -> Option<Vec<u8>> {
        Some(Context::new("any").finish())
    }
}
