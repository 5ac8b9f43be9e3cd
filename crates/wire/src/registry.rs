//! The registries: code points as open newtypes with the names IANA or the RFC gives them.
//!
//! Owns: values and names. Never does: say which of them are supported. Unknown values are ordinary values:
//! they compare, print as hex and survive a round trip.

mod alert;
mod cipher_suite;
mod extension_type;
mod handshake_type;
mod named_group;
mod signature_scheme;
mod small;

pub use alert::{AlertDescription, AlertLevel};
pub use cipher_suite::CipherSuite;
pub use extension_type::ExtensionType;
pub use handshake_type::HandshakeType;
pub use named_group::NamedGroup;
pub use signature_scheme::SignatureScheme;
pub use small::{
    CertificateCompressionAlgorithm, CertificateStatusType, CertificateType, ClientCertificateType, CompressionMethod,
    ContentType, EcPointFormat, ProtocolVersion, PskKeyExchangeMode, SrtpProfile, TlsKdf,
};

/// Defines an open newtype over `u8` or `u16` with its constants, names and codec.
macro_rules! code_points {
    ($(#[$meta:meta])* $ty:ident: $int:ident { $($konst:ident = $value:literal, $name:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $ty(pub $int);

        impl $ty {
            $(
                #[doc = concat!("`", $name, "` (", stringify!($value), ")")]
                pub const $konst: Self = Self($value);
            )*

            /// Every value that has a name here.
            pub const ALL: &'static [Self] = &[$(Self::$konst),*];

            /// The registered name, if this crate knows the value.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$konst => Some($name),)*
                    _ => None,
                }
            }

            /// The value with exactly this registered name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$konst),)*
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $ty {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, "{:#0width$x}", self.0, width = 2 + 2 * size_of::<$int>()),
                }
            }
        }

        impl core::fmt::Debug for $ty {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($ty), "({})"), self)
            }
        }

        impl<'a> crate::codec::Codec<'a> for $ty {
            #[inline]
            fn read(r: &mut crate::codec::Reader<'a>) -> Result<Self, crate::codec::DecodeError> {
                r.$int().map(Self)
            }

            #[inline]
            fn write(&self, w: &mut crate::codec::Writer<'_>) {
                w.$int(self.0);
            }
        }

        impl crate::codec::CodePoint for $ty {
            const LEN: usize = size_of::<$int>();
        }
    };
}

/// Adds the test for reserved values that peers send to keep others tolerant (RFC 8701 §2).
macro_rules! grease {
    ($($ty:ident),*) => {$(
        impl $ty {
            /// Whether this is one of the sixteen values 0x0a0a, 0x1a1a … 0xfafa (RFC 8701 §2).
            pub fn is_grease(self) -> bool {
                let [high, low] = self.0.to_be_bytes();
                high == low && low & 0x0f == 0x0a
            }
        }
    )*};
}

use {code_points, grease};

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::codec::Codec;

    #[test]
    fn names_go_both_ways() {
        for &suite in CipherSuite::ALL {
            assert_eq!(CipherSuite::from_name(suite.name().unwrap()), Some(suite));
        }
        for &group in NamedGroup::ALL {
            assert_eq!(NamedGroup::from_name(group.name().unwrap()), Some(group));
        }
        for &scheme in SignatureScheme::ALL {
            assert_eq!(SignatureScheme::from_name(scheme.name().unwrap()), Some(scheme));
        }
        assert_eq!(CipherSuite::from_name("TLS_FANCY"), None);
        assert_eq!(AlertDescription::HANDSHAKE_FAILURE.to_string(), "handshake_failure");
        assert_eq!(HandshakeType::HELLO_VERIFY_REQUEST.to_string(), "HelloVerifyRequest");
    }

    #[test]
    fn unknown_values_survive_and_print_as_hex() {
        assert_eq!(ContentType(0x7f).to_string(), "0x7f");
        assert_eq!(CipherSuite(0x0abc).to_string(), "0x0abc");
        assert_eq!(CipherSuite::from_bytes(&[0xfe, 0xed]).unwrap().to_vec().unwrap(), [0xfe, 0xed]);
    }

    #[test] // RFC 8701 §2
    fn grease_values_are_recognised() {
        assert_eq!((0..=u16::MAX).filter(|&v| ExtensionType(v).is_grease()).count(), 16);
        assert!(CipherSuite(0x0a0a).is_grease() && NamedGroup(0xfafa).is_grease());
        assert!(!CipherSuite(0x0a1a).is_grease() && !CipherSuite(0x0b0b).is_grease());
    }
}
