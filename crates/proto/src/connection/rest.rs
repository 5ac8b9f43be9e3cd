//! Rest: a quiet connection gives back the memory that its expanded keys take.
//!
//! The traffic secrets stay, as they do for KeyUpdate, and the keys are derived from them once more for the
//! next record, whichever side sends it.

use super::{Connection, Phase};

impl Connection {
    /// Frees the expanded keys of a connection that nobody uses for a while, about 2 KB with AES-GCM, and
    /// says whether there were any to free: after a handshake of 1.3, once nothing of it is on its way, and
    /// unless the connection rests already.
    ///
    /// Nothing else changes. The next record to be sealed or opened, which may be a forged one, derives the
    /// keys again from the traffic secrets (RFC 9846 §7.3); that takes some microseconds.
    pub fn rest(&mut self) -> bool {
        if !self.can_rest() {
            return false;
        }
        self.records.rest();
        self.resting = true;
        true
    }

    /// Whether [`rest`](Self::rest) would free something.
    #[must_use]
    pub fn can_rest(&self) -> bool {
        let done = self.phase == Phase::Connected && self.handshake.is_none();
        done && self.post.is_some() && !self.resting
    }

    /// Whether the connection rests: no record was sealed or opened since [`rest`](Self::rest).
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.resting
    }

    /// To be called before the keys are used.
    #[inline]
    pub(super) fn awake(&mut self) {
        if self.resting {
            self.wake();
        }
    }

    #[cold]
    fn wake(&mut self) {
        self.resting = false;
        let Some(post) = &self.post else { return };
        match post.after.current_keys(&self.role.common().provider) {
            Ok([read, write]) => self.records.wake(read, write),
            // Without keys the peer cannot be told.
            Err(error) => self.fail(error),
        }
    }
}
