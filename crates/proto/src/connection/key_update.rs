//! New keys after a handshake of 1.3, ours and the peer's (RFC 9147 §8, RFC 9846 §4.7.3).
//!
//! ```text
//! ours     update_keys --> KeyUpdate on its way --> acknowledged, as is all before it: new write epoch
//! peer's   KeyUpdate --> new read epoch beside the old one --> first record of it --> old one kept a while
//! ```
//!
//! Only one KeyUpdate of ours is on its way at any time. What the peer asks for meanwhile is answered by
//! one more after it: the one on its way may have been sent before the peer asked.

use core::fmt;

use gramseal_wire::handshake::{KeyUpdate, KeyUpdateRequest};
use gramseal_wire::{DecodeError, Epoch, Reader, Writer};

use super::post::NotSent;
use super::stats::count;
use super::{Connection, Phase};
use crate::config::Transport;
use crate::discard::Discard;
use crate::encoding::{flag, read_flag};
use crate::error::{Error, LocalFault, PeerFault};
use crate::flight::Behind;
use crate::handshake::{Updated, read_key_update};
use crate::message::Message;
use crate::record::{ReadEpoch, WriteEpoch};
use crate::time::Instant;

/// Our own KeyUpdate.
///
/// ```text
///            sent                    the peer asks
///  Settled ---------> OnItsWay ---------------------> Owed
///     ^                  |                              |
///     +---- arrived -----+                              |
///     +---------------- arrived, then sent again -------+
/// ```
///
/// What the peer asks for while nothing is on its way is answered at once, which is `sent`. What it asks
/// for in `Owed` is answered by what is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Own {
    /// None is on its way.
    #[default]
    Settled,
    /// It has not arrived yet.
    OnItsWay,
    /// Nor has it here, and the peer asked meanwhile: another one follows.
    Owed,
}

impl Own {
    /// A KeyUpdate was sent, which happens only when none is on its way.
    fn sent(&mut self) {
        debug_assert_eq!(*self, Self::Settled, "one at a time");
        *self = Self::OnItsWay;
    }

    /// The one on its way has arrived. Says whether another one is owed.
    #[must_use]
    fn arrived(&mut self) -> bool {
        core::mem::take(self) == Self::Owed
    }

    /// The peer asks for one. Says whether to send it now.
    #[must_use]
    fn requested(&mut self) -> bool {
        match self {
            Self::Settled => true,
            Self::OnItsWay | Self::Owed => {
                *self = Self::Owed;
                false
            }
        }
    }
}

/// Where the two sides are with their keys.
#[derive(Debug, Default)]
pub(super) struct KeyUpdates {
    own: Own,
    /// We asked the peer, and it has not updated its keys since.
    asked: bool,
    /// The peer has announced new keys and not used them yet: the old ones must stay.
    pub(super) unused: bool,
    /// When the keys before those that the peer uses are forgotten.
    pub(super) previous_until: Option<Instant>,
}

impl KeyUpdates {
    /// All but how long the keys before are kept.
    pub(super) fn write_image(&self, w: &mut Writer<'_>) {
        let Self { own, asked, unused, previous_until: _ } = self;
        w.u8(match own {
            Own::Settled => 0,
            Own::OnItsWay => 1,
            Own::Owed => 2,
        });
        flag(w, *asked);
        flag(w, *unused);
    }

    pub(super) fn read_image(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let own = match r.u8()? {
            0 => Own::Settled,
            1 => Own::OnItsWay,
            2 => Own::Owed,
            _ => return Err(DecodeError::IllegalValue),
        };
        Ok(Self { own, asked: read_flag(r)?, unused: read_flag(r)?, previous_until: None })
    }

    /// Whether a KeyUpdate of ours has not arrived yet.
    pub(super) fn is_on_its_way(&self) -> bool {
        self.own != Own::Settled
    }
}

/// Keys were not updated. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateKeysError {
    /// The handshake has not finished.
    NotConnected,
    /// The association has ended.
    Closed,
    /// Keys are not updated in 1.2.
    NotInThisVersion,
    /// The last update has not reached the peer yet.
    OnItsWay,
    /// Too many messages wait for the peer to acknowledge them.
    TooManyMessages,
    /// Keys have been updated as often as they can be: a new association is needed.
    Exhausted,
    /// So many messages were sent that no number is left for another one: a new association is needed.
    NumbersUsedUp,
}

