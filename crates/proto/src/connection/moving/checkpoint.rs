//! Images for the case that this process dies: what may still be sent while one of them counts.
//!
//! Two rules make that no record number is used twice with one key, nor a message number for two messages:
//!
//! ```text
//!           next                          below
//!  sealed  | reserved for this process   | of whoever imports the image
//! ---------+-----------------------------+-------------------------------> record numbers of the epoch
//! ```
//!
//! - The image begins at `below`, and this process seals nothing from there on. It also stops at the lower one of two
//!   images until it hears that the newer one has replaced the older one.
//! - What changes beside numbers and windows (a message after the handshake, ours or the peer's; new keys) is told to
//!   nobody before an image has it: nothing is sealed until then, no ACK either.
//!
//! An importer has nothing reserved, and begins with an image of its own: so the same image may be imported again by
//! the successor of one that died in between.

use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::{ProtocolVersion, SequenceNumber};

use super::{Connection, ImageKey, NotMovable};
use crate::time::Instant;

/// How many records may be reserved in 1.3. A header has 16 bits of a number, and the peer takes the one nearest to
/// what it expects (RFC 9147 §4.2.2): half a turn ahead it would take another. The other half of that is for records
/// that got lost.
const MAX_RESERVED_13: u64 = 1 << 14;
/// The same in 1.2, where headers have the whole number: a small part of what a key may seal (RFC 9325 §4.4), since an
/// image counts as sealed what is reserved.
const MAX_RESERVED_12: u64 = 1 << 20;

/// Of a connection that makes checkpoints.
#[derive(Debug, Default)]
pub(in crate::connection) struct Checkpoints {
    /// How many were made.
    made: u64,
    /// How often something changed that images have.
    changes: u64,
    /// How often something changed that images lead to, but do not have.
    moves: u64,
    /// How many records the last one that counts reserved.
    records: u64,
    /// Whether the caller has been told that one is due.
    told: bool,
}

/// An image of a connection that goes on, for whoever goes on with it if this process dies. See
/// [`Connection::checkpoint`].
pub struct Checkpoint {
    image: Vec<u8>,
    number: u64,
    changes: u64,
    moves: u64,
    records: u64,
    below: SequenceNumber,
}

impl Checkpoint {
    /// The sealed bytes: to be stored in place of those of every checkpoint before.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        &self.image
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("bytes", &self.image.len()).finish_non_exhaustive()
    }
}

impl Connection {
    /// Makes an image with which another process goes on if this one dies, and reserves the numbers of `records`
    /// records for this one: at most 16,384 in 1.3 and 2^20 in 1.2. `attached` goes along as in
    /// [`export`](Self::export). The connection goes on.
    ///
    /// Store the image **in place of the one before**, and then say so with
    /// [`checkpoint_stored`](Self::checkpoint_stored). From the first checkpoint on records are sealed only within
    /// what an image leaves to this process. A next one is due ([`Event::CheckpointDue`](crate::Event::CheckpointDue),
    /// [`checkpoint_due`](Self::checkpoint_due)) when three quarters are used up, and at once when something happens
    /// beside application data, such as new keys; until it is stored, [`seal`](Self::seal) fails with
    /// [`SendError::CheckpointDue`](crate::SendError::CheckpointDue) then, and nothing else is sent either. One is also
    /// due, while everything goes on, when the [path](Self::set_peer) has changed, of which the image knows nothing: whoever
    /// imports the one before would look for the peer where it was.
    ///
    /// # What holds then
    ///
    /// No key seals two records with one number, whenever this process dies, provided that what is imported is the
    /// image stored last, and that this process sends nothing any more once somebody else has stored an image.
    /// Importing an image again is fine as long as nobody has confirmed a later one.
    ///
    /// What the peer sends while nobody is there is lost, as datagrams are. What this process received since the image
    /// was made would be taken once more if somebody repeated it, since the image does not know of it. In 1.3 the
    /// importer follows the peer's numbers if fewer than 32,768 of its records came since (RFC 9147 §4.2.2).
    ///
    /// # Errors
    /// See [`NotMovable`].
    pub fn checkpoint(
        &mut self,
        key: &ImageKey,
        attached: &[u8],
        records: u64,
        now: Instant,
    ) -> Result<Checkpoint, NotMovable> {
        self.check_movable()?;
        let limit = match self.records.version() {
            Some(ProtocolVersion::DTLS1_3) => MAX_RESERVED_13,
            _ => MAX_RESERVED_12,
        };
        if records > limit {
            return Err(NotMovable::TooManyRecords { limit });
        }
        let below = self.records.number_after(records).ok_or(NotMovable::NumbersUsedUp)?;
        let image = self.image(key, attached, Some(records), now)?;
        let checkpoints = self.checkpoints.get_or_insert_default();
        checkpoints.made += 1;
        // The caller may store it and die before it says so.
        if self.records.reserved_left().is_none_or(|left| left > records) {
            self.records.reserve(below);
        }
        let Checkpoints { made: number, changes, moves, .. } = **checkpoints;
        Ok(Checkpoint { image, number, changes, moves, records, below })
    }

