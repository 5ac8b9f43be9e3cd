//! What the caller decides before a connection starts: immutable values, shared by `Arc`.
//!
//! The builders demand what has no safe default (how to verify the peer, who we are) and fill in
//! the rest; what weakens security lives behind a name that says so. This module holds no
//! protocol state.

mod client;
mod common;
mod compression;
mod groups;
mod identity;
mod limits;
mod moves;
mod psk;
mod server;
mod sessions;
mod srtp;
mod verify;

use core::fmt;

use gramseal_wire::{CipherSuite, NamedGroup, ProtocolVersion, SrtpProfile};

pub use crate::cid::ConnectionIds;
pub use crate::padding::Padding;
pub use client::{ClientConfig, ClientConfigBuilder};
pub(crate) use common::Common;
pub use common::{LegacySuites, Repair, ResumedKeyExchange, Transport};
pub use compression::{CertificateCompression, DecompressError};
pub(crate) use groups::{GroupKind, is_finite_field};
pub use identity::{Identity, OcspSource};
pub(crate) use limits::RECORD_SIZE_LIMITS;
pub use moves::{MovePolicy, PathCheck};
pub use psk::{Psk, PskLookup};
pub(crate) use psk::{for_hint, look_up};
pub use server::{ClientAuth, ServerConfig, ServerConfigBuilder};
pub(crate) use sessions::{ClientSessions, ServerSessions};
pub(crate) use srtp::SrtpLengths;
pub use verify::{PeerCredential, PeerRole, PeerVerified, PeerVerifier, Presented, Verdict};

/// A configuration that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// This version is not implemented.
    UnsupportedVersion(ProtocolVersion),
    /// The provider or gramseal does not have this cipher suite, or it needs the legacy switch.
    UnsupportedCipherSuite(CipherSuite),
    /// The provider does not have this group, or only a version that is not allowed could use it.
    UnsupportedGroup(NamedGroup),
    /// A list that must name something is empty, or an amount is 0.
    NothingAllowed(&'static str),
    /// No allowed cipher suite goes with the private key.
    NoCipherSuiteForKey,
    /// Clients are only asked for certificates where we show one ourselves, and no allowed cipher
    /// suite does.
    ClientAuthWithoutCertificate,
    /// Early data goes with sessions of 1.3: it is wanted, but that version is not allowed, or sessions have no place
    /// to be in.
    EarlyDataWithoutSessions,
    /// A client sends early data before it could ask its verifier about the server again.
    EarlyDataBeforeReverification,
    /// A certificate chain must hold a certificate.
    EmptyCertificateChain,
    /// A key that is to be shown without a certificate must tell its public half.
    NoPublicKey,
    /// A pre-shared key is empty, or it or its identity is longer than 65,535 bytes.
    BadPsk,
    /// An application protocol's name must have 1 to 255 bytes.
    BadApplicationProtocol,
    /// A datagram size outside 256 to 65,507 bytes.
    BadMtu(usize),
    /// A record size limit outside 64 to 16,384 bytes (RFC 8449 §4).
    BadRecordSizeLimit(u16),
    /// A fragment length other than 512, 1024, 2048 and 4096 bytes (RFC 6066 §4).
    BadMaxFragmentLength(u16),
    /// This SRTP protection profile is not one of RFC 5764 and RFC 7714.
    UnsupportedSrtpProfile(SrtpProfile),
    /// An SRTP master key identifier has at most 255 bytes, and goes with profiles.
    BadSrtpMki,
    /// A handshake needs a random source that works.
    NoRandomness,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedVersion(version) => write!(f, "{version} is not supported"),
            Self::UnsupportedCipherSuite(suite) => {
                write!(f, "{suite} is not supported, or only behind the legacy switch")
            }
            Self::UnsupportedGroup(group) => write!(f, "the group {group} is not supported"),
            Self::NothingAllowed(what) => write!(f, "no {what} is allowed"),
            Self::ClientAuthWithoutCertificate => {
                f.write_str("clients cannot be asked for certificates by a server that shows none")
            }
            Self::NoCipherSuiteForKey => f.write_str("no allowed cipher suite goes with the private key"),
            Self::EarlyDataWithoutSessions => {
                f.write_str("early data needs DTLS 1.3, and a session store or a ticket sealer")
            }
            Self::EarlyDataBeforeReverification => {
                f.write_str("early data is sent before the server of the session could be verified again")
            }
            Self::EmptyCertificateChain => f.write_str("the certificate chain is empty"),
            Self::NoPublicKey => f.write_str("the private key does not tell its public half"),
            Self::BadPsk => f.write_str("a pre-shared key is empty, or it or its identity too long"),
            Self::BadApplicationProtocol => f.write_str("an application protocol's name must have 1 to 255 bytes"),
            Self::BadMtu(mtu) => write!(f, "an MTU of {mtu} bytes is outside 256 to 65507"),
            Self::BadRecordSizeLimit(limit) => write!(f, "a record size limit of {limit} bytes is outside 64 to 16384"),
            Self::BadMaxFragmentLength(limit) => {
                write!(f, "a maximum fragment length is 512, 1024, 2048 or 4096 bytes, not {limit}")
            }
            Self::UnsupportedSrtpProfile(profile) => write!(f, "the SRTP profile {profile} is not supported"),
            Self::BadSrtpMki => {
                f.write_str("an SRTP master key identifier is too long, or there are no profiles for it")
            }
            Self::NoRandomness => f.write_str("the random source does not work"),
        }
    }
}

impl core::error::Error for ConfigError {}
