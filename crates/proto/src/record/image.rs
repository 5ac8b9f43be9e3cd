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

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use gramseal_wire::{ContentType, DecodeError, Epoch, ProtocolVersion, Reader, SequenceNumber, Writer};

    use super::{LARGEST, NUMBERS_END, RecordImage};
    use crate::crypto::{AeadAlgorithm, RecordKeys13};
    use crate::discard::Discard;
    use crate::record::test_keys::test_keys13;
    use crate::record::{ContentLimits, ReadEpoch, RecordLayer, SealError, WriteEpoch, split_record};

    const DATA: ContentType = ContentType::APPLICATION_DATA;
    const LIMITS: ContentLimits = ContentLimits { unprotected: 600, protected: 500 };

    fn keys(epoch: u64) -> RecordKeys13 {
        test_keys13(AeadAlgorithm::Aes128Gcm, u8::try_from(epoch).expect("a low one"))
    }

    fn write_epoch(epoch: u64) -> WriteEpoch {
        WriteEpoch::dtls13(Epoch(epoch), keys(epoch))
    }

    fn read_epoch(epoch: u64) -> ReadEpoch {
        ReadEpoch::dtls13(Epoch(epoch), keys(epoch), 128)
    }

    /// Reads what it writes in epochs 3 and 4.
    fn layer() -> RecordLayer {
        let mut layer = RecordLayer::new(SequenceNumber(0), 128);
        layer.set_version(ProtocolVersion::DTLS1_3);
        layer.limit_content(LIMITS, ContentLimits { protected: 400, ..LIMITS });
        for epoch in [3, 4] {
            layer.install_write(write_epoch(epoch));
            layer.install_read(read_epoch(epoch));
        }
        layer
    }

    fn image(layer: &RecordLayer, reserved: Option<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        layer.write_image(&mut w, |_| true, reserved);
        w.finish().expect("short lists");
        bytes
    }

    fn restored(bytes: &[u8]) -> RecordLayer {
        let mut r = Reader::new(bytes);
        let image = RecordImage::read(&mut r).expect("it was written");
        assert!(r.is_empty());
        let read: Vec<_> = image.read_epochs().map(|epoch| read_epoch(epoch.0)).collect();
        let write = write_epoch(image.write_epoch().0);
        image.into_layer(ProtocolVersion::DTLS1_3, read, write)
    }

    fn seal(layer: &mut RecordLayer, epoch: u64) -> Result<Vec<u8>, SealError> {
        let mut out = [0; 64];
        layer.seal(Epoch(epoch), DATA, b"x", &mut out).map(|len| out[..len].to_vec())
    }

    fn open(layer: &mut RecordLayer, record: &[u8]) -> Result<Vec<u8>, Discard> {
        let mut record = record.to_vec();
        let record = split_record(&mut record.as_mut_slice(), None).ok().flatten().expect("a record");
        layer.open(record).map(|opened| opened.content.to_vec())
    }

    #[test] // RFC 9147 §4.5.1
    fn numbers_windows_and_counts_go_on_where_they_were() {
        let mut old = layer();
        let records = [3, 4, 4].map(|epoch| seal(&mut old, epoch).expect("seals"));
        assert!(open(&mut old, &records[0]).is_ok() && open(&mut old, &records[1]).is_ok());
        let mut forged = records[2].clone();
        *forged.last_mut().expect("a record") ^= 1;
        assert_eq!(open(&mut old, &forged), Err(Discard::BadTag));

        let mut new = restored(&image(&old, None));
        assert_eq!(image(&new, None), image(&old, None));
        assert_eq!(new.replay_window(), 128);
        assert_eq!((new.max_content(Epoch(4)), new.newest_read_epoch()), (400, Epoch(4)));
        for (record, expected) in
            records.iter().zip([Err(Discard::Replayed), Err(Discard::Replayed), Ok(b"x".to_vec())])
        {
            assert_eq!(open(&mut new, record), expected);
        }
        assert_eq!(seal(&mut new, 4), seal(&mut old, 4), "the same number is next");
        assert_eq!(seal(&mut new, 3), Err(SealError::NoSuchEpoch));
        assert!(new.can_read(Epoch(3)) && !new.can_read(Epoch(0)));
    }

    #[test]
    fn epochs_whose_keys_are_gone_are_left_out() {
        let mut bytes = Vec::new();
        layer().write_image(&mut Writer::new(&mut bytes), |epoch| epoch == Epoch(4), None);
        let image = RecordImage::read(&mut Reader::new(&bytes)).expect("it was written");
        assert_eq!(image.read_epochs().collect::<Vec<_>>(), [Epoch(4)]);
        assert_eq!(image.newest_read_epoch(), Epoch(4));
    }

    #[test] // RFC 6347 §4.1: no number twice
    fn what_is_reserved_is_sealed_by_one_side_alone() {
        let mut old = layer();
        assert_eq!((old.reserved_left(), old.number_after(5)), (None, Some(SequenceNumber(5))));
        old.reserve(SequenceNumber(2));
        let mut new = restored(&image(&old, Some(2)));
        assert_eq!(old.reserved_left(), Some(2));
        assert_eq!(new.reserved_left(), Some(0));
        assert_eq!(seal(&mut new, 4), Err(SealError::Reserved));
        assert!(seal(&mut old, 4).is_ok() && seal(&mut old, 4).is_ok());
        assert_eq!(seal(&mut old, 4), Err(SealError::Reserved));

        new.reserve(SequenceNumber(3));
        assert_eq!(new.reserved_left(), Some(1));
        let record = seal(&mut new, 4).expect("one is left");
        assert_eq!(open(&mut old, &record), Ok(b"x".to_vec()));
        new.unreserve();
        assert_eq!(new.reserved_left(), None);
        assert!(seal(&mut new, 4).is_ok());
        new.stop_sealing();
        assert_eq!((new.reserved_left(), seal(&mut new, 4)), (Some(0), Err(SealError::Reserved)));
    }

    #[test] // RFC 9147 §4.5.3
    fn what_is_reserved_counts_as_sealed() {
        let written =
            |reserved| RecordImage::read(&mut Reader::new(&image(&layer(), reserved))).expect("an image").write;
        assert_eq!((written(None).next, written(None).sealed_blocks), (0, 0));
        assert_eq!((written(Some(7)).next, written(Some(7)).sealed_blocks), (7, 7 * LARGEST));
        assert_eq!(written(Some(u64::MAX)).next, NUMBERS_END);
        assert_eq!(layer().number_after(NUMBERS_END), None);
        assert_eq!(layer().number_after(NUMBERS_END - 1), Some(SequenceNumber::MAX));
        assert_eq!(layer().number_after(u64::MAX), None);
    }

    #[test]
    fn a_new_epoch_of_who_has_reserved_seals_nothing_before_it_reserves_again() {
        let mut layer = layer();
        layer.reserve(SequenceNumber(2));
        layer.install_write(write_epoch(5));
        assert_eq!(seal(&mut layer, 5), Err(SealError::Reserved));
        layer.reserve(SequenceNumber(1));
        assert!(seal(&mut layer, 5).is_ok());
    }

    #[test]
    fn an_image_that_cannot_be_is_refused() {
        let good = image(&layer(), None);
        let refused = |at: usize, value: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + value.len()].copy_from_slice(value);
            RecordImage::read(&mut Reader::new(&bytes)).err()
        };
        let number = |number: u64| number.to_be_bytes();
        assert_eq!(refused(8, &number(NUMBERS_END)), None, "all of them are used up");
        // Where the written epoch, its next number and its end stand; then the epochs that are read.
        for (at, value) in [(0, 0), (0, 1 << 48), (8, NUMBERS_END + 1), (16, NUMBERS_END + 1), (34, 0), (34, 4)] {
            assert_eq!(refused(at, &number(value)), Some(DecodeError::IllegalValue), "{at} {value}");
        }
        let list = usize::from(u16::from_be_bytes([good[32], good[33]]));
        let without = [&good[..32], &[0, 0], &good[34 + list..]].concat();
        assert_eq!(RecordImage::read(&mut Reader::new(&without)).err(), Some(DecodeError::EmptyVector));
        for len in 0..good.len() {
            assert!(RecordImage::read(&mut Reader::new(&good[..len])).is_err(), "{len}");
        }
    }

    #[test]
    fn an_image_has_as_many_epochs_as_a_layer() {
        let mut three = layer();
        three.install_read(read_epoch(5));
        let bytes = image(&three, None);
        assert!(RecordImage::read(&mut Reader::new(&bytes)).is_ok());
        // The last of them once more, with a higher number.
        let list = usize::from(u16::from_be_bytes([bytes[32], bytes[33]]));
        let (each, end) = (list / 3, 34 + list);
        let mut fourth = bytes[end - each..end].to_vec();
        fourth[7] = 6;
        let longer = u16::try_from(list + each).expect("short").to_be_bytes();
        let four = [&bytes[..32], &longer, &bytes[34..end], &fourth, &bytes[end..]].concat();
        assert_eq!(RecordImage::read(&mut Reader::new(&four)).err(), Some(DecodeError::IllegalValue));
    }
}