impl fmt::Display for UpdateKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "the handshake has not finished",
            Self::Closed => "the association has ended",
            Self::NotInThisVersion => "keys are not updated in DTLS 1.2",
            Self::OnItsWay => "the last update of keys has not reached the peer",
            Self::TooManyMessages => "too many messages wait for the peer to acknowledge them",
            Self::Exhausted => "keys cannot be updated any more",
            Self::NumbersUsedUp => "messages cannot be numbered any more",
        })
    }
}

impl core::error::Error for UpdateKeysError {}

impl From<NotSent> for UpdateKeysError {
    fn from(reason: NotSent) -> Self {
        match reason {
            NotSent::NoPostHandshake => Self::NotInThisVersion,
            NotSent::TooManyMessages => Self::TooManyMessages,
            NotSent::NumbersUsedUp => Self::NumbersUsedUp,
        }
    }
}

impl Connection {
    /// Begins to change our keys (1.3 only): a KeyUpdate of 13 bytes goes out with the next
    /// [`poll_transmit`](Self::poll_transmit), and as soon as the peer has acknowledged it, which
    /// [`Stats::key_updates_sent`](crate::Stats::key_updates_sent) counts, records are sealed with new
    /// keys. With [`Requested`](KeyUpdateRequest::Requested) the peer is asked to change its keys too,
    /// unless it was asked before and has not done it yet.
    ///
    /// Keys also change by themselves before they reach their limits, and when the peer asks.
    ///
    /// # Errors
    /// See [`UpdateKeysError`].
    pub fn update_keys(&mut self, peer: KeyUpdateRequest) -> Result<(), UpdateKeysError> {
        match self.phase {
            Phase::Handshaking => return Err(UpdateKeysError::NotConnected),
            Phase::Closed => return Err(UpdateKeysError::Closed),
            Phase::Connected => {}
        }
        let post = self.post.as_ref().ok_or(UpdateKeysError::NotInThisVersion)?;
        if post.updates.is_on_its_way() {
            return Err(UpdateKeysError::OnItsWay);
        }
        self.send_key_update(peer)
    }

    fn send_key_update(&mut self, peer: KeyUpdateRequest) -> Result<(), UpdateKeysError> {
        // RFC 9147 §8: not beyond this epoch, whoever asks.
        if self.records.write_epoch() >= self.last_epoch() {
            return Err(UpdateKeysError::Exhausted);
        }
        // RFC 9846 §4.7.3: who was asked is not asked again before it has answered.
        let asked = self.post.as_ref().is_some_and(|post| post.updates.asked);
        let request_update = if asked { KeyUpdateRequest::NotRequested } else { peer };
        self.send_post(&KeyUpdate { request_update }, Behind::Nothing)?;
        if let Some(post) = &mut self.post {
            post.updates.own.sent();
            post.updates.asked |= request_update == KeyUpdateRequest::Requested;
        }
        Ok(())
    }

    /// The last epoch that keys may be updated to.
    fn last_epoch(&self) -> Epoch {
        Epoch(self.role.common().transport.last_epoch.min(Transport::LAST_EPOCH))
    }

    /// The peer has our KeyUpdate and everything before it: from here on we write with the new keys.
    pub(super) fn key_update_arrived(&mut self) {
        self.image_changed();
        let Some(epoch) = self.records.write_epoch().next() else { return };
        let Some(post) = &mut self.post else { return };
        let updated = post.after.update_write(epoch, &self.role.common().provider);
        let owed = post.updates.own.arrived();
        match updated {
            Ok(Updated { keys, logged }) => {
                self.log_secret(&logged);
                self.records.install_write(WriteEpoch::dtls13(epoch, keys));
                // Nothing that was sent under the old keys is still to be repeated.
                self.records.retire_write_before(epoch);
                count(&mut self.stats.key_updates_sent, 1);
                if owed {
                    self.answer_request();
                }
            }
            Err(error) => self.fail(error),
        }
    }

    /// RFC 9147 §4.5.3: our keys are updated before they have sealed as much as they may.
    pub(super) fn update_in_time(&mut self) {
        if self.post.as_ref().is_some_and(|post| !post.updates.is_on_its_way()) {
            // If this fails, sealing will, and says so.
            let _ = self.send_key_update(KeyUpdateRequest::NotRequested);
        }
    }

