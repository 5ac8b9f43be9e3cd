//! ClientKeyExchange (1.2 only), one type per key exchange: the suite says which one to read.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::HandshakeType;

/// Ephemeral ECDH (RFC 8422 §5.7).
///
/// ```text
/// struct {
///     opaque ecdh_Yc<1..2^8-1>;
/// } ClientECDiffieHellmanPublic;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKeyExchangeEcdh<'a> {
    /// The client's public key.
    pub public: &'a [u8],
}

impl<'a> Codec<'a> for ClientKeyExchangeEcdh<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { public: r.nonempty8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec8(|w| w.bytes(self.public));
    }
}

/// Ephemeral finite-field DH (RFC 5246 §7.4.7.2).
///
/// ```text
/// struct {
///     opaque dh_Yc<1..2^16-1>;
/// } ClientDiffieHellmanPublic;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKeyExchangeDh<'a> {
    /// The client's public value, big endian.
    pub public: &'a [u8],
}

impl<'a> Codec<'a> for ClientKeyExchangeDh<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { public: r.nonempty16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.public));
    }
}

/// Pre-shared key alone (RFC 4279 §2).
///
/// ```text
/// struct {
///     opaque psk_identity<0..2^16-1>;
/// } ClientKeyExchange;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKeyExchangePsk<'a> {
    /// Names the key.
    pub identity: &'a [u8],
}

impl<'a> Codec<'a> for ClientKeyExchangePsk<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { identity: r.vec16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.identity));
    }
}

/// Pre-shared key with ephemeral ECDH (RFC 5489 §2).
///
/// ```text
/// struct {
///     opaque psk_identity<0..2^16-1>;
///     ClientECDiffieHellmanPublic public;
/// } ClientKeyExchange;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKeyExchangeEcdhePsk<'a> {
    /// Names the key.
    pub identity: &'a [u8],
    /// The client's public key.
    pub public: &'a [u8],
}

impl<'a> Codec<'a> for ClientKeyExchangeEcdhePsk<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { identity: r.vec16()?, public: r.nonempty8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.identity));
        w.vec8(|w| w.bytes(self.public));
    }
}

macro_rules! client_key_exchange {
    ($($ty:ident),*) => {$(
        impl<'a> HandshakeMessage<'a> for $ty<'a> {
            const TYPE: HandshakeType = HandshakeType::CLIENT_KEY_EXCHANGE;
        }
    )*};
}

client_key_exchange!(ClientKeyExchangeEcdh, ClientKeyExchangeDh, ClientKeyExchangePsk, ClientKeyExchangeEcdhePsk);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let ecdh = ClientKeyExchangeEcdh { public: &[4, 5] };
        assert_eq!(ecdh.to_vec().unwrap(), [2, 4, 5]);
        assert_eq!(ClientKeyExchangeEcdh::from_bytes(&[2, 4, 5]), Ok(ecdh));
        assert_eq!(ClientKeyExchangeEcdh::from_bytes(&[0]), Err(DecodeError::EmptyVector));
        let dh = ClientKeyExchangeDh { public: &[4, 5] };
        assert_eq!(dh.to_vec().unwrap(), [0, 2, 4, 5]);
        assert_eq!(ClientKeyExchangeDh::from_bytes(&[0, 2, 4, 5]), Ok(dh));
        let psk = ClientKeyExchangePsk { identity: b"id" };
        assert_eq!(psk.to_vec().unwrap(), [0, 2, b'i', b'd']);
        assert_eq!(ClientKeyExchangePsk::from_bytes(&[0, 2, b'i', b'd']), Ok(psk));
        let both = ClientKeyExchangeEcdhePsk { identity: b"id", public: &[4] };
        assert_eq!(both.to_vec().unwrap(), [0, 2, b'i', b'd', 1, 4]);
        assert_eq!(ClientKeyExchangeEcdhePsk::from_bytes(&[0, 2, b'i', b'd', 1, 4]), Ok(both));
    }
}
