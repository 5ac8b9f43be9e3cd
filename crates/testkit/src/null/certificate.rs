//! Toy certificates: a name, a public key and padding. Nobody signs them.

use gramseal_proto::CertificateFault;
use gramseal_proto::config::{PeerCredential, PeerRole, PeerVerified, PeerVerifier, Presented, Verdict};
use gramseal_proto::crypto::Deferrable;
use gramseal_wire::{CertificateType, SignatureScheme};
use pki_types::CertificateDer;

use super::sign::NullKey;

const MAGIC: &[u8; 8] = b"NULLCERT";

/// A certificate for `name` and `key`, padded to `len` bytes if it would be shorter.
///
/// # Panics
/// If `name` has more than 65,535 bytes.
#[must_use]
pub fn certificate(name: &str, key: &NullKey, len: usize) -> CertificateDer<'static> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(key.to_bytes());
    bytes.extend(u16::try_from(name.len()).expect("a name of at most 65,535 bytes").to_be_bytes());
    bytes.extend(name.as_bytes());
    bytes.resize(bytes.len().max(len), 0xEE);
    CertificateDer::from(bytes)
}

/// Believes every toy certificate that has the right name.
#[derive(Debug, Default)]
pub struct NullVerifier {
    client_name: Option<String>,
    refuse: Option<CertificateFault>,
    authorities: Vec<Vec<u8>>,
    forms: Option<Vec<CertificateType>>,
    staple: Option<Vec<u8>>,
    schemes: Vec<SignatureScheme>,
}

impl NullVerifier {
    /// Believes clients only if their certificate is for `name`. Otherwise any name will do.
    #[must_use]
    pub fn with_client_name(mut self, name: &str) -> Self {
        self.client_name = Some(name.to_owned());
        self
    }

    /// Refuses everybody because of `fault`.
    #[must_use]
    pub fn refusing(mut self, fault: CertificateFault) -> Self {
        self.refuse = Some(fault);
        self
    }

    /// Takes credentials of these forms only. A raw public key has no name to be wrong.
    #[must_use]
    pub fn with_forms(mut self, forms: &[CertificateType]) -> Self {
        self.forms = Some(forms.to_vec());
        self
    }

    /// Wants servers to staple just this.
    #[must_use]
    pub fn with_staple(mut self, response: &[u8]) -> Self {
        self.staple = Some(response.to_vec());
        self
    }

    /// Names `authorities` in CertificateRequest.
    #[must_use]
    pub fn with_authorities(mut self, authorities: Vec<Vec<u8>>) -> Self {
        self.authorities = authorities;
        self
    }

    /// Says that it checks signatures of `schemes` in certificates.
    #[must_use]
    pub fn with_certificate_schemes(mut self, schemes: &[SignatureScheme]) -> Self {
        self.schemes = schemes.to_vec();
        self
    }
}

impl NullVerifier {
    fn check(&self, presented: &Presented<'_>) -> Verdict {
        if let Some(fault) = self.refuse {
            return Err(fault);
        }
        let end_entity = match presented.credential {
            PeerCredential::Chain { end_entity, .. } => end_entity,
            PeerCredential::RawPublicKey(key) => {
                let (key, _) = NullKey::split_from(key).ok_or(CertificateFault::BadEncoding)?;
                return Ok(PeerVerified::assertion(key.public()));
            }
        };
        let (name, key) = read(end_entity).ok_or(CertificateFault::BadEncoding)?;
        if self.staple.as_deref().is_some_and(|expected| expected != presented.ocsp_response) {
            return Err(CertificateFault::Refused);
        }
        let right = match presented.role {
            PeerRole::Server(expected) => name == expected.to_str(),
            PeerRole::Client => self.client_name.as_deref().is_none_or(|expected| name == expected),
        };
        if right { Ok(PeerVerified::assertion(key.public())) } else { Err(CertificateFault::NameMismatch) }
    }
}

impl PeerVerifier for NullVerifier {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        self.check(presented).into()
    }

    fn certificate_types(&self) -> &[CertificateType] {
        self.forms.as_deref().unwrap_or(&[CertificateType::X509])
    }

    fn wants_ocsp_response(&self) -> bool {
        self.staple.is_some()
    }

    fn authorities(&self) -> &[Vec<u8>] {
        &self.authorities
    }

    fn certificate_schemes(&self) -> &[SignatureScheme] {
        &self.schemes
    }
}

fn read<'a>(certificate: &'a CertificateDer<'_>) -> Option<(&'a str, NullKey)> {
    let (key, rest) = NullKey::split_from(certificate.strip_prefix(MAGIC)?)?;
    let (len, rest) = rest.split_first_chunk()?;
    let name = rest.get(..usize::from(u16::from_be_bytes(*len)))?;
    Some((std::str::from_utf8(name).ok()?, key))
}

#[cfg(test)]
mod tests {
    use pki_types::ServerName;

    use super::super::ToyKind;
    use super::*;

    fn verdict(
        verifier: &NullVerifier,
        certificate: &CertificateDer<'_>,
        role: PeerRole<'_>,
    ) -> Option<CertificateFault> {
        verifier.check(&Presented::chain(certificate, &[], role)).err()
    }

    #[test]
    fn names_are_checked_and_faults_can_be_asked_for() {
        let certificate = certificate("a.example", &NullKey::new(ToyKind::Rsa, 1), 3000);
        assert_eq!(certificate.len(), 3000);
        let (a, b) = (ServerName::try_from("a.example").unwrap(), ServerName::try_from("b.example").unwrap());
        let plain = NullVerifier::default();
        assert_eq!(verdict(&plain, &certificate, PeerRole::Server(&a)), None);
        assert_eq!(verdict(&plain, &certificate, PeerRole::Server(&b)), Some(CertificateFault::NameMismatch));
        assert_eq!(verdict(&plain, &certificate, PeerRole::Client), None);
        let junk = CertificateDer::from(vec![0; 9]);
        assert_eq!(verdict(&plain, &junk, PeerRole::Client), Some(CertificateFault::BadEncoding));
        let picky = NullVerifier::default().with_client_name("b.example");
        assert_eq!(verdict(&picky, &certificate, PeerRole::Client), Some(CertificateFault::NameMismatch));
        let refusing = NullVerifier::default().refusing(CertificateFault::Expired);
        assert_eq!(verdict(&refusing, &certificate, PeerRole::Client), Some(CertificateFault::Expired));
    }
}
