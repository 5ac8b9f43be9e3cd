//! What a certificate or a key says, for people and as JSON.
//!
//! Everything comes from whoever made the certificate: text reaches nobody with its control
//! characters, and an extension that cannot be read is left out.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gramseal::pki_types::CertificateDer;
use gramseal::webpki::Fingerprint;
use serde::Serialize;
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::oid::db::DB;
use x509_cert::der::{DateTime, Decode, Encode, Reader, SliceReader};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::hex;
use crate::output::printable;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// Names and bits of keys, by the curve (RFC 5480 §2.1.1.1) or the algorithm (RFC 8410 §3).
const CURVES: [(ObjectIdentifier, &str, usize); 5] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), "EC P-256", 256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), "EC P-384", 384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), "EC P-521", 521),
    (ObjectIdentifier::new_unwrap("1.3.101.112"), "Ed25519", 256),
    (ObjectIdentifier::new_unwrap("1.3.101.113"), "Ed448", 456),
];
/// In the order of the bits (RFC 5280 §4.2.1.3).
const KEY_USAGES: [(KeyUsages, &str); 9] = [
    (KeyUsages::DigitalSignature, "digitalSignature"),
    (KeyUsages::NonRepudiation, "nonRepudiation"),
    (KeyUsages::KeyEncipherment, "keyEncipherment"),
    (KeyUsages::DataEncipherment, "dataEncipherment"),
    (KeyUsages::KeyAgreement, "keyAgreement"),
    (KeyUsages::KeyCertSign, "keyCertSign"),
    (KeyUsages::CRLSign, "cRLSign"),
    (KeyUsages::EncipherOnly, "encipherOnly"),
    (KeyUsages::DecipherOnly, "decipherOnly"),
];

/// Takes a certificate apart.
pub(super) fn parse(certificate: &[u8]) -> Result<Certificate, String> {
    Certificate::from_der(certificate).map_err(|error| format!("the certificate is damaged: {error}"))
}

/// A moment after 1970, in the form of RFC 3339.
pub(super) fn time_text(since_1970: Duration) -> String {
    DateTime::from_unix_duration(since_1970).map_or_else(|_| "a time out of range".to_owned(), |time| time.to_string())
}

/// The hash of a public key with its algorithm (`SubjectPublicKeyInfo`), as text.
pub(super) fn fingerprint_of(public_key: &[u8]) -> String {
    Fingerprint::of(&CertificateDer::from(public_key)).to_string()
}

/// A certificate (RFC 5280 §4.1).
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CertificateFacts {
    /// RFC 4514.
    subject: String,
    issuer: String,
    /// Hexadecimal.
    serial: String,
    /// RFC 3339.
    not_before: String,
    not_after: String,
    validity: &'static str,
    names: Vec<String>,
    key: KeyFacts,
    key_usage: Option<Vec<&'static str>>,
    extended_key_usage: Option<Vec<String>>,
    ca: bool,
    path_length: Option<u8>,
    signature_algorithm: String,
    fingerprint: String,
}

/// A public key (RFC 5280 §4.1.2.7).
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct KeyFacts {
    kind: String,
    /// `None` for kinds that are not known.
    bits: Option<usize>,
    /// Of the key with its algorithm.
    fingerprint: String,
}

