//! Which epochs of an association can be read and written.
//!
//! At most three a side: previous, current and next. The receive path is in `open.rs`, the send
//! path in `seal.rs`. RFC 6347 §4.1, RFC 9147 §4.2.1.

use gramseal_wire::{Epoch, ProtocolVersion, SequenceNumber};

use super::epoch::{ReadEpoch, WriteEpoch};

/// The record layer of one association.
pub(crate) struct RecordLayer {
    pub(super) read: Epochs<ReadEpoch>,
    pub(super) write: Epochs<WriteEpoch>,
    version: Option<ProtocolVersion>,
    replay_window: u32,
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
        }
    }

    /// The configured size of the replay windows, in records.
    pub(crate) fn replay_window(&self) -> u32 {
        self.replay_window
    }

    /// Fixes the version: records go out with it, and protected ones must come in with it.
    pub(crate) fn set_version(&mut self, version: ProtocolVersion) {
        self.version = Some(version);
    }

    /// Makes a newer epoch readable. The oldest one goes if it would be the fourth.
    pub(crate) fn install_read(&mut self, epoch: ReadEpoch) {
        self.read.install(epoch);
    }

    /// Makes a newer epoch writable. The oldest one goes if it would be the fourth.
    pub(crate) fn install_write(&mut self, epoch: WriteEpoch) {
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

    /// Whether records of `epoch` can be opened.
    pub(crate) fn can_read(&self, epoch: Epoch) -> bool {
        self.read.find(epoch).is_some()
    }

    /// The newest epoch that can be read.
    pub(crate) fn newest_read_epoch(&self) -> Epoch {
        self.read.newest
    }

    /// The newest epoch that can be written.
    pub(crate) fn write_epoch(&self) -> Epoch {
        self.write.newest
    }

    /// Bytes that a record of `epoch` has beyond its payload, header included. Of an epoch that is
    /// not there, those of the newest one.
    pub(crate) fn overhead(&self, epoch: Epoch) -> usize {
        self.write.find(epoch).or_else(|| self.write.find(self.write.newest)).map_or(0, WriteEpoch::overhead)
    }

    /// Whether the newest epoch can seal only a sixteenth more than it did already, or less.
    /// RFC 9147 §4.5.3, RFC 9325 §4.4: time for new keys, or for the end.
    pub(crate) fn nearly_exhausted(&self) -> bool {
        self.write.find(self.write.newest).is_none_or(WriteEpoch::is_nearly_exhausted)
    }

    /// Whether the newest epoch has met so many forgeries that it opens nothing any more.
    /// RFC 9147 §4.5.3: the association should be closed.
    pub(crate) fn forgery_limit_reached(&self) -> bool {
        self.read.find(self.read.newest).is_some_and(ReadEpoch::is_worn_out)
    }

    /// Whether a record with this version may be looked at.
    ///
    /// No RFC says what to do with another version. In epoch 0 the major one is all that is asked
    /// for, at any time: a ClientHello may come with DTLS 1.0 (RFC 6347 §4.2.1, RFC 9147 §5.3), and
    /// a peer that refuses our version says so in its own. BoringSSL does the same; OpenSSL asks for
    /// the whole version of all but alerts, and so misses a repeated ClientHello. The content
    /// decides. A protected record must have the version that was agreed on.
    pub(super) fn accepts(&self, version: ProtocolVersion, is_protected: bool) -> bool {
        match self.version {
            Some(agreed) if is_protected => version == agreed,
            _ => version.0.to_be_bytes().first() == Some(&DTLS_MAJOR),
        }
    }

    /// The version for records to be sent. Before one is agreed on it is DTLS 1.0, which every
    /// server takes in a ClientHello and which RFC 6347 §4.2.1 wants in a HelloVerifyRequest.
    pub(super) fn write_version(&self) -> ProtocolVersion {
        self.version.unwrap_or(ProtocolVersion::DTLS1_0)
    }
}

/// The first byte of all versions of DTLS.
const DTLS_MAJOR: u8 = 0xFE;

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

/// The epochs of one direction, the newest first.
pub(super) struct Epochs<T> {
    slots: [Option<T>; 3],
    /// The newest that was ever installed; what is retired does not come back.
    newest: Epoch,
}

impl<T: InEpoch> Epochs<T> {
    fn new(first: T) -> Self {
        let newest = first.epoch();
        Self { slots: [Some(first), None, None], newest }
    }

    fn install(&mut self, value: T) {
        let epoch = value.epoch();
        debug_assert!(epoch > self.newest, "epochs are installed in order");
        // A second install of an epoch would begin its sequence numbers anew under the same key.
        if epoch <= self.newest {
            return;
        }
        self.newest = epoch;
        self.slots.rotate_right(1);
        if let Some(first) = self.slots.first_mut() {
            *first = Some(value);
        }
    }

    fn retire_before(&mut self, epoch: Epoch) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|value| value.epoch() < epoch) {
                *slot = None;
            }
        }
    }

    pub(super) fn find(&self, epoch: Epoch) -> Option<&T> {
        self.slots.iter().flatten().find(|value| value.epoch() == epoch)
    }

    pub(super) fn find_mut(&mut self, epoch: Epoch) -> Option<&mut T> {
        self.slots.iter_mut().flatten().find(|value| value.epoch() == epoch)
    }
}
