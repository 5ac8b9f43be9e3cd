//! Bytes to authentic content and back: the only code that touches traffic keys.
//!
//! Owns: the epochs of one association with their keys, sequence numbers, replay windows and usage
//! limits. Never does: look into content, keep application data, or end an association.
//! RFC 6347 §4.1, RFC 9147 §4.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod ahead;
mod cids;
mod epoch;
mod image;
mod inner;
mod layer;
mod limits;
mod open;
mod protect12;
mod protect13;
mod replay;
mod seal;
#[cfg(test)]
mod test_keys;

use gramseal_wire::Epoch;

pub(crate) use ahead::RecordsAhead;
pub(crate) use cids::Cids;
pub(crate) use epoch::{ReadEpoch, SealError, WriteEpoch};
pub(crate) use image::RecordImage;
pub(crate) use layer::RecordLayer;
pub(crate) use open::{Opened, Record, split_record};
#[cfg(any(test, fuzzing))]
pub(crate) use replay::ReplayWindow;

/// The most bytes of content that a record carries (RFC 6347 §4.1).
const MAX_CONTENT_LEN: usize = 1 << 14;

/// How many bytes of content the records of one direction may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentLimits {
    /// In epoch 0.
    pub(crate) unprotected: u16,
    /// In all other epochs.
    pub(crate) protected: u16,
}

impl ContentLimits {
    /// What the protocol allows.
    pub(crate) const PROTOCOL: Self = Self { unprotected: 1 << 14, protected: 1 << 14 };

    /// At most what the protocol allows.
    fn of(self, epoch: Epoch) -> usize {
        let limit = if epoch == Epoch::UNPROTECTED { self.unprotected } else { self.protected };
        usize::from(limit).min(MAX_CONTENT_LEN)
    }
}