impl CertificateFacts {
    pub(super) fn read(certificate: &[u8]) -> Result<Self, String> {
        let parsed = parse(certificate)?;
        let content = parsed.tbs_certificate();
        let names = match content.get_extension::<SubjectAltName>() {
            Ok(Some((_, SubjectAltName(names)))) => names.iter().map(name_text).collect(),
            Ok(None) | Err(_) => Vec::new(),
        };
        let constraints =
            content.get_extension::<BasicConstraints>().ok().flatten().map(|(_, constraints)| constraints);
        let usage = content.get_extension::<KeyUsage>().ok().flatten();
        let purposes = content.get_extension::<ExtendedKeyUsage>().ok().flatten();
        let key = content.subject_public_key_info().to_der().map_err(|error| error.to_string())?;
        let (begin, end) = (content.validity().not_before, content.validity().not_after);
        Ok(Self {
            subject: printable(content.subject().to_string().as_bytes()),
            issuer: printable(content.issuer().to_string().as_bytes()),
            serial: serial(content.serial_number().as_bytes()),
            not_before: begin.to_date_time().to_string(),
            not_after: end.to_date_time().to_string(),
            validity: standing(begin.to_unix_duration(), end.to_unix_duration()),
            names,
            key: KeyFacts::read(&key)?,
            key_usage: usage.map(|(_, KeyUsage(set))| {
                KEY_USAGES.into_iter().filter(|(flag, _)| set.contains(*flag)).map(|(_, name)| name).collect()
            }),
            extended_key_usage: purposes.map(|(_, ExtendedKeyUsage(purposes))| purposes.iter().map(oid_text).collect()),
            ca: constraints.as_ref().is_some_and(|constraints| constraints.ca),
            path_length: constraints.and_then(|constraints| constraints.path_len_constraint),
            signature_algorithm: oid_text(&parsed.signature_algorithm().oid),
            fingerprint: Fingerprint::of(&CertificateDer::from(certificate)).to_string(),
        })
    }
}

impl KeyFacts {
    pub(super) fn read(public_key: &[u8]) -> Result<Self, String> {
        let damaged = |error: x509_cert::der::Error| format!("the public key is damaged: {error}");
        let info = SubjectPublicKeyInfoRef::from_der(public_key).map_err(damaged)?;
        let algorithm = info.algorithm.oid;
        let fingerprint = fingerprint_of(public_key);
        if algorithm == RSA {
            let bits = rsa_bits(info.subject_public_key.raw_bytes()).map_err(damaged)?;
            return Ok(Self { kind: "RSA".to_owned(), bits: Some(bits), fingerprint });
        }
        let curve = if algorithm == EC { info.algorithm.parameters_oid().unwrap_or(algorithm) } else { algorithm };
        Ok(match CURVES.iter().find(|(known, ..)| *known == curve) {
            Some((_, name, bits)) => Self { kind: (*name).to_owned(), bits: Some(*bits), fingerprint },
            None => Self { kind: oid_text(&curve), bits: None, fingerprint },
        })
    }
}

/// Bits of the modulus of an `RSAPublicKey` (RFC 8017 §A.1.1).
fn rsa_bits(key: &[u8]) -> x509_cert::der::Result<usize> {
    let mut reader = SliceReader::new(key)?;
    let modulus = reader.sequence(|fields| {
        let modulus: UintRef<'_> = fields.decode()?;
        let _exponent: UintRef<'_> = fields.decode()?;
        Ok::<_, x509_cert::der::Error>(modulus)
    })?;
    let unused = modulus.as_bytes().first().map_or(0, |byte| byte.leading_zeros() as usize);
    Ok(modulus.as_bytes().len() * 8 - unused)
}

fn standing(begin: Duration, end: Duration) -> &'static str {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if now < begin {
        "not yet valid"
    } else if now > end {
        "expired"
    } else {
        "valid"
    }
}

/// Without the zero that keeps a large number positive.
fn serial(bytes: &[u8]) -> String {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => hex::encode(rest),
        bytes => hex::encode(bytes),
    }
}

fn name_text(name: &GeneralName) -> String {
    let text = |kind: &str, text: &str| format!("{kind}:{}", printable(text.as_bytes()));
    match name {
        GeneralName::DnsName(name) => text("DNS", name.as_str()),
        GeneralName::Rfc822Name(name) => text("email", name.as_str()),
        GeneralName::UniformResourceIdentifier(name) => text("URI", name.as_str()),
        GeneralName::IpAddress(address) => text("IP", &address_text(address.as_bytes())),
        GeneralName::DirectoryName(name) => text("directory", &name.to_string()),
        GeneralName::RegisteredId(id) => text("id", &id.to_string()),
        GeneralName::OtherName(other) => text("other", &other.type_id.to_string()),
        GeneralName::EdiPartyName(_) => "EDI party".to_owned(),
    }
}

fn address_text(bytes: &[u8]) -> String {
    let address = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = address.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.map_or_else(|_| format!("0x{}", hex::encode(bytes)), |address| address.to_string())
}

