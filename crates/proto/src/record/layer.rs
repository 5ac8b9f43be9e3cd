//! Which epochs of an association can be read and written.
//!
//! At most three a side: previous, current and next. The receive path is in `open.rs`, the send
//! path in `seal.rs`. RFC 6347 §4.1, RFC 9147 §4.2.1.

use alloc::boxed::Box;
use core::mem;

use gramseal_wire::{Epoch, ProtocolVersion, RecordNumber, SequenceNumber};

use super::ContentLimits;
use super::cids::Cids;
use super::epoch::{ReadEpoch, WriteEpoch};
use crate::crypto::RecordKeys13;
use crate::padding::Padding;

/// The record layer of one association.
pub(crate) struct RecordLayer {
    pub(super) read: Epochs<ReadEpoch>,
    pub(super) write: Epochs<WriteEpoch>,
    version: Option<ProtocolVersion>,
    replay_window: u32,
    pub(super) read_limits: ContentLimits,
    pub(super) write_limits: ContentLimits,
    padding: Padding,
    /// The most bytes that padding may make a record have.
    largest_record: u32,
    /// `None`: records have no connection ids.
    pub(super) cids: Option<Box<Cids>>,
}

impl RecordLayer {
    /// With epoch 0 in both directions, writing from the sequence number `first_write`.
    /// `replay_window` is the number of records for [`Self::replay_window`].
    pub(crate) fn new(first_write: SequenceNumber, replay_window: u32) -> Self {
        Self {
            read: Epochs::new(ReadEpoch::plaintext()),
            write: Epochs::new(WriteEpoch::plaintext(first_write)),
            version: None,
            replay_window,
            read_limits: ContentLimits::PROTOCOL,
            write_limits: ContentLimits::PROTOCOL,
            padding: Padding::None,
            largest_record: u32::MAX,
            cids: None,
        }
    }

    /// How application data of 1.3 is padded from now on.
    pub(crate) fn set_padding(&mut self, padding: Padding) {
        self.padding = padding;
    }

