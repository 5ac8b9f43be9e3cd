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
