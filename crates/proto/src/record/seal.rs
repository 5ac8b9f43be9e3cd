//! The send path: content in, one record in the caller's buffer out.
//!
//! One copy, the one that the cipher makes; no allocation. RFC 6347 §4.1.

use core::fmt;

use gramseal_wire::{ContentType, Epoch};

use super::layer::RecordLayer;

/// Why a record was not sealed. Nothing of it was sent and the caller may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealError {
    /// The buffer is shorter than the content and [`RecordLayer::overhead`].
    BufferTooSmall,
    /// The content is longer than 2^14 bytes.
    TooLong,
    /// The epoch has no sequence number left, or its key has reached its limit.
    Exhausted,
    /// The epoch is not there: not yet, or not any more.
    NoSuchEpoch,
    /// The crypto provider refused; no key that it made itself should.
    Crypto,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => "the buffer is too small for the record",
            Self::TooLong => "the content is too long for one record",
            Self::Exhausted => "the key may seal no more records",
            Self::NoSuchEpoch => "the epoch has no keys",
            Self::Crypto => "the crypto provider refused to seal",
        })
    }
}

impl RecordLayer {
    /// Seals `payload` in `epoch` into the front of `out` and returns the length of the record in
    /// bytes. `out` must not overlap `payload`, and may hold anything.
    pub(crate) fn seal(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let version = self.write_version();
        let writer = self.write.find_mut(epoch).ok_or(SealError::NoSuchEpoch)?;
        writer.seal(content_type, version, payload, out)
    }
}
