//! Extensions without content: their presence is the message.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

macro_rules! empty_extension {
    ($(#[$meta:meta])* $ty:ident = $konst:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $ty;

        impl<'a> Codec<'a> for $ty {
            fn read(_: &mut Reader<'a>) -> Result<Self, DecodeError> {
                Ok(Self)
            }

            fn write(&self, _: &mut Writer<'_>) {}
        }

        impl<'a> Extension<'a> for $ty {
            const TYPE: ExtensionType = ExtensionType::$konst;
        }
    };
}

pub(super) use empty_extension;

empty_extension! {
    /// CBC records carry the MAC over the ciphertext (RFC 7366 §2).
    EncryptThenMac = ENCRYPT_THEN_MAC
}

empty_extension! {
    /// The client can be asked for a certificate after the handshake (RFC 9846 §4.3.6).
    PostHandshakeAuth = POST_HANDSHAKE_AUTH
}

empty_extension! {
    /// The sender can check return routability (RFC 9853 §3).
    Rrc = RRC
}

empty_extension! {
    /// The master secret is bound to the whole handshake (RFC 7627 §5.1).
    ExtendedMasterSecret = EXTENDED_MASTER_SECRET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_refused() {
        assert_eq!(ExtendedMasterSecret::from_bytes(&[]), Ok(ExtendedMasterSecret));
        assert_eq!(ExtendedMasterSecret::from_bytes(&[0]), Err(DecodeError::TrailingBytes));
    }
}
