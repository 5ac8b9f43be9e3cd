//! Which keys a scripted peer of 1.2 agrees on, and how: what it says in its hello and its key exchange messages,
//! and the premaster secret (RFC 5246 §7.4.3, §7.4.7, §8.1, RFC 8422 §5.4, RFC 4279 §2, RFC 5489 §2).

use gramseal_wire::{CipherSuite, NamedGroup, Reader, SignatureScheme, Writer};

use super::Peer;
use super::messages::{signed_by, write};
use crate::null::{NullKey, ToyKind};
use crate::sim::Side;

/// The name of the key of [`Exchange::Psk`] and [`Exchange::EcdhePsk`].
pub const PSK_IDENTITY: &str = "client";

/// That key.
pub const PSK_KEY: [u8; 16] = [7; 16];

/// A key exchange of 1.2, each with one suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests go through all of them")]
pub enum Exchange {
    /// x25519, signed with an ECDSA key.
    Ecdhe,
    /// A finite-field group of 2048 bits, signed with an RSA key.
    Dhe,
    /// [`PSK_KEY`] alone.
    Psk,
    /// [`PSK_KEY`] and x25519.
    EcdhePsk,
}

impl Exchange {
    /// Its suite.
    #[must_use]
    pub const fn suite(self) -> CipherSuite {
        match self {
            Self::Ecdhe => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            Self::Dhe => CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
            Self::Psk => CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256,
            Self::EcdhePsk => CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
        }
    }

    /// Whether the server shows a certificate.
    #[must_use]
    pub const fn has_certificate(self) -> bool {
        matches!(self, Self::Ecdhe | Self::Dhe)
    }

    pub(super) const fn group(self) -> NamedGroup {
        match self {
            Self::Dhe => NamedGroup::FFDHE2048,
            Self::Ecdhe | Self::Psk | Self::EcdhePsk => NamedGroup::X25519,
        }
    }

    pub(super) const fn scheme(self) -> SignatureScheme {
        match self {
            Self::Dhe => SignatureScheme::RSA_PSS_RSAE_SHA256,
            Self::Ecdhe | Self::Psk | Self::EcdhePsk => SignatureScheme::ECDSA_SECP256R1_SHA256,
        }
    }

    pub(super) fn key(self) -> NullKey {
        NullKey::new(if self == Self::Dhe { ToyKind::Rsa } else { ToyKind::EcdsaP256 }, 1)
    }
}

impl Peer {
    /// Agrees on keys in another way than with ECDHE, and makes a new share for that.
    ///
    /// # Panics
    /// Never, as the null provider has all these groups.
    pub fn set_exchange(&mut self, exchange: Exchange) {
        let group = self.provider.group(exchange.group()).expect("a group of the null provider");
        let kx = group.start(&*self.provider.random).expect("seeded randomness never fails");
        (self.share, self.kx, self.exchange) = (kx.public_key().to_vec(), Some(kx), exchange);
    }

    pub(super) fn server_key_exchange(&self) -> Vec<u8> {
        let curve = |w: &mut Writer<'_>| {
            w.u8(3);
            w.u16(self.exchange.group().0);
            w.vec8(|w| w.bytes(&self.share));
        };
        let params = match self.exchange {
            // A hint, which says nothing here.
            Exchange::Psk => return write(|w| w.vec16(|w| w.bytes(b"hint"))),
            Exchange::EcdhePsk => {
                return write(|w| {
                    w.vec16(|w| w.bytes(b"hint"));
                    curve(w);
                });
            }
            Exchange::Ecdhe => write(curve),
            Exchange::Dhe => write(|w| {
                let group = self.provider.finite_field.and_then(|field| field.params(self.exchange.group()));
                let group = group.expect("the null provider has the group");
                [group.p, group.g, &self.share].iter().for_each(|number| w.vec16(|w| w.bytes(number)));
            }),
        };
        let signed = [&self.randoms[0][..], &self.randoms[1], &params].concat();
        [params, signed_by(&self.exchange.key(), self.exchange.scheme(), &signed)].concat()
    }

    pub(super) fn client_key_exchange(&self) -> Vec<u8> {
        write(|w| match self.exchange {
            Exchange::Ecdhe => w.vec8(|w| w.bytes(&self.share)),
            Exchange::Dhe => w.vec16(|w| w.bytes(&self.share)),
            Exchange::Psk => w.vec16(|w| w.bytes(PSK_IDENTITY.as_bytes())),
            Exchange::EcdhePsk => {
                w.vec16(|w| w.bytes(PSK_IDENTITY.as_bytes()));
                w.vec8(|w| w.bytes(&self.share));
            }
        })
    }

    /// Takes the peer's share from its key exchange message; a message without one, or that cannot be read, has none.
    pub(super) fn learn_share(&mut self, body: &[u8]) {
        let mut r = Reader::new(body);
        let share = match (self.side, self.exchange) {
            (_, Exchange::Psk) => Some(&[][..]),
            (Side::Client, Exchange::Ecdhe) => body.get(3..).and_then(|rest| Reader::new(rest).vec8().ok()),
            (Side::Client, Exchange::EcdhePsk) => r.vec16().ok().and_then(|_| r.u24().ok()).and_then(|_| r.vec8().ok()),
            (Side::Client, Exchange::Dhe) => r.vec16().ok().and_then(|_| r.vec16().ok()).and_then(|_| r.vec16().ok()),
            (Side::Server, Exchange::Ecdhe) => r.vec8().ok(),
            (Side::Server, Exchange::EcdhePsk) => r.vec16().ok().and_then(|_| r.vec8().ok()),
            (Side::Server, Exchange::Dhe) => r.vec16().ok(),
        };
        self.peer_share = share.map(<[u8]>::to_vec);
    }

    /// What the shares and the key come to; empty where no exchange took place, as attackers on careless
    /// implementations would have it.
    pub(super) fn premaster(&mut self) -> Vec<u8> {
        let agreed = self.peer_share.as_ref().zip(self.kx.take()).and_then(|(share, kx)| kx.complete(share).ok());
        let agreed = agreed.as_ref().map_or(&[][..], AsRef::as_ref);
        let with_key = |other: &[u8]| write(|w| [other, &PSK_KEY].iter().for_each(|half| w.vec16(|w| w.bytes(half))));
        match self.exchange {
            Exchange::Ecdhe => agreed.to_vec(),
            // RFC 5246 §8.1.2: without the zeros in front.
            Exchange::Dhe => agreed.iter().copied().skip_while(|byte| *byte == 0).collect(),
            Exchange::Psk => with_key(&[0; PSK_KEY.len()]),
            Exchange::EcdhePsk => with_key(agreed),
        }
    }
}
