//! server_name.

use super::Extension;
use super::empty::empty_extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// `NameType` of a DNS host name, the only one there is.
const HOST_NAME: u8 = 0;

/// The name the client wants to reach (RFC 6066 §3). Entries of other name types are skipped when reading: no type
/// but `host_name` was ever defined, so such an entry does not survive a round trip.
///
/// ```text
/// struct {
///     NameType name_type = host_name(0);
///     opaque HostName<1..2^16-1>;
/// } ServerName;
/// struct {
///     ServerName server_name_list<1..2^16-1>
/// } ServerNameList;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerName<'a> {
    /// DNS name as sent; whether it is a sound name is not checked here.
    pub host_name: &'a [u8],
}

impl<'a> Codec<'a> for ServerName<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut names = Reader::new(r.nonempty16()?);
        let mut host_name = None;
        while !names.is_empty() {
            let name_type = names.u8()?;
            let name = names.nonempty16()?;
            // RFC 6066 §3: at most one name of a type.
            if name_type == HOST_NAME && host_name.replace(name).is_some() {
                return Err(DecodeError::IllegalValue);
            }
        }
        Ok(Self { host_name: host_name.ok_or(DecodeError::EmptyVector)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| {
            w.u8(HOST_NAME);
            w.vec16(|w| w.bytes(self.host_name));
        });
    }
}

impl<'a> Extension<'a> for ServerName<'a> {
    const TYPE: ExtensionType = ExtensionType::SERVER_NAME;
}

empty_extension! {
    /// The server used the name (RFC 6066 §3).
    ServerNameAck = SERVER_NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let name = ServerName { host_name: b"a.b" };
        let bytes = [0, 6, 0, 0, 3, b'a', b'.', b'b'];
        assert_eq!(name.to_vec().unwrap(), bytes);
        assert_eq!(ServerName::from_bytes(&bytes), Ok(name));
        assert_eq!(ServerName::from_bytes(&[0, 3, 0, 0, 0]), Err(DecodeError::EmptyVector));
        assert_eq!(ServerName::from_bytes(&[0, 4, 9, 0, 1, b'x']), Err(DecodeError::EmptyVector));
        assert_eq!(ServerName::from_bytes(&[0, 8, 9, 0, 1, b'x', 0, 0, 1, b'y']).map(|n| n.host_name), Ok(&b"y"[..]));
    }

    #[test] // RFC 6066 §3
    fn two_host_names_are_refused() {
        let bytes = [0, 8, 0, 0, 1, b'x', 0, 0, 1, b'y'];
        assert_eq!(ServerName::from_bytes(&bytes), Err(DecodeError::IllegalValue));
    }
}
