//! ServerKeyExchange (1.2 only), one type per key exchange: the suite says which one to read.
//!
//! The signed forms keep the parameters' bytes as received, since the signature covers exactly those.

use super::HandshakeMessage;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::{HandshakeType, NamedGroup, SignatureScheme};

/// `ECCurveType` of parameters given by a group's code point (RFC 8422 §5.4).
const NAMED_CURVE: u8 = 3;

/// Group and public key of ephemeral ECDH (RFC 8422 §5.4). Other curve types than `named_curve` are illegal.
///
/// ```text
/// struct {
///     ECCurveType curve_type = named_curve(3);
///     NamedCurve namedcurve;
///     opaque public<1..2^8-1>;
/// } ServerECDHParams;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerEcdhParams<'a> {
    /// The group.
    pub group: NamedGroup,
    /// The server's public key.
    pub public_key: &'a [u8],
}

impl<'a> Codec<'a> for ServerEcdhParams<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if r.u8()? != NAMED_CURVE {
            return Err(DecodeError::IllegalValue);
        }
        Ok(Self { group: Codec::read(r)?, public_key: r.nonempty8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u8(NAMED_CURVE);
        self.group.write(w);
        w.vec8(|w| w.bytes(self.public_key));
    }
}

/// Group and public value of ephemeral finite-field DH, numbers big endian (RFC 5246 §7.4.3).
///
/// ```text
/// struct {
///     opaque dh_p<1..2^16-1>;
///     opaque dh_g<1..2^16-1>;
///     opaque dh_Ys<1..2^16-1>;
/// } ServerDHParams;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerDhParams<'a> {
    /// The prime.
    pub p: &'a [u8],
    /// The generator.
    pub g: &'a [u8],
    /// The server's public value.
    pub public: &'a [u8],
}

impl<'a> Codec<'a> for ServerDhParams<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { p: r.nonempty16()?, g: r.nonempty16()?, public: r.nonempty16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        for number in [self.p, self.g, self.public] {
            w.vec16(|w| w.bytes(number));
        }
    }
}

/// A signature with its scheme (RFC 5246 §4.7).
///
/// ```text
/// struct {
///     SignatureAndHashAlgorithm algorithm;
///     opaque signature<0..2^16-1>;
/// } DigitallySigned;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigitallySigned<'a> {
    /// How it was signed.
    pub scheme: SignatureScheme,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Codec<'a> for DigitallySigned<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { scheme: Codec::read(r)?, signature: r.vec16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.scheme.write(w);
        w.vec16(|w| w.bytes(self.signature));
    }
}

macro_rules! signed_key_exchange {
    ($(#[$meta:meta])* $ty:ident over $params:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $ty<'a> {
            /// The parameters.
            pub params: $params<'a>,
            /// Their encoding, which is signed together with both randoms; [`Codec::write`] sends these bytes.
            pub params_bytes: &'a [u8],
            /// The signature.
            pub signed: DigitallySigned<'a>,
        }

        impl<'a> $ty<'a> {
            /// Joins encoded parameters, which were signed, with their signature.
            ///
            /// # Errors
            /// What reading the parameters finds.
            pub fn new(params_bytes: &'a [u8], signed: DigitallySigned<'a>) -> Result<Self, DecodeError> {
                Ok(Self { params: $params::from_bytes(params_bytes)?, params_bytes, signed })
            }
        }

        impl<'a> Codec<'a> for $ty<'a> {
            fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
                let (params, params_bytes) = r.capture($params::read)?;
                Ok(Self { params, params_bytes, signed: Codec::read(r)? })
            }

            fn write(&self, w: &mut Writer<'_>) {
                w.bytes(self.params_bytes);
                self.signed.write(w);
            }
        }
    };
}

signed_key_exchange! {
    /// Signed ephemeral ECDH (RFC 8422 §5.4).
    ///
    /// ```text
    /// struct {
    ///     ServerECDHParams params;
    ///     DigitallySigned signed_params;
    /// } ServerKeyExchange;
    /// ```
    ServerKeyExchangeEcdhe over ServerEcdhParams
}