    /// RFC 9147 §4.5.3: a record did not open. After half of as many as may, the peer is asked for new keys;
    /// when its keys open nothing any more, nothing of the peer's can be heard, and it is over.
    pub(super) fn mind_forgeries(&mut self, reason: Discard) {
        if reason == Discard::KeyWornOut && self.records.forgery_limit_reached() {
            return self.fail(LocalFault::KeyWornOut.into());
        }
        if reason != Discard::BadTag || !self.records.nears_forgery_limit() {
            return;
        }
        if self.post.as_ref().is_some_and(|post| !post.updates.is_on_its_way() && !post.updates.asked) {
            let _ = self.send_key_update(KeyUpdateRequest::Requested);
        }
    }

    /// RFC 9846 §4.7.3: the peer wants us to update our keys.
    fn answer_request(&mut self) {
        // RFC 9147 §8: a request that no epoch is left for is ignored; and if messages cannot be numbered
        // any more the peer cannot ask again either.
        let _ = self.send_key_update(KeyUpdateRequest::NotRequested);
    }

    /// The peer has sent KeyUpdate: what it writes from here on is in the next epoch.
    pub(super) fn key_update_received(&mut self, message: &Message) {
        if let Err(error) = self.update_read(message) {
            self.fail(error.in_message(message.msg_type()));
        }
    }

    fn update_read(&mut self, message: &Message) -> Result<(), Error> {
        let request = read_key_update(message)?;
        let current = self.records.newest_read_epoch();
        // RFC 9147 §8: the next one comes under the keys that the last one announced.
        let next = current.next().filter(|_| message.epoch == current);
        let epoch = next.ok_or_else(|| PeerFault::WrongEpoch(message.msg_type()))?;
        // RFC 9147 §8 would have us follow: not where the configuration bounds both sides.
        if epoch > self.last_epoch() {
            return Err(PeerFault::TooManyKeyUpdates.into());
        }
        let Some(post) = &mut self.post else { return Ok(()) };
        let Updated { keys, logged } = post.after.update_read(epoch, &self.role.common().provider)?;
        post.updates.asked = false;
        post.updates.unused = true;
        self.log_secret(&logged);
        self.install_read(ReadEpoch::dtls13(epoch, keys, self.records.replay_window()));
        count(&mut self.stats.key_updates_received, 1);
        if request == KeyUpdateRequest::Requested {
            self.update_requested();
        }
        Ok(())
    }

    fn update_requested(&mut self) {
        if self.post.as_mut().is_some_and(|post| post.updates.own.requested()) {
            self.answer_request();
        }
    }

    /// A record of `epoch` was opened. RFC 9147 §8: if it is the first under the new keys, the peer has
    /// our ACK, and the old ones matter only to records that are late.
    pub(super) fn note_read_epoch(&mut self, epoch: Epoch, now: Instant) {
        let kept = self.role.common().transport.previous_keys_kept;
        let Some(post) = self.post.as_mut().filter(|post| post.updates.unused) else { return };
        if epoch > Epoch::APPLICATION && epoch == self.records.newest_read_epoch() {
            post.updates.unused = false;
            post.updates.previous_until = Some(now + kept);
        }
    }

    /// Late records have had their time.
    pub(super) fn forget_previous_keys(&mut self, now: Instant) {
        let Some(post) = &mut self.post else { return };
        if post.updates.previous_until.take_if(|at| *at <= now).is_none() {
            return;
        }
        let newest = self.records.newest_read_epoch();
        let used = if post.updates.unused { Epoch(newest.0.saturating_sub(1)) } else { newest };
        self.forget_read_before(used);
    }
}

#[cfg(test)]
mod tests {
    use super::Own;

    #[test] // RFC 9846 §4.7.3
    fn requests_while_one_is_on_its_way_are_answered_by_one_more() {
        let mut own = Own::default();
        assert!(own.requested(), "nothing is on its way");
        own.sent();
        assert!(!own.requested() && !own.requested());
        assert_eq!(own, Own::Owed);
        assert!(own.arrived());
        own.sent();
        assert!(!own.arrived());
        assert_eq!(own, Own::Settled);
    }
}
