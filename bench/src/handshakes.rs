//! Full handshakes, both sides in memory, beside the sum of their public-key operations.

use std::hint::black_box;

use aws_lc_rs::agreement;
use gramseal_proto::wire::{CipherSuite, NamedGroup, ProtocolVersion};

use crate::pair::{Configs, Key, Pair, Resumption};
use crate::paired::{Comparison, compare};
use crate::raw;
use crate::resumed13;
use crate::symmetric::Side;

/// A handshake to measure.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Handshake {
    /// What tables call it.
    pub name: &'static str,
    /// The version, which has its own bars.
    pub version: ProtocolVersion,
    key: Key,
    suite: CipherSuite,
    group: NamedGroup,
    raw: &'static agreement::Algorithm,
}

/// All that are measured.
pub static HANDSHAKES: [Handshake; 5] = [
    Handshake {
        name: "1.2 X25519, ECDSA P-256",
        version: ProtocolVersion::DTLS1_2,
        key: Key::EcdsaP256,
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        group: NamedGroup::X25519,
        raw: &agreement::X25519,
    },
    Handshake {
        name: "1.2 P-256, ECDSA P-256",
        version: ProtocolVersion::DTLS1_2,
        key: Key::EcdsaP256,
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        group: NamedGroup::SECP256R1,
        raw: &agreement::ECDH_P256,
    },
    Handshake {
        name: "1.2 X25519, RSA-2048",
        version: ProtocolVersion::DTLS1_2,
        key: Key::Rsa2048,
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        group: NamedGroup::X25519,
        raw: &agreement::X25519,
    },
    Handshake {
        name: "1.3 X25519, ECDSA P-256",
        version: ProtocolVersion::DTLS1_3,
        key: Key::EcdsaP256,
        suite: CipherSuite::TLS_AES_128_GCM_SHA256,
        group: NamedGroup::X25519,
        raw: &agreement::X25519,
    },
    Handshake {
        name: "1.3 X25519MLKEM768, ECDSA P-256",
        version: ProtocolVersion::DTLS1_3,
        key: Key::EcdsaP256,
        suite: CipherSuite::TLS_AES_128_GCM_SHA256,
        group: NamedGroup::X25519MLKEM768,
        raw: &agreement::X25519,
    },
];

impl Handshake {
    /// What both sides are configured with.
    #[must_use]
    pub fn configs(&self) -> Configs {
        Configs::new(self.key, self.version, self.suite, self.group)
    }

    /// Measures it.
    #[must_use]
    pub fn compare(&self) -> Comparison {
        let configs = self.configs();
        let raw = self.raw();
        let mut datagram = Vec::new();
        compare(&mut || drop(black_box(Pair::connected(&configs, &mut datagram))), &mut || raw.run())
    }

    /// A profiler's work: does it `count` times.
    pub fn profile(&self, count: u32) {
        let configs = self.configs();
        let mut datagram = Vec::new();
        for _ in 0..count {
            black_box(Pair::connected(&configs, &mut datagram));
        }
    }

    /// A profiler's work: does the raw operations alone `count` times.
    pub fn profile_raw(&self, count: u32) {
        let raw = self.raw();
        for _ in 0..count {
            raw.run();
        }
    }

    fn raw(&self) -> raw::Handshake {
        let raw = raw::Handshake::new(self.key, self.raw);
        if self.group == NamedGroup::X25519MLKEM768 { raw.with_ml_kem() } else { raw }
    }
}

/// A handshake whose sides have a secret in common from before: of an earlier connection, or pre-shared.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Preshared {
    /// What tables call it.
    pub name: &'static str,
    kind: Kind,
    raw: Raw,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Resumed(Resumption),
    Psk,
}

/// What it costs at least.
#[derive(Debug, Clone, Copy)]
enum Raw {
    /// Both sides of a handshake of 1.2, where nothing is asymmetric.
    Symmetric([Side; 2]),
    Resumed13,
}

/// Bytes of ClientHello and ServerHello.
const RESUMED: [usize; 2] = [169, 98];
/// The same with a ticket.
const RESUMED_BY_TICKET: [usize; 2] = [348, 98];
/// ClientHello, ServerHello, ServerHelloDone, ClientKeyExchange.
const PSK: [usize; 4] = [113, 70, 12, 20];

const fn side(messages: &'static [usize], random: usize) -> Side {
    Side { messages, random, new_secret: false, ticket: None }
}

/// All that are measured.
pub static PRESHARED: [Preshared; 4] = [
    Preshared {
        name: "1.2 resumed by id",
        kind: Kind::Resumed(Resumption::Id),
        raw: Raw::Symmetric([side(&RESUMED, 32), side(&RESUMED, 32)]),
    },
    Preshared {
        name: "1.2 resumed by ticket",
        kind: Kind::Resumed(Resumption::Ticket),
        raw: Raw::Symmetric([side(&RESUMED_BY_TICKET, 64), Side { ticket: Some(135), ..side(&RESUMED_BY_TICKET, 32) }]),
    },
    Preshared {
        name: "1.2 PSK",
        kind: Kind::Psk,
        raw: Raw::Symmetric([Side { new_secret: true, ..side(&PSK, 32) }, Side { new_secret: true, ..side(&PSK, 32) }]),
    },
    Preshared { name: "1.3 resumed, psk_dhe_ke", kind: Kind::Resumed(Resumption::PskDhe13), raw: Raw::Resumed13 },
];

impl Preshared {
    /// Whether the secret is that of an earlier connection.
    #[must_use]
    pub fn resumes(&self) -> bool {
        matches!(self.kind, Kind::Resumed(_))
    }

    /// What both sides are configured with; for a session to resume, one handshake is done.
    #[must_use]
    pub fn configs(&self) -> Configs {
        match self.kind {
            Kind::Resumed(resumption) => Configs::resuming(resumption),
            Kind::Psk => Configs::psk(CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256),
        }
    }

    /// Measures it.
    #[must_use]
    pub fn compare(&self) -> Comparison {
        let configs = self.configs();
        let mut datagram = Vec::new();
        compare(&mut || drop(black_box(Pair::connected(&configs, &mut datagram))), &mut || self.run_raw())
    }

    fn run_raw(&self) {
        match &self.raw {
            Raw::Symmetric(sides) => sides.iter().for_each(|side| black_box(side).run()),
            Raw::Resumed13 => resumed13::run(),
        }
    }

    /// A profiler's work: does the raw operations alone `count` times.
    pub fn profile_raw(&self, count: u32) {
        (0..count).for_each(|_| self.run_raw());
    }

    /// A profiler's work: does it `count` times.
    pub fn profile(&self, count: u32) {
        let configs = self.configs();
        let mut datagram = Vec::new();
        for _ in 0..count {
            black_box(Pair::connected(&configs, &mut datagram));
        }
    }
}