    /// From now on no padding makes a record longer than this, in bytes.
    pub(crate) fn set_largest_record(&mut self, bytes: usize) {
        self.largest_record = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// Bytes that are added to application data of `content_len` bytes in `epoch`.
    #[inline]
    pub(crate) fn padding(&self, epoch: Epoch, content_len: usize) -> usize {
        if self.padding == Padding::None || !self.write.find(epoch).is_some_and(|epoch| epoch.can_pad(self.peer_cid()))
        {
            return 0;
        }
        let room = (self.largest_record as usize).saturating_sub(self.overhead(epoch));
        self.padding.of(content_len, room.min(self.max_content(epoch)))
    }

    /// The configured size of the replay windows, in records.
    pub(crate) fn replay_window(&self) -> u32 {
        self.replay_window
    }

    /// Fixes the version: records go out with it, and protected ones must come in with it.
    pub(crate) fn set_version(&mut self, version: ProtocolVersion) {
        self.version = Some(version);
    }

    /// From now on records with more content than `read` allows are dropped, and none with more than
    /// `write` allows is sealed.
    pub(crate) fn limit_content(&mut self, read: ContentLimits, write: ContentLimits) {
        self.read_limits = read;
        self.write_limits = write;
    }

    /// How many bytes of content a record of `epoch` may have that we seal.
    #[inline]
    pub(crate) fn max_content(&self, epoch: Epoch) -> usize {
        let limit = self.write_limits.of(epoch);
        if self.cids.is_none() {
            return limit;
        }
        // RFC 9146 §5: the type counts as well.
        let names_type = self.write.find(epoch).is_some_and(|epoch| epoch.names_type_within(self.peer_cid()));
        limit - usize::from(names_type && limit > 0)
    }

    /// Makes a newer epoch readable. The oldest one goes if it would be the fourth.
    pub(crate) fn install_read(&mut self, epoch: ReadEpoch) {
        self.read.install(epoch);
    }

    /// Makes a newer epoch writable. The oldest one goes if it would be the fourth.
    pub(crate) fn install_write(&mut self, mut epoch: WriteEpoch) {
        // Whoever goes on from an image may make the same keys: see `image.rs`.
        if self.reserved_left().is_some() {
            epoch.end = 0;
        }
        self.write.install(epoch);
    }

    /// Forgets all epochs before `epoch` for reading.
    pub(crate) fn retire_read_before(&mut self, epoch: Epoch) {
        self.read.retire_before(epoch);
    }

    /// Forgets all epochs before `epoch` for writing.
    pub(crate) fn retire_write_before(&mut self, epoch: Epoch) {
        self.write.retire_before(epoch);
    }

    /// Frees the expanded keys of the newest epochs until [`Self::wake`] (1.3 only).
    pub(crate) fn rest(&mut self) {
        self.read.newest.rest();
        self.write.newest.rest();
    }

    /// Goes on with the keys of the newest epochs, expanded anew.
    pub(crate) fn wake(&mut self, read: RecordKeys13, write: RecordKeys13) {
        self.read.newest.wake(read);
        self.write.newest.wake(write);
    }

    /// Forgets all keys: nothing protected is opened or sealed any more.
    pub(crate) fn forget_keys(&mut self) {
        self.read = Epochs::new(ReadEpoch::plaintext());
        self.write = Epochs::new(WriteEpoch::plaintext(SequenceNumber(0)));
    }

    /// Whether records of `epoch` can be opened.
    #[cfg(test)]
    pub(crate) fn can_read(&self, epoch: Epoch) -> bool {
        self.read.find(epoch).is_some()
    }

    /// The newest epoch that can be read.
    #[inline]
    pub(crate) fn newest_read_epoch(&self) -> Epoch {
        self.read.newest().epoch()
    }

    /// The newest epoch that can be written.
    #[inline]
    pub(crate) fn write_epoch(&self) -> Epoch {
        self.write.newest().epoch()
    }

    /// The newest epoch that alerts and ACKs can go out in: never that of early data, which the peer need not be
    /// able to read (rfc9147bis §7).
    pub(crate) fn speaking_epoch(&self) -> Epoch {
        let newest = self.write.newest();
        if newest.is_dtls13() && newest.epoch() == Epoch::EARLY_DATA { Epoch::UNPROTECTED } else { newest.epoch() }
    }

    /// The number of the next record that `epoch` seals; `None` without keys or numbers.
    pub(crate) fn next_write_number(&self, epoch: Epoch) -> Option<RecordNumber> {
        self.write.find(epoch).and_then(WriteEpoch::next_number)
    }

    /// Bytes that a record of `epoch` has beyond its payload, header included. Of an epoch that is
    /// not there, those of the newest one.
    #[inline]
    pub(crate) fn overhead(&self, epoch: Epoch) -> usize {
        self.write.find(epoch).unwrap_or_else(|| self.write.newest()).overhead(self.peer_cid())
    }

    /// Bytes of the record of `epoch` that holds `content_len` bytes.
    #[inline]
    pub(crate) fn sealed_len(&self, epoch: Epoch, content_len: usize) -> usize {
        self.write.find(epoch).map_or(0, |epoch| epoch.sealed_len(content_len, self.peer_cid()))
    }

    /// Whether less than a sixteenth is left of what the newest epoch may seal, or it has sealed
    /// `records_per_key` records.
    /// RFC 9147 §4.5.3, RFC 9325 §4.4: time for new keys, or for the end.
    #[inline]
    pub(crate) fn nearly_exhausted(&self, records_per_key: u64) -> bool {
        self.write.newest().is_nearly_exhausted(records_per_key)
    }

    /// Whether the newest epoch has met so many forgeries that it opens nothing any more.
    /// RFC 9147 §4.5.3: the association should be closed.
    pub(crate) fn forgery_limit_reached(&self) -> bool {
        self.read.newest().is_worn_out()
    }

    /// Whether the newest epoch has met half of the forgeries that it may.
    /// RFC 9147 §4.5.3: the peer should be asked for new keys.
    pub(crate) fn nears_forgery_limit(&self) -> bool {
        self.read.newest().is_wearing_out()
    }

    /// The version that was agreed on, if one was.
    #[inline]
    pub(crate) fn version(&self) -> Option<ProtocolVersion> {
        self.version
    }

    /// The version for records to be sent. Before one is agreed on it is DTLS 1.0, which every
    /// server takes in a ClientHello and which RFC 6347 §4.2.1 wants in a HelloVerifyRequest.
    #[inline]
    pub(super) fn write_version(&self) -> ProtocolVersion {
        match self.version {
            None => ProtocolVersion::DTLS1_0,
            // RFC 9147 §4: what a record without protection says in 1.3 too.
            Some(_) => ProtocolVersion::DTLS1_2,
        }
    }
}

/// Something that belongs to an epoch.
pub(super) trait InEpoch {
    fn epoch(&self) -> Epoch;
}

impl InEpoch for ReadEpoch {
    fn epoch(&self) -> Epoch {
        Self::epoch(self)
    }
}

impl InEpoch for WriteEpoch {
    fn epoch(&self) -> Epoch {
        Self::epoch(self)
    }
}

/// The epochs of one direction.
///
/// Nearly all records are of the newest one. Those before it are on the heap: a connection has them for a
/// moment, and would have room for them all its life.
pub(super) struct Epochs<T> {
    newest: T,
    /// The newer one first.
    older: [Option<Box<T>>; 2],
}

impl<T: InEpoch> Epochs<T> {
    fn new(first: T) -> Self {
        Self { newest: first, older: [None, None] }
    }

