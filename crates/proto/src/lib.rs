//! DTLS 1.2 and 1.3 as a sans-I/O protocol: datagrams and time in, datagrams and events out.
//!
//! Nothing here opens a socket, reads a clock or starts a thread, so the protocol runs wherever
//! datagrams can be moved. Most programs want the `gramseal` crate, which puts this one on tokio
//! and UDP.

#![no_std]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod crypto;
mod discard;
#[allow(dead_code, unused_imports, reason = "the connection will use it")]
mod flight;
#[allow(dead_code, reason = "the handshake will use it")]
mod message;
#[allow(dead_code, unused_imports, reason = "the connection will use it")]
mod record;
mod time;

pub use discard::{Discard, DiscardCounts};
pub use time::Instant;
