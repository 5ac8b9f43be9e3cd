//! Certificates as text, for people.

use std::fmt::Write as _;
use std::net::IpAddr;

use gramseal_proto::CertificateFault;
use pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::fingerprint::Fingerprint;

/// A certificate in short.
///
/// The texts come from whoever made the certificate. Characters that could command a terminal or
/// reorder what it shows appear as `\u{…}`; nothing else is vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// Whom it is for: the common name; without one the first of `names`; without any the whole
    /// distinguished name (RFC 4514), which may be empty.
    pub subject: String,
    /// The subject alternative names that are DNS names, IP addresses, mail addresses or URIs.
    pub names: Vec<String>,
    /// Its fingerprint.
    pub sha256: Fingerprint,
}

/// Describes `certificate`, which need not be valid or trusted.
///
/// # Errors
/// [`CertificateFault::BadEncoding`] if it cannot be read. [`Fingerprint::of`] works even then.
pub fn describe(certificate: &CertificateDer<'_>) -> Result<Description, CertificateFault> {
    let parsed = Certificate::from_der(certificate).map_err(|_| CertificateFault::BadEncoding)?;
    let content = parsed.tbs_certificate();
    let names: Vec<String> = match content.get_extension::<SubjectAltName>() {
        Ok(Some((_, SubjectAltName(names)))) => names.iter().filter_map(name_text).collect(),
        // The rest is worth showing even if the extension is damaged.
        Ok(None) | Err(_) => Vec::new(),
    };
    let subject = match content.subject().common_name() {
        Ok(Some(name)) => printable(&name.value()),
        Ok(None) | Err(_) => names.first().cloned().unwrap_or_else(|| printable(&content.subject().to_string())),
    };
    Ok(Description { subject, names, sha256: Fingerprint::of(certificate) })
}

fn name_text(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(text) | GeneralName::Rfc822Name(text) | GeneralName::UniformResourceIdentifier(text) => {
            Some(printable(text.as_str()))
        }
        GeneralName::IpAddress(address) => ip_address(address.as_bytes()).map(|address| address.to_string()),
        GeneralName::OtherName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::RegisteredId(_) => None,
    }
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Escapes what must not reach a terminal: control characters (escape sequences, line breaks) and
/// the invisible characters that change the direction of text (Unicode UAX #9 §2).
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        let directional = matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || directional || matches!(character, '\u{2028}' | '\u{2029}') {
            write!(printable, "{}", character.escape_unicode()).expect("a String takes all text");
        } else {
            printable.push(character);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_get_no_commands_from_certificates() {
        assert_eq!(printable("Zoë\u{1b}[2J\n"), "Zoë\\u{1b}[2J\\u{a}");
        assert_eq!(printable("a\u{202e}b\u{2028}"), "a\\u{202e}b\\u{2028}");
    }

    #[test]
    fn addresses_have_four_or_sixteen_bytes() {
        assert_eq!(ip_address(&[192, 0, 2, 1]), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(ip_address(&[0; 16]), Some("::".parse().unwrap()));
        assert_eq!(ip_address(&[0; 8]), None);
    }
}
