//! An authority in a folder: `ca.pem`, with the authorities between it and its root below it, and
//! `ca.key`.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gramseal::pki_types::pem::PemObject;
use gramseal::pki_types::{CertificateDer, PrivateKeyDer};
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, Issuer, KeyIdMethod, KeyPair, PublicKeyData};
use x509_cert::Certificate;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::{Encode, Tag, Tagged};
use x509_cert::ext::pkix::{BasicConstraints, SubjectKeyIdentifier};
use x509_cert::name::Name;

use super::facts;
use super::files::Paths;
use crate::failure::Failure;
use crate::identity::not_made;
use crate::{output, private};

/// What an authority's files are called, without their endings.
pub(super) const STEM: &str = "ca";

/// Certificates begin to be valid so long ago: the clocks of test machines may be slow.
const BACKDATED: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// From when until when, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    from: Duration,
    until: Duration,
}

impl Validity {
    /// From now on, or a little earlier.
    pub(super) fn of_days(days: u32) -> Result<Self, Failure> {
        let now = now()?;
        Ok(Self { from: now.saturating_sub(BACKDATED), until: now + DAY * days })
    }

    /// Its end, in the form of RFC 3339.
    pub(super) fn end(self) -> String {
        facts::time_text(self.until)
    }

    fn apply(self, params: &mut CertificateParams) {
        let start = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = start + self.from;
        params.not_after = start + self.until;
    }
}

/// In whole seconds, as certificates count.
fn now() -> Result<Duration, Failure> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let since_1970 = since_1970.map_err(|_| Failure::usage("the system's clock stands before 1970"))?;
    Ok(Duration::from_secs(since_1970.as_secs()))
}

/// A certificate that was just made.
pub(super) struct Signed {
    pub(super) certificate: CertificateDer<'static>,
    /// PEM: the certificate, and the authorities between it and the root.
    pub(super) chain: String,
}

impl Signed {
    pub(super) fn by_itself(mut params: CertificateParams, validity: Validity, key: &KeyPair) -> Result<Self, Failure> {
        validity.apply(&mut params);
        let made = params.self_signed(key).map_err(not_made)?;
        Ok(Self { certificate: made.der().clone(), chain: made.pem() })
    }
}

/// Whoever has its private key.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Encoded.
    subject: Vec<u8>,
    validity: Validity,
    /// PEM: what a chain needs to lead to the root.
    above: String,
}

impl Authority {
    /// Reads what `gramseal cert ca` wrote, or other tools with files of these names.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let Paths { certificate, private_key, .. } = Paths::of(folder, STEM);
        let text = std::fs::read_to_string(&certificate).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::usage(format!(
                "{}: no authority is here (gramseal cert ca --out {} makes one)",
                certificate.display(),
                folder.display()
            )),
            _ => Failure::usage(error).at(&certificate),
        })?;
        private::exposed([&private_key]).for_each(output::warn);
        let key = PrivateKeyDer::from_pem_file(&private_key)
            .map_err(|error| Failure::usage(format!("no private key: {error}")).at(&private_key))?;
        let key = KeyPair::try_from(&key).map_err(|error| Failure::usage(error).at(&private_key))?;
        Self::new(text, key).map_err(|error| error.at(&certificate))
    }

    fn new(text: String, key: KeyPair) -> Result<Self, Failure> {
        let own = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|error| Failure::usage(format!("no certificate: {error}")))?;
        let parsed = facts::parse(&own).map_err(Failure::usage)?;
        let content = parsed.tbs_certificate();
        if encoded(content.subject_public_key_info())? != key.subject_public_key_info() {
            return Err(Failure::usage("the private key beside it does not belong to its first certificate"));
        }
        if !is_authority(&parsed) {
            return Err(Failure::usage("the first certificate is not an authority's"));
        }
        let until = content.validity().not_after.to_unix_duration();
        if until <= now()? {
            return Err(Failure::usage(format!("the authority's certificate ended {}", facts::time_text(until))));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = copied(content.subject()).ok_or_else(uncopied)?;
        if let Ok(Some((_, SubjectKeyIdentifier(identifier)))) = content.get_extension() {
            params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.as_bytes().to_vec());
        }
        let root = content.issuer() == content.subject();
        Ok(Self {
            issuer: Issuer::new(params, key),
            subject: encoded(content.subject())?,
            validity: Validity { from: content.validity().not_before.to_unix_duration(), until },
            // Peers have the root already, or do not trust it.
            above: if root { String::new() } else { text },
        })
    }

    /// `wanted`, but no longer than the authority itself is valid.
    pub(super) fn limit(&self, wanted: Validity) -> Validity {
        Validity { from: wanted.from.max(self.validity.from), until: wanted.until.min(self.validity.until) }
    }

    pub(super) fn sign(
        &self,
        mut params: CertificateParams,
        validity: Validity,
        key: &KeyPair,
    ) -> Result<Signed, Failure> {
        validity.apply(&mut params);
        // RFC 5280 §4.2.1.1: required of all but what signs itself.
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(key, &self.issuer).map_err(not_made)?;
        let parsed = facts::parse(made.der()).map_err(Failure::usage)?;
        let content = parsed.tbs_certificate();
        if content.issuer() == content.subject() {
            // Chains are built by names: it would look like a root.
            return Err(Failure::usage("the name is that of the authority above"));
        }
        // RFC 5280 §6.1.3: names are chained; not every form of a name survives the copy.
        if encoded(content.issuer())? != self.subject {
            return Err(uncopied());
        }
        Ok(Signed { certificate: made.der().clone(), chain: made.pem() + &self.above })
    }
}

/// RFC 5280 §4.2.1.9.
fn is_authority(certificate: &Certificate) -> bool {
    matches!(certificate.tbs_certificate().get_extension(), Ok(Some((_, BasicConstraints { ca: true, .. }))))
}

/// A name as `rcgen` writes names; `None` if it has parts that it does not.
fn copied(name: &Name) -> Option<DistinguishedName> {
    let mut copy = DistinguishedName::new();
    for part in name.iter_rdn() {
        let mut attributes = part.iter();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else { return None };
        let value = &attribute.value;
        let value = match value.tag() {
            Tag::Utf8String => DnValue::Utf8String(value.decode_as::<Utf8StringRef<'_>>().ok()?.as_str().to_owned()),
            Tag::PrintableString => {
                let text = value.decode_as::<PrintableStringRef<'_>>().ok()?;
                DnValue::PrintableString(text.as_str().try_into().ok()?)
            }
            Tag::Ia5String => DnValue::Ia5String(value.decode_as::<Ia5StringRef<'_>>().ok()?.as_str().try_into().ok()?),
            _ => return None,
        };
        let arcs: Vec<u64> = attribute.oid.arcs().map(u64::from).collect();
        copy.push(DnType::from_oid(&arcs), value);
    }
    Some(copy)
}

fn uncopied() -> Failure {
    Failure::usage("the authority's name has a form that cannot be copied into what it signs")
}

fn encoded(value: &impl Encode) -> Result<Vec<u8>, Failure> {
    value.to_der().map_err(Failure::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_copied_or_refused() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        assert!(copied(&name("CN=a,O=b,C=DE")).is_some());
        assert!(copied(&name("CN=a+OU=b")).is_none(), "two attributes in one part");
        let twice = copied(&name("OU=a,OU=b")).unwrap();
        assert_eq!(twice.iter().count(), 1, "which the comparison after signing notices");
    }
}
