//! DTLS 1.2 and 1.3 wire formats: bytes to typed messages and back.
//!
//! Owns: every byte layout of RFC 6347, RFC 9147, RFC 9146, RFC 9853 and of the TLS documents they build on.
//! Never does: keep state, hold keys, decide what a message means, or panic on input. A value that was read is
//! well formed; whether it is acceptable is the caller's question.
//!
//! Readers borrow from the bytes given to them. Code points are open newtypes, so unknown values survive
//! a round trip.
//!
//! ```
//! use gramseal_wire::{Alert, AlertDescription, Codec, DecodeError, RecordHeader, Records};
//!
//! # fn main() -> Result<(), DecodeError> {
//! let datagram = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 2, 40];
//! for record in Records::new(&datagram, 0) {
//!     let record = record?;
//!     assert!(matches!(record.header, RecordHeader::Plaintext(header) if header.sequence_number.0 == 7));
//!     assert_eq!(Alert::from_bytes(record.body)?, Alert::new(AlertDescription::HANDSHAKE_FAILURE));
//! }
//! # Ok(())
//! # }
//! ```

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