signed_key_exchange! {
    /// Signed ephemeral finite-field DH (RFC 5246 §7.4.3).
    ///
    /// ```text
    /// struct {
    ///     ServerDHParams params;
    ///     DigitallySigned signed_params;
    /// } ServerKeyExchange;
    /// ```
    ServerKeyExchangeDhe over ServerDhParams
}

/// Hint for choosing a pre-shared key (RFC 4279 §2).
///
/// ```text
/// struct {
///     opaque psk_identity_hint<0..2^16-1>;
/// } ServerKeyExchange;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKeyExchangePsk<'a> {
    /// The hint.
    pub hint: &'a [u8],
}

impl<'a> Codec<'a> for ServerKeyExchangePsk<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { hint: r.vec16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.hint));
    }
}

/// Hint and unsigned ephemeral ECDH parameters (RFC 5489 §2).
///
/// ```text
/// struct {
///     opaque psk_identity_hint<0..2^16-1>;
///     ServerECDHParams params;
/// } ServerKeyExchange;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKeyExchangeEcdhePsk<'a> {
    /// The hint.
    pub hint: &'a [u8],
    /// The parameters.
    pub params: ServerEcdhParams<'a>,
}

impl<'a> Codec<'a> for ServerKeyExchangeEcdhePsk<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { hint: r.vec16()?, params: Codec::read(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.hint));
        self.params.write(w);
    }
}

macro_rules! server_key_exchange {
    ($($ty:ident),*) => {$(
        impl<'a> HandshakeMessage<'a> for $ty<'a> {
            const TYPE: HandshakeType = HandshakeType::SERVER_KEY_EXCHANGE;
        }
    )*};
}

server_key_exchange!(ServerKeyExchangeEcdhe, ServerKeyExchangeDhe, ServerKeyExchangePsk, ServerKeyExchangeEcdhePsk);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdhe_format() {
        let bytes = [3, 0, 0x17, 2, 4, 0xaa, 4, 3, 0, 1, 0x30];
        let message = ServerKeyExchangeEcdhe::from_bytes(&bytes).unwrap();
        assert_eq!(message.params, ServerEcdhParams { group: NamedGroup::SECP256R1, public_key: &[4, 0xaa] });
        assert_eq!(message.params_bytes, &bytes[..6]);
        assert_eq!(message.signed.scheme, SignatureScheme::ECDSA_SECP256R1_SHA256);
        assert_eq!(message.to_vec().unwrap(), bytes);
        assert_eq!(ServerKeyExchangeEcdhe::new(&bytes[..6], message.signed), Ok(message));
        assert_eq!(message.params.to_vec().unwrap(), bytes[..6]);
    }

    #[test] // RFC 8422 §5.4
    fn explicit_curves_are_refused() {
        assert_eq!(ServerEcdhParams::from_bytes(&[1, 0, 0x17, 1, 4]), Err(DecodeError::IllegalValue));
    }

    #[test]
    fn dhe_format() {
        let bytes = [0, 1, 23, 0, 1, 5, 0, 1, 8, 4, 1, 0, 2, 7, 7];
        let message = ServerKeyExchangeDhe::from_bytes(&bytes).unwrap();
        assert_eq!(message.params, ServerDhParams { p: &[23], g: &[5], public: &[8] });
        assert_eq!(message.params_bytes, &bytes[..9]);
        assert_eq!(message.signed.signature, [7, 7]);
        assert_eq!(message.to_vec().unwrap(), bytes);
    }

    #[test]
    fn psk_formats() {
        let message = ServerKeyExchangePsk { hint: b"h" };
        assert_eq!(message.to_vec().unwrap(), [0, 1, b'h']);
        let bytes = [0, 1, b'h', 3, 0, 0x1d, 1, 9];
        let message = ServerKeyExchangeEcdhePsk::from_bytes(&bytes).unwrap();
        assert_eq!(message.params.group, NamedGroup::X25519);
        assert_eq!(message.to_vec().unwrap(), bytes);
    }
}