    /// The image of `checkpoint` is stored, and no earlier one is: what it reserves may be used from now on. Then call
    /// [`poll_transmit`](Self::poll_transmit), for something may have waited. Nothing happens if a later checkpoint
    /// was made, or if something happened since that the image does not have.
    pub fn checkpoint_stored(&mut self, checkpoint: &Checkpoint) {
        let Some(checkpoints) = &mut self.checkpoints else { return };
        if checkpoint.number == checkpoints.made && checkpoint.changes == checkpoints.changes {
            checkpoints.records = checkpoint.records;
            checkpoints.told = false;
            self.unread.checkpoint_due = false;
            self.records.reserve(checkpoint.below);
            if checkpoint.moves != checkpoints.moves {
                tell(checkpoints, &mut self.unread.checkpoint_due);
            }
        }
    }

    /// Every image of this connection is destroyed: from now on records are sealed as if there never had been any.
    pub fn end_checkpoints(&mut self) {
        if self.checkpoints.take().is_some() {
            self.unread.checkpoint_due = false;
            self.records.unreserve();
        }
    }

    /// Whether the connection makes checkpoints and the next one is due: little is left of what the last one reserved,
    /// nothing may be sealed before there is another, or the path has changed.
    #[inline]
    #[must_use]
    pub fn checkpoint_due(&self) -> bool {
        self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.told)
    }

    /// How many records may still be sealed before a checkpoint is needed; `None` if the connection makes none.
    #[must_use]
    pub fn checkpoint_left(&self) -> Option<u64> {
        self.checkpoints.as_ref().and_then(|_| self.records.reserved_left())
    }

    /// Whether nothing may be sealed before there is another checkpoint.
    #[inline]
    pub(in crate::connection) fn waits_for_checkpoint(&self) -> bool {
        self.checkpoints.is_some() && self.records.reserved_left() == Some(0)
    }

    /// A record was sealed.
    pub(in crate::connection) fn mind_checkpoint(&mut self) {
        let Some(checkpoints) = &mut self.checkpoints else { return };
        if self.records.reserved_left().is_some_and(|left| left <= checkpoints.records / 4) {
            tell(checkpoints, &mut self.unread.checkpoint_due);
        }
    }

    /// Something is other than the last image says.
    pub(in crate::connection) fn image_changed(&mut self) {
        let Some(checkpoints) = &mut self.checkpoints else { return };
        checkpoints.changes += 1;
        self.records.stop_sealing();
        tell(checkpoints, &mut self.unread.checkpoint_due);
    }

    /// What the caller attaches to images is other than with the last one. What that image says still holds.
    pub(in crate::connection) fn attached_changed(&mut self) {
        let Some(checkpoints) = &mut self.checkpoints else { return };
        checkpoints.moves += 1;
        tell(checkpoints, &mut self.unread.checkpoint_due);
    }
}

fn tell(checkpoints: &mut Checkpoints, due: &mut bool) {
    if !checkpoints.told {
        checkpoints.told = true;
        *due = true;
    }
}

impl Checkpoints {
    /// Of an association that goes on from an image: there is none of its own yet.
    pub(super) fn imported() -> Self {
        Self { told: true, ..Self::default() }
    }
}
