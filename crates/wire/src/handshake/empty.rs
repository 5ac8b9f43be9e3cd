//! Messages without content.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::HandshakeType;

macro_rules! empty_message {
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

        impl<'a> HandshakeMessage<'a> for $ty {
            const TYPE: HandshakeType = HandshakeType::$konst;
        }
    };
}

empty_message! {
    /// Asks a 1.2 client to renegotiate (RFC 5246 §7.4.1.1).
    ///
    /// ```text
    /// struct { } HelloRequest;
    /// ```
    HelloRequest = HELLO_REQUEST
}

empty_message! {
    /// Ends the server's part of the key exchange in 1.2 (RFC 5246 §7.4.5).
    ///
    /// ```text
    /// struct { } ServerHelloDone;
    /// ```
    ServerHelloDone = SERVER_HELLO_DONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_follow() {
        assert_eq!(ServerHelloDone::from_bytes(&[]), Ok(ServerHelloDone));
        assert_eq!(HelloRequest::from_bytes(&[0]), Err(DecodeError::TrailingBytes));
    }
}