    fn install(&mut self, value: T) {
        let newest = self.newest.epoch();
        debug_assert!(value.epoch() > newest, "epochs are installed in order");
        // A second install of an epoch would begin its sequence numbers anew under the same key.
        if value.epoch() <= newest {
            return;
        }
        let previous = Box::new(mem::replace(&mut self.newest, value));
        let [newer, older] = &mut self.older;
        *older = newer.replace(previous);
    }

    /// The newest one always stays.
    fn retire_before(&mut self, epoch: Epoch) {
        for slot in &mut self.older {
            if slot.as_ref().is_some_and(|value| value.epoch() < epoch) {
                *slot = None;
            }
        }
    }

    #[inline]
    pub(super) fn newest(&self) -> &T {
        &self.newest
    }

    pub(super) fn newest_mut(&mut self) -> &mut T {
        &mut self.newest
    }

    pub(super) fn oldest_first(&self) -> impl Iterator<Item = &T> {
        let older = self.older.iter().rev().flatten().map(|value| &**value);
        older.chain(core::iter::once(&self.newest))
    }

    #[inline]
    pub(super) fn find(&self, epoch: Epoch) -> Option<&T> {
        if self.newest.epoch() == epoch {
            return Some(&self.newest);
        }
        self.older.iter().flatten().map(|value| &**value).find(|value| value.epoch() == epoch)
    }

    #[inline]
    pub(super) fn find_mut(&mut self, epoch: Epoch) -> Option<&mut T> {
        self.find_newest_mut(|value| value.epoch() == epoch)
    }

    /// Whether any of them `fits`.
    pub(super) fn any(&self, fits: impl Fn(&T) -> bool) -> bool {
        fits(&self.newest) || self.older.iter().flatten().any(|value| fits(value))
    }

    /// The newest one that `fits`.
    #[inline]
    pub(super) fn find_newest_mut(&mut self, fits: impl Fn(&T) -> bool) -> Option<&mut T> {
        if fits(&self.newest) {
            return Some(&mut self.newest);
        }
        self.older.iter_mut().flatten().map(|value| &mut **value).find(|value| fits(value))
    }
}

#[cfg(test)]
mod tests {
    use gramseal_wire::{ContentType, Epoch, ProtocolVersion, RecordNumber, SequenceNumber};

    use super::RecordLayer;
    use crate::crypto::AeadAlgorithm;
    use crate::discard::Discard;
    use crate::record::test_keys::{test_keys, test_keys13};
    use crate::record::{ReadEpoch, SealError, WriteEpoch, split_record};

    const DATA: ContentType = ContentType::APPLICATION_DATA;

    #[test]
    fn three_epochs_a_side_are_kept_at_most() {
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        for number in 1..=3 {
            let keys = || test_keys(AeadAlgorithm::Aes128Gcm, 1);
            layer.install_read(ReadEpoch::dtls12(Epoch(number), keys(), layer.replay_window()));
            layer.install_write(WriteEpoch::dtls12(Epoch(number), keys()));
        }
        assert_eq!((layer.newest_read_epoch(), layer.write_epoch()), (Epoch(3), Epoch(3)));
        for number in 0..=4 {
            let kept = (1..=3).contains(&number);
            assert_eq!(layer.can_read(Epoch(number)), kept, "{number}");
            assert_eq!(layer.write.find(Epoch(number)).is_some(), kept, "{number}");
        }
        layer.retire_write_before(Epoch(3));
        assert!(layer.write.find(Epoch(2)).is_none() && layer.write.find(Epoch(3)).is_some());
    }

