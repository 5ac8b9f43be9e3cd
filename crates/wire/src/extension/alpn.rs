//! application_layer_protocol_negotiation.

use super::Extension;
use crate::codec::{Codec, DecodeError, Len8, OpaqueIter, OpaqueList, Reader, Writer};
use crate::registry::ExtensionType;

/// Protocols the client offers, or the one the server chose (RFC 7301 §3.1).
///
/// ```text
/// opaque ProtocolName<1..2^8-1>;
/// struct {
///     ProtocolName protocol_name_list<2..2^16-1>
/// } ProtocolNameList;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alpn<'a> {
    /// The names, the sender's favourite first. `OwnedOpaqueList::<Len8>::new(names)` makes one.
    pub protocols: OpaqueList<'a, Len8>,
}

impl<'a> Alpn<'a> {
    /// The names in order.
    pub fn iter(&self) -> OpaqueIter<'a, Len8> {
        self.protocols.iter()
    }

    /// The only name, as a server's answer must have it (RFC 7301 §3.1).
    ///
    /// # Errors
    /// [`DecodeError::BadVectorLength`] if there is more than one.
    pub fn exactly_one(&self) -> Result<&'a [u8], DecodeError> {
        let mut names = self.iter();
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            _ => Err(DecodeError::BadVectorLength),
        }
    }
}

impl<'a> Codec<'a> for Alpn<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { protocols: OpaqueList::new(r.nonempty16()?)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.protocols.as_bytes()));
    }
}

impl<'a> Extension<'a> for Alpn<'a> {
    const TYPE: ExtensionType = ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [0, 8, 4, b'c', b'o', b'a', b'p', 2, b'h', b'2'];
        let alpn = Alpn::from_bytes(&bytes).unwrap();
        assert!(alpn.iter().eq([&b"coap"[..], b"h2"]));
        assert_eq!(alpn.to_vec().unwrap(), bytes);
        assert_eq!(alpn.exactly_one(), Err(DecodeError::BadVectorLength));
        assert_eq!(Alpn::from_bytes(&[0, 3, 2, b'h', b'2']).unwrap().exactly_one(), Ok(&b"h2"[..]));
        assert_eq!(Alpn::from_bytes(&[0, 0]), Err(DecodeError::EmptyVector));
        assert_eq!(Alpn::from_bytes(&[0, 1, 0]), Err(DecodeError::EmptyVector));
    }
}
