//! DTLS 1.2 and 1.3 wire formats: bytes to typed messages and back.
//!
//! Owns: every byte layout of RFC 6347, RFC 9147, RFC 9146, RFC 9853 and of the TLS documents they build on.
//! Never does: keep state, hold keys, decide what a message means, or panic on input. A value that was read is
//! well formed; whether it is acceptable is the caller's question.
//!
//! Readers borrow from the bytes given to them. Code points are open newtypes, so unknown values survive
//! a round trip.

#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

extern crate alloc;

pub mod ack;
pub mod alert;
pub mod change_cipher_spec;
pub mod codec;
pub mod extension;
pub mod handshake;
pub mod numbers;
pub mod record;
pub mod registry;
pub mod return_routability;

pub use ack::*;
pub use alert::*;
pub use change_cipher_spec::*;
pub use codec::*;
pub use extension::*;
pub use handshake::*;
pub use numbers::*;
pub use record::*;
pub use registry::*;
pub use return_routability::*;