/// The name that its standard gives it, without the prefix of its family; else its numbers.
fn oid_text(oid: &ObjectIdentifier) -> String {
    let name = DB.by_oid(oid).map(|name| name.trim_start_matches("id-").trim_start_matches("kp-").to_owned());
    name.unwrap_or_else(|| oid.to_string())
}

impl fmt::Display for CertificateFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: &[String]| if items.is_empty() { "-".to_owned() } else { items.join(", ") };
        writeln!(f, "  subject       {}", self.subject)?;
        writeln!(f, "  issuer        {}", self.issuer)?;
        writeln!(f, "  names         {}", list(&self.names))?;
        writeln!(f, "  valid from    {}", self.not_before)?;
        writeln!(f, "  valid until   {} ({})", self.not_after, self.validity)?;
        writeln!(f, "  serial        {}", self.serial)?;
        writeln!(f, "  key           {}", self.key.title())?;
        if let Some(usage) = &self.key_usage {
            writeln!(f, "  key usage     {}", usage.join(", "))?;
        }
        if let Some(purposes) = &self.extended_key_usage {
            writeln!(f, "  for           {}", purposes.join(", "))?;
        }
        match (self.ca, self.path_length) {
            (true, None) => writeln!(f, "  authority     yes")?,
            (true, Some(length)) => writeln!(f, "  authority     yes, at most {length} more below it")?,
            (false, _) => writeln!(f, "  authority     no")?,
        }
        writeln!(f, "  signed with   {}", self.signature_algorithm)?;
        writeln!(f, "  fingerprint   {}", self.fingerprint)?;
        write!(f, "  public key    {}", self.key.fingerprint)
    }
}

impl KeyFacts {
    /// `RSA 2048`, `EC P-256`.
    fn title(&self) -> String {
        match self.bits {
            Some(bits) if self.kind == "RSA" => format!("{} {bits}", self.kind),
            _ => self.kind.clone(),
        }
    }
}

impl fmt::Display for KeyFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  key           {}", self.title())?;
        write!(f, "  public key    {}", self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use gramseal::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn serials_lose_only_the_byte_of_the_sign() {
        assert_eq!(serial(&[0, 0xff, 1]), "ff01");
        assert_eq!(serial(&[0]), "00");
        assert_eq!(serial(&[0x7f]), "7f");
    }

    #[test] // RFC 8017 §A.1.1
    fn bits_are_those_of_the_modulus() {
        assert_eq!(rsa_bits(&[0x30, 7, 2, 2, 0x01, 0x01, 2, 1, 3]), Ok(9));
        assert_eq!(rsa_bits(&[0x30, 8, 2, 3, 0, 0x80, 0x01, 2, 1, 3]), Ok(16));
        assert!(rsa_bits(&[0x30, 3, 2, 1, 3]).is_err());
    }

    #[test]
    fn no_damage_is_too_much() {
        let good = CertificateDer::from_pem_slice(include_bytes!("../../tests/data/openssl.pem")).unwrap().to_vec();
        let shown = |bytes: &[u8]| CertificateFacts::read(bytes).map(|facts| facts.to_string());
        assert!(shown(&good).is_ok());
        for at in 0..good.len() {
            assert!(shown(&good[..at]).is_err(), "cut at {at}");
            for change in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= change;
                // Much of it still is a certificate, with other contents.
                let text = shown(&bad).unwrap_or_default();
                assert!(!text.contains('\u{1b}') && text.lines().count() < 15, "{text}");
            }
        }
    }

    #[test]
    fn numbers_without_a_name_stay_numbers() {
        assert_eq!(oid_text(&ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1")), "serverAuth");
        assert_eq!(oid_text(&ObjectIdentifier::new_unwrap("1.3.6.1.4.1.65261.1")), "1.3.6.1.4.1.65261.1");
    }

    #[test]
    fn addresses_of_other_lengths_are_shown_as_they_are() {
        assert_eq!(address_text(&[192, 0, 2, 1]), "192.0.2.1");
        assert_eq!(address_text(&[1, 2]), "0x0102");
    }
}
