//! The names of certificates, and of their files.

use std::net::IpAddr;

use gramseal::pki_types::DnsName;
use rcgen::SanType;

use crate::failure::Failure;

/// The name of a server, as clients compare it (RFC 9525 §6): an IP address, a host name, or a host
/// name whose first label is `*`.
pub(super) fn of_server(name: &str) -> Result<SanType, Failure> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    if is_host(name.strip_prefix("*.").unwrap_or(name)) {
        return text(name, SanType::DnsName);
    }
    Err(Failure::usage(format!("{name:?} is neither a host name nor an IP address (international names: as xn--…)")))
}

/// The alternative name of a client, of the type that `name` looks like; none for other texts, which
/// stand in the subject alone.
pub(super) fn of_client(name: &str) -> Result<Vec<SanType>, Failure> {
    let ascii = name.is_ascii() && !name.contains(char::is_whitespace);
    let name = if let Ok(address) = name.parse::<IpAddr>() {
        SanType::IpAddress(address)
    } else if ascii && name.contains("://") {
        text(name, SanType::URI)?
    } else if ascii && name.contains('@') {
        text(name, SanType::Rfc822Name)?
    } else if is_host(name) {
        text(name, SanType::DnsName)?
    } else if name.is_empty() {
        return Err(Failure::usage("the name is empty"));
    } else {
        return Ok(Vec::new());
    };
    Ok(vec![name])
}

fn text(name: &str, kind: fn(rcgen::string::Ia5String) -> SanType) -> Result<SanType, Failure> {
    name.try_into().map(kind).map_err(|error: rcgen::Error| Failure::usage(format!("{name:?}: {error}")))
}

/// A dot at the end has no place in a certificate (RFC 5280 §4.2.1.6).
fn is_host(name: &str) -> bool {
    !name.ends_with('.') && DnsName::try_from(name).is_ok()
}

/// What the files of a certificate for `name` are called, without their endings: the name, with `_`
/// for what has a meaning in paths.
pub(super) fn file_stem(name: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '.' | '-' | '_' | '@');
    let stem: String = name.chars().map(|character| if plain(character) { character } else { '_' }).collect();
    // Neither hidden nor, as `..` would be, another folder.
    match stem.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_names_that_clients_can_compare() {
        assert_eq!(of_server("::1"), Ok(SanType::IpAddress("::1".parse().unwrap())));
        assert_eq!(of_server("*.a.test"), Ok(SanType::DnsName("*.a.test".try_into().unwrap())));
        for wrong in ["", "*", "a b", "a.*.test", "a.test.", "[::1]", "zoë.test", "1.2.3.4.5/24"] {
            assert!(matches!(of_server(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn clients_may_be_called_anything() {
        assert_eq!(of_client("meter 1"), Ok(vec![]));
        assert_eq!(of_client("a@b.test"), Ok(vec![SanType::Rfc822Name("a@b.test".try_into().unwrap())]));
        assert_eq!(of_client("urn://a"), Ok(vec![SanType::URI("urn://a".try_into().unwrap())]));
        assert_eq!(of_client("a.test"), Ok(vec![SanType::DnsName("a.test".try_into().unwrap())]));
        assert!(of_client("").is_err());
    }

    #[test]
    fn no_name_leads_out_of_its_folder() {
        for (name, stem) in [("a.test", "a.test"), ("*.a", "_.a"), ("::1", "__1"), ("../x", "_._x"), ("/", "_")] {
            assert_eq!(file_stem(name), stem);
        }
    }
}