    #[test] // RFC 6347 §4.1
    #[cfg_attr(debug_assertions, should_panic(expected = "in order"))]
    fn an_epoch_is_never_installed_twice() {
        let mut layer = RecordLayer::new(SequenceNumber(7), 64);
        layer.install_write(WriteEpoch::plaintext(SequenceNumber(0)));
        let next = layer.write.newest().next_number();
        assert_eq!(next, Some(RecordNumber::new(Epoch(0), SequenceNumber(7))), "its numbers go on");
    }

    #[test]
    fn what_rests_seals_and_opens_nothing_and_goes_on_where_it_was() {
        let keys = || test_keys13(AeadAlgorithm::Aes128Gcm, 1);
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        layer.set_version(ProtocolVersion::DTLS1_3);
        layer.install_write(WriteEpoch::dtls13(Epoch::APPLICATION, keys()));
        layer.install_read(ReadEpoch::dtls13(Epoch::APPLICATION, keys(), 64));
        let seal = |layer: &mut RecordLayer| {
            let mut out = [0; 64];
            layer.seal(Epoch::APPLICATION, DATA, b"x", &mut out).map(|len| out[..len].to_vec())
        };
        let open = |layer: &mut RecordLayer, record: &[u8]| {
            let mut record = record.to_vec();
            let record = split_record(&mut record.as_mut_slice(), None).ok().flatten().expect("a record");
            layer.open(record).map(|opened| opened.content.to_vec())
        };
        let [first, second] = [0; 2].map(|_| seal(&mut layer).expect("seals"));
        assert_eq!(open(&mut layer, &first), Ok(b"x".to_vec()));
        layer.rest();
        assert_eq!(seal(&mut layer), Err(SealError::Crypto));
        assert!(open(&mut layer, &second).is_err());
        layer.wake(keys(), keys());
        assert_eq!(open(&mut layer, &second), Ok(b"x".to_vec()));
        assert_eq!(open(&mut layer, &first), Err(Discard::Replayed));
        let third = seal(&mut layer).expect("seals");
        assert!(third != first && third != second, "its number is new");
        assert_eq!(open(&mut layer, &third), Ok(b"x".to_vec()));
    }

    #[test] // rfc9147bis §7
    fn alerts_and_acks_go_out_in_the_newest_epoch_but_that_of_early_data() {
        let keys = || test_keys13(AeadAlgorithm::Aes128Gcm, 1);
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        for (epoch, speaking) in [
            (Epoch::EARLY_DATA, Epoch::UNPROTECTED),
            (Epoch::HANDSHAKE, Epoch::HANDSHAKE),
            (Epoch::APPLICATION, Epoch::APPLICATION),
        ] {
            layer.install_write(WriteEpoch::dtls13(epoch, keys()));
            assert_eq!(layer.speaking_epoch(), speaking);
        }
        let mut older = RecordLayer::new(SequenceNumber(0), 64);
        older.install_write(WriteEpoch::dtls12(Epoch(1), test_keys(AeadAlgorithm::Aes128Gcm, 1)));
        assert_eq!(older.speaking_epoch(), Epoch(1));
    }

    #[test] // RFC 9147 §4.5.3
    fn half_of_the_forgeries_that_a_key_may_meet_are_a_warning() {
        let mut layer = RecordLayer::new(SequenceNumber(0), 64);
        let epoch = ReadEpoch::dtls13(Epoch::APPLICATION, test_keys13(AeadAlgorithm::Aes128Gcm, 1), 64);
        layer.install_read(epoch.with_forgery_limit(4));
        for (forgeries, near, reached) in [(0, false, false), (1, false, false), (2, true, false), (4, true, true)] {
            layer.read.newest_mut().failed_opens = forgeries;
            assert_eq!((layer.nears_forgery_limit(), layer.forgery_limit_reached()), (near, reached), "{forgeries}");
        }
    }

    #[test]
    fn stays_small() {
        // The aim: 2 KB for an idle connection, keys included.
        assert!(size_of::<RecordLayer>() <= 272, "{}", size_of::<RecordLayer>());
    }
}
