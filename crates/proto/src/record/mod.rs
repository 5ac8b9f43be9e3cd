//! Bytes to authentic content and back: the only code that touches traffic keys.
//!
//! Owns: the epochs of one association with their keys, sequence numbers, replay windows and usage
//! limits. Never does: look into content, keep application data, or end an association.
//! RFC 6347 §4.1; built so that RFC 9147 §4 fits in beside it.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod early;
mod epoch;
mod layer;
mod limits;
mod open;
mod protect12;
mod replay;
mod seal;
#[cfg(test)]
mod test_keys;

pub(crate) use early::EarlyRecords;
pub(crate) use epoch::{ReadEpoch, WriteEpoch};
pub(crate) use layer::RecordLayer;
pub(crate) use open::{Record, split_record};
pub(crate) use seal::SealError;

/// The most bytes of content that a record carries (RFC 6347 §4.1).
pub(crate) const MAX_CONTENT_LEN: usize = 1 << 14;
