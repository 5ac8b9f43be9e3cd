//! The record layer of an established association as bytes: numbers, windows and counts, without keys.
//!
//! Whoever has the secrets makes the keys anew, and this says where they go on. RFC 6347 §4.1, RFC 9147 §4.

use alloc::vec::Vec;

use gramseal_wire::{DecodeError, Epoch, ProtocolVersion, Reader, SequenceNumber, Writer};

use super::ContentLimits;
use super::epoch::{NUMBERS_END, ReadEpoch, WriteEpoch};
use super::layer::RecordLayer;
use super::limits::blocks;
use super::replay::ReplayWindow;

/// What a record of the greatest length is charged with.
const LARGEST: u64 = blocks(super::MAX_CONTENT_LEN);

/// Epochs that can be read at once.
const MAX_READ_EPOCHS: usize = 3;

/// What was written of a record layer.
pub(crate) struct RecordImage {
    write: WriteImage,
    /// Ascending.
    read: Vec<ReadImage>,
    replay_window: u32,
    read_limits: ContentLimits,
    write_limits: ContentLimits,
}

struct WriteImage {
    epoch: Epoch,
    next: u64,
    end: u64,
    sealed_blocks: u64,
}

struct ReadImage {
    epoch: Epoch,
    failed_opens: u64,
    window: ReplayWindow,
}

impl RecordLayer {
    /// Writes what keys go on from, of the newest epoch to write and of those to read that `has_keys`.
    ///
    /// With `reserved` the number to go on from is so many higher, and none below it is left to whoever reads the
    /// image: it may seal nothing before it has written an image of its own.
    pub(crate) fn write_image(&self, w: &mut Writer<'_>, has_keys: impl Fn(Epoch) -> bool, reserved: Option<u64>) {
        let write = self.write.newest();
        let skipped = reserved.unwrap_or(0);
        w.u64(write.epoch().0);
        w.u64(write.next.saturating_add(skipped).min(NUMBERS_END));
        w.u64(if reserved.is_some() { 0 } else { write.end });
        // Each of them may have been of the greatest length.
        w.u64(write.sealed_blocks.saturating_add(skipped.saturating_mul(LARGEST)));
        w.vec16(|w| {
            for epoch in self.read.oldest_first().filter(|epoch| epoch.is_protected() && has_keys(epoch.epoch())) {
                w.u64(epoch.epoch().0);
                w.u64(epoch.failed_opens);
                if let Some(window) = &epoch.window {
                    window.write_image(w);
                }
            }
        });
        w.u32(self.replay_window());
        for ContentLimits { unprotected, protected } in [self.read_limits, self.write_limits] {
            w.u16(unprotected);
            w.u16(protected);
        }
    }

    /// The number of the record that would be sealed `skipped` records later.
    pub(crate) fn number_after(&self, skipped: u64) -> Option<SequenceNumber> {
        let next = self.write.newest().next.checked_add(skipped)?;
        Some(SequenceNumber(next)).filter(|number| *number <= SequenceNumber::MAX)
    }

    /// From now on only records below this number are sealed, and none in later epochs.
    pub(crate) fn reserve(&mut self, below: SequenceNumber) {
        self.write.newest_mut().end = below.0.min(NUMBERS_END);
    }

    /// Nothing is sealed any more until [`Self::reserve`] says otherwise.
    pub(crate) fn stop_sealing(&mut self) {
        self.write.newest_mut().end = 0;
    }

    /// There are no numbers but those that the protocol ends at.
    pub(crate) fn unreserve(&mut self) {
        self.write.newest_mut().end = NUMBERS_END;
    }

    /// How many records may still be sealed; `None` for as many as the protocol allows.
    #[inline]
    pub(crate) fn reserved_left(&self) -> Option<u64> {
        let write = self.write.newest();
        (write.end < NUMBERS_END).then(|| write.end.saturating_sub(write.next))
    }
}

impl RecordImage {
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let epoch = read_epoch(r)?;
        let (next, end, sealed_blocks) = (r.u64()?, r.u64()?, r.u64()?);
        if next > NUMBERS_END || end > NUMBERS_END {
            return Err(DecodeError::IllegalValue);
        }
        let write = WriteImage { epoch, next, end, sealed_blocks };
        let (mut epochs, mut read) = (Reader::new(r.vec16()?), Vec::new());
        while !epochs.is_empty() {
            let image = ReadImage {
                epoch: read_epoch(&mut epochs)?,
                failed_opens: epochs.u64()?,
                window: ReplayWindow::read_image(&mut epochs)?,
            };
            if read.len() >= MAX_READ_EPOCHS || read.last().is_some_and(|last: &ReadImage| last.epoch >= image.epoch) {
                return Err(DecodeError::IllegalValue);
            }
            read.push(image);
        }
        if read.is_empty() {
            return Err(DecodeError::EmptyVector);
        }
        let replay_window = r.u32()?;
        let mut limits = || Ok::<_, DecodeError>(ContentLimits { unprotected: r.u16()?, protected: r.u16()? });
        Ok(Self { write, read, replay_window, read_limits: limits()?, write_limits: limits()? })
    }

    /// The epochs that can be read, ascending.
    pub(crate) fn read_epochs(&self) -> impl Iterator<Item = Epoch> {
        self.read.iter().map(|image| image.epoch)
    }

    /// The newest epoch that can be read.
    pub(crate) fn newest_read_epoch(&self) -> Epoch {
        self.read.last().map_or(Epoch::UNPROTECTED, |image| image.epoch)
    }

    /// The epoch that is written.
    pub(crate) fn write_epoch(&self) -> Epoch {
        self.write.epoch
    }

    /// The record layer once more: `read` has the epochs of [`Self::read_epochs`] with new keys, in their order,
    /// and `write` is that of [`Self::write_epoch`].
    pub(crate) fn into_layer(
        self,
        version: ProtocolVersion,
        read: Vec<ReadEpoch>,
        mut write: WriteEpoch,
    ) -> RecordLayer {
        let mut layer = RecordLayer::new(SequenceNumber(0), self.replay_window);
        layer.set_version(version);
        layer.limit_content(self.read_limits, self.write_limits);
        let oldest = self.read.first().map_or(Epoch::UNPROTECTED, |image| image.epoch);
        for (mut epoch, image) in read.into_iter().zip(self.read) {
            epoch.failed_opens = image.failed_opens;
            epoch.window = Some(image.window);
            layer.install_read(epoch);
        }
        layer.retire_read_before(oldest);
        let newest = write.epoch();
        write.next = self.write.next;
        write.end = self.write.end;
        write.sealed_blocks = self.write.sealed_blocks;
        layer.install_write(write);
        layer.retire_write_before(newest);
        layer
    }
}

/// RFC 9147 §8: of an epoch that can have keys.
fn read_epoch(r: &mut Reader<'_>) -> Result<Epoch, DecodeError> {
    let epoch = Epoch(r.u64()?);
    if epoch == Epoch::UNPROTECTED || epoch.0 >= 1 << 48 { Err(DecodeError::IllegalValue) } else { Ok(epoch) }
}
