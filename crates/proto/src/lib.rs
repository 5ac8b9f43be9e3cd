//! DTLS 1.3 and 1.2 as a sans-I/O protocol: datagrams and time in, datagrams and events out.
//!
//! Nothing here opens a socket, reads a clock or starts a thread, so the protocol runs wherever
//! datagrams can be moved. Most programs want the `gramseal` crate, which puts this one on tokio
//! and UDP.
//!
//! - [`Connection`] is one association with one peer; where the peer is already known, as with ICE,
//!   nothing else is needed.
//! - [`endpoint`] tells the peers of one socket apart and asks clients for cookies.
//! - [`config`] says who we are, whom to trust and how to treat the network. Cryptography comes from
//!   a provider ([`crypto`]), usually the one of `gramseal-aws-lc`; rules for certificates from
//!   `gramseal-webpki`.
//! - What an outsider sends is at most a [`Discard`], which is counted; an [`Error`] ends an
//!   association.
//!
//! Feature `std` (off by default) adds `Instant::now`, a clock for callers that have none of their own, and what
//! [`session`] keeps in memory.

#![no_std]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod cid;
pub mod config;
mod connection;
pub mod crypto;
mod discard;
mod encoding;
pub mod endpoint;
mod error;
mod flight;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod keylog;
mod message;
mod padding;
mod record;
pub mod session;
mod suite;
mod time;
mod trace;

pub use cid::{Cid, CidGenerator, CidLengths, RandomCids};
pub use connection::{
    AuthenticateClientError, Checkpoint, ClientAnswer, CloseReason, Connection, Event, ExportError, FirstHello,
    ImageKey, ImportError, Imported, NewCidsError, NotMovable, PathCheckCounts, Received, SealedBatch, SendEarlyError,
    SrtpKeys, SrtpMasterKey, Stats, Timer, UpdateKeysError,
};
pub use discard::{Discard, DiscardCounts};
pub use error::{
    AlertReceived, CertificateFault, CrlFault, Error, Incompatible, LocalFault, Malformed, Misfit, OcspFault,
    PeerFault, SendError, TimedOut,
};
pub use gramseal_wire as wire;
pub use handshake::{Deferred, EarlyDataAnswer, Negotiated, Settled, Srtp};
pub use keylog::KeyLog;
pub use pki_types;
pub use time::Instant;
pub use trace::{Direction, Trace, TraceEvent, Traced};
