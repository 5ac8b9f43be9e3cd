//! New connection ids after a handshake of 1.3, ours and the peer's (RFC 9147 §9).
//!
//! ```text
//! ours     issue_cids --> NewConnectionId on its way, and taken at once --> acknowledged
//!          "immediate": all before them are stale then, and forgotten a while later
//! peer's   NewConnectionId "immediate" --> the first is used from now on, the others are spares
//!          NewConnectionId "spare"     --> spares, which use_next_cid uses
//!                                          and what goes elsewhere is lent: in use if the peer is there, a spare if not
//! ```
//!
//! Only one NewConnectionId of ours is on its way at any time; what the peer asks for meanwhile is answered after it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use gramseal_wire::handshake::{ConnectionIdUsage, NewConnectionId, RequestConnectionId};
use gramseal_wire::{Codec, DecodeError, HandshakeType, Len8, OwnedOpaqueList, Reader, Writer};

use super::cids::CidChange;
use super::post::NotSent;
use super::stats::count;
use super::{Connection, Phase};
use crate::cid::{Cid, ConnectionIds};
use crate::encoding::{optional_u64, read_optional_u64};
use crate::error::{Error, PeerFault};
use crate::flight::Behind;
use crate::message::Message;
use crate::time::Instant;

/// How many of our ids the peer may have at a time.
const MAX_OWN: usize = 8;
/// How many ids of the peer's are kept for later.
const MAX_SPARES: usize = 4;
/// How many requests in a row may find no room for an id before it is enough.
const MAX_IN_VAIN: u8 = 16;

/// Where the two sides are with their ids. There is one from the first message on.
#[derive(Debug, Default)]
pub(super) struct NewCids {
    /// We asked, and the peer has not answered yet.
    asked: bool,
    /// How many ids the peer asked for while a NewConnectionId of ours was on its way.
    owed: Option<u8>,
    in_vain: u8,
    /// How many of the oldest of ours the peer will not use any more once it has the NewConnectionId on its way.
    replaced: usize,
    /// How many of the oldest of ours no new record has, and when they are forgotten.
    stale: Option<(usize, Instant)>,
    /// Where the records with the id that was lent last go.
    lent_to: Option<SocketAddr>,
}

impl NewCids {
    pub(super) fn write_image(&self, w: &mut Writer<'_>, now: Instant) {
        // Checks of where the peer is do not move along.
        let Self { asked, owed, in_vain, replaced, stale, lent_to: _ } = self;
        w.u8(u8::from(*asked));
        optional_u64(w, owed.map(u64::from));
        w.u8(*in_vain);
        // No more than MAX_OWN.
        let count = |ids: usize| u8::try_from(ids).unwrap_or(u8::MAX);
        w.u8(count(*replaced));
        w.u8(count(stale.map_or(0, |(ids, _)| ids)));
        let left = stale.map(|(_, at)| at.saturating_since(now).as_micros());
        optional_u64(w, left.map(|left| u64::try_from(left).unwrap_or(u64::MAX)));
    }

    pub(super) fn read_image(r: &mut Reader<'_>, now: Instant) -> Result<Self, DecodeError> {
        let asked = r.u8()? != 0;
        let owed = read_optional_u64(r)?.map(u8::try_from).transpose().map_err(|_| DecodeError::IllegalValue)?;
        let (in_vain, replaced, ids) = (r.u8()?, r.u8()?, r.u8()?);
        let left = read_optional_u64(r)?.map(Duration::from_micros);
        if in_vain > MAX_IN_VAIN || usize::from(replaced.max(ids)) > MAX_OWN {
            return Err(DecodeError::IllegalValue);
        }
        let stale = left.map(|left| (usize::from(ids), now + left));
        Ok(Self { asked, owed, in_vain, replaced: replaced.into(), stale, lent_to: None })
    }

    /// When ids are forgotten.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.stale.map(|(_, at)| at)
    }
}

/// Nothing was said of connection ids, and nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewCidsError {
    /// The handshake has not finished.
    NotConnected,
    /// The association has ended.
    Closed,
    /// Connection ids do not change in 1.2.
    NotInThisVersion,
    /// Records in that direction have no connection ids.
    NotAgreedOn,
    /// The last message of this kind has not reached the peer, or has not been answered.
    OnItsWay,
    /// The peer may have eight of ours at a time.
    TooMany,
    /// Too many messages wait for the peer to acknowledge them.
    TooManyMessages,
    /// Messages cannot be numbered any more: a new association is needed.
    Exhausted,
    /// The generator failed, or has made an id that the peer has already.
    Generator,
}

impl fmt::Display for NewCidsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "the handshake has not finished",
            Self::Closed => "the association has ended",
            Self::NotInThisVersion => "connection ids do not change in DTLS 1.2",
            Self::NotAgreedOn => "no connection ids were agreed on",
            Self::OnItsWay => "the last message about connection ids has not reached the peer or was not answered",
            Self::TooMany => "the peer has as many connection ids as it may",
            Self::TooManyMessages => "too many messages wait for the peer to acknowledge them",
            Self::Exhausted => "messages cannot be numbered any more",
            Self::Generator => "the generator of connection ids failed",
        })
    }
}

impl core::error::Error for NewCidsError {}

impl From<NotSent> for NewCidsError {
    fn from(reason: NotSent) -> Self {
        match reason {
            NotSent::NoPostHandshake => Self::NotInThisVersion,
            NotSent::TooManyMessages => Self::TooManyMessages,
            NotSent::NumbersUsedUp => Self::Exhausted,
        }
    }
}

impl Connection {
    /// Gives the peer `count` new connection ids for its records (1.3 only): a message goes out with the next
    /// [`poll_transmit`](Self::poll_transmit). Each is in an [`Event::CidIssued`](crate::Event::CidIssued).
    ///
    /// If they are [`Immediate`](ConnectionIdUsage::Immediate), the peer uses one of them from now on, and those it had
    /// are forgotten ([`Event::CidRetired`](crate::Event::CidRetired)) some time after it has heard of that:
    /// [`Transport::previous_keys_kept`](crate::config::Transport::previous_keys_kept), for records that are late.
    /// [`Spare`](ConnectionIdUsage::Spare) ones are added to those it has, for other paths. It has eight at most.
    ///
    /// # Errors
    /// See [`NewCidsError`].
    pub fn issue_cids(&mut self, count: u8, usage: ConnectionIdUsage) -> Result<(), NewCidsError> {
        self.check_cids_can_change()?;
        // RFC 9147 §9: who has negotiated an empty id must not.
        if self.own_cids().is_empty() {
            return Err(NewCidsError::NotAgreedOn);
        }
        if self.has_cids_on_their_way() {
            return Err(NewCidsError::OnItsWay);
        }
        let room = MAX_OWN.saturating_sub(self.own_cids().len());
        if count == 0 || usize::from(count) > room {
            return Err(NewCidsError::TooMany);
        }
        self.send_new_cids(usize::from(count), usage)
    }

    /// Asks the peer for `count` connection ids for later (1.3 only). It may give fewer;
    /// [`spare_cids`](Self::spare_cids) says how many there are. Four are kept.
    ///
    /// # Errors
    /// See [`NewCidsError`].
    pub fn request_cids(&mut self, count: u8) -> Result<(), NewCidsError> {
        self.check_cids_can_change()?;
        // RFC 9147 §9: who sends none must not.
        if self.peer_cid().is_empty() {
            return Err(NewCidsError::NotAgreedOn);
        }
        // RFC 9147 §9: one request at a time.
        if self.new_cids().asked {
            return Err(NewCidsError::OnItsWay);
        }
        self.send_post(&RequestConnectionId { num_cids: count }, Behind::Others)?;
        self.new_cids().asked = true;
        Ok(())
    }

    /// How many connection ids of the peer's are there for later that were in no record yet.
    #[must_use]
    pub fn spare_cids(&self) -> usize {
        self.records.spare_cids()
    }

    /// Puts the next connection id of the peer's into records from now on, in the order in which it gave them, so that
    /// nobody can tell by it that they belong to those before: for another path (RFC 9147 §9). `false` if there is none.
    pub fn use_next_cid(&mut self) -> bool {
        let changed = self.records.use_next_cid();
        if changed {
            self.image_changed();
        }
        changed
    }

    /// Lends one of the peer's ids for later to what goes to `to`, where the peer perhaps is not. RFC 9853 §9: nobody is to
    /// tell by an id that records to different places belong together, so that each place has another as long as there are
    /// some; but who makes us ask in many places must not use them up.
    pub(super) fn lend_cid(&mut self, to: SocketAddr) {
        if self.records.longest_spare_cid() == 0 {
            return;
        }
        let is_another = self.new_cids().lent_to.replace(to) != Some(to);
        if is_another || !self.records.has_lent_cid() {
            self.records.lend_next_cid();
        }
    }

    /// What `put` seals goes to `to`, where the peer perhaps is not.
    pub(super) fn put_elsewhere<T>(&mut self, to: SocketAddr, put: impl FnOnce(&mut Self) -> T) -> T {
        self.lend_cid(to);
        self.records.swap_lent_cid();
        let done = put(self);
        self.records.swap_lent_cid();
        done
    }

    /// The peer is there: the id that was lent to what went there is in use from now on.
    pub(super) fn keep_cid_lent_to(&mut self, to: SocketAddr) {
        let is_there = |cids: &mut Box<NewCids>| cids.lent_to.take_if(|lent_to| *lent_to == to).is_some();
        if self.new_cids.as_mut().is_some_and(is_there) {
            self.records.keep_lent_cid();
        }
    }

    fn check_cids_can_change(&self) -> Result<(), NewCidsError> {
        match self.phase {
            Phase::Handshaking => Err(NewCidsError::NotConnected),
            Phase::Closed => Err(NewCidsError::Closed),
            Phase::Connected if self.post.is_none() => Err(NewCidsError::NotInThisVersion),
            Phase::Connected => Ok(()),
        }
    }

    /// RFC 9147 §9: one NewConnectionId at a time.
    fn has_cids_on_their_way(&self) -> bool {
        let is_one = |message: &Message| message.msg_type() == HandshakeType::NEW_CONNECTION_ID;
        self.post.as_ref().is_some_and(|post| post.flights.messages().any(|(message, _)| is_one(message)))
    }

    /// Where the sides are; only for connections of 1.3 that are connected.
    fn new_cids(&mut self) -> &mut NewCids {
        self.new_cids.get_or_insert_with(Box::default)
    }

    fn send_new_cids(&mut self, count: usize, usage: ConnectionIdUsage) -> Result<(), NewCidsError> {
        let fresh = (0..count).try_fold(Vec::new(), |mut fresh, _| {
            let cid = self.generate_cid(&fresh)?;
            fresh.push(cid);
            Some(fresh)
        });
        let fresh = fresh.ok_or(NewCidsError::Generator)?;
        let list = OwnedOpaqueList::<Len8>::new(&fresh).map_err(|_| NewCidsError::Generator)?;
        self.send_post(&NewConnectionId { cids: list.as_list(), usage }, Behind::Others)?;
        let before = self.own_cids().len();
        self.new_cids().replaced = if usage == ConnectionIdUsage::Immediate { before } else { 0 };
        count_ids(&mut self.stats.cids_issued, fresh.len());
        for cid in fresh {
            self.tell_cids([CidChange::Issued(cid.clone())]);
            self.records.accept_cid(cid);
        }
        self.image_changed();
        Ok(())
    }

    /// A new one that none of ours begins with, and that begins with none of ours.
    fn generate_cid(&self, fresh: &[Cid]) -> Option<Cid> {
        let common = self.role.common();
        let ConnectionIds::Both(generator) = &common.cids else { return None };
        let cid = generator.generate(&*common.provider.random).ok()?;
        let mut others = self.own_cids().iter().chain(fresh);
        let taken = cid.is_empty() || others.any(|other| cid.starts_with(other) || other.starts_with(&cid));
        (!taken).then_some(cid)
    }

    /// The peer has a message of ours, perhaps the one about ids.
    pub(super) fn new_cids_arrived(&mut self, now: Instant) {
        if self.new_cids.is_none() || self.has_cids_on_their_way() {
            return;
        }
        let kept = self.role.common().transport.previous_keys_kept;
        let state = self.new_cids();
        let replaced = core::mem::take(&mut state.replaced);
        if replaced > 0 {
            // RFC 9147 §9: all records that the peer sends from now on have one of the new ones.
            state.stale = Some((replaced, now + kept));
        }
        if let Some(owed) = state.owed.take() {
            self.answer_request_for_cids(owed);
        }
    }

    /// Records that are late have had their time.
    pub(super) fn forget_stale_cids(&mut self, now: Instant) {
        let Some(state) = &mut self.new_cids else { return };
        let Some((stale, _)) = state.stale.take_if(|(_, at)| *at <= now) else { return };
        state.replaced = state.replaced.saturating_sub(stale);
        let retired = self.records.retire_cids(stale);
        self.tell_cids(retired.into_iter().map(CidChange::Retired));
        self.image_changed();
    }

    /// The peer has sent NewConnectionId.
    pub(super) fn new_connection_id_received(&mut self, message: &Message) {
        if let Err(error) = self.take_new_cids(message) {
            self.fail(error);
        }
    }

    fn take_new_cids(&mut self, message: &Message) -> Result<(), Error> {
        // RFC 9147 §9: only who has negotiated to receive some may give others.
        if self.peer_cid().is_empty() {
            return Err(PeerFault::UnexpectedMessage(message.msg_type()).into());
        }
        let NewConnectionId { cids, usage } =
            NewConnectionId::from_bytes(message.body()).map_err(|error| match error {
                DecodeError::IllegalValue => PeerFault::BadConnectionIds.into(),
                error => Error::from(error),
            })?;
        let mut cids = cids.iter().filter_map(Cid::new);
        match usage {
            // RFC 9147 §9: from now on no record has another one than these.
            ConnectionIdUsage::Immediate => {
                let first = cids.next().ok_or(PeerFault::BadConnectionIds)?;
                self.records.replace_peer_cid(first);
                count_ids(&mut self.stats.cids_received, 1);
            }
            ConnectionIdUsage::Spare => self.new_cids().asked = false,
        }
        for cid in cids {
            count_ids(&mut self.stats.cids_received, 1);
            // RFC 9147 §9: what is more than we want to keep may be dropped.
            self.records.add_spare_cid(cid, MAX_SPARES);
        }
        Ok(())
    }

    /// The peer has sent RequestConnectionId.
    pub(super) fn request_connection_id_received(&mut self, message: &Message) {
        let asked = RequestConnectionId::from_bytes(message.body());
        match asked {
            // RFC 9147 §9: who sends none must not ask.
            _ if self.own_cids().is_empty() => self.fail(PeerFault::UnexpectedMessage(message.msg_type()).into()),
            Err(error) => self.fail(error.into()),
            Ok(RequestConnectionId { num_cids }) if self.has_cids_on_their_way() => self.owe_cids(num_cids),
            Ok(RequestConnectionId { num_cids }) => self.answer_request_for_cids(num_cids),
        }
    }

    /// The answer has to wait. RFC 9147 §9 has one request at a time; but the peer may take ids that it was given
    /// unasked for the answer to its first, so that two requests are no offence, and many are.
    fn owe_cids(&mut self, wanted: u8) {
        let state = self.new_cids();
        state.in_vain += u8::from(state.owed.is_some());
        state.owed = Some(state.owed.unwrap_or(0).max(wanted));
        if state.in_vain > MAX_IN_VAIN {
            self.fail(PeerFault::TooManyCidsRequested.into());
        }
    }

    /// RFC 9147 §9: as many as are wanted and allowed, perhaps none.
    fn answer_request_for_cids(&mut self, wanted: u8) {
        let count = usize::from(wanted).min(MAX_OWN.saturating_sub(self.own_cids().len()));
        let in_vain = self.new_cids().in_vain;
        let in_vain = if count == 0 { in_vain + 1 } else { 0 };
        if in_vain > MAX_IN_VAIN {
            return self.fail(PeerFault::TooManyCidsRequested.into());
        }
        self.new_cids().in_vain = in_vain;
        match self.send_new_cids(count, ConnectionIdUsage::Spare) {
            Ok(()) => {}
            // Once one of those has arrived there is room.
            Err(NewCidsError::TooManyMessages) => self.new_cids().owed = Some(wanted),
            // The peer must not wait for ever.
            Err(NewCidsError::Generator) => drop(self.send_new_cids(0, ConnectionIdUsage::Spare)),
            // Nothing can be said any more.
            Err(_) => {}
        }
    }
}

fn count_ids(counter: &mut u32, ids: usize) {
    count(counter, u32::try_from(ids).unwrap_or(u32::MAX));
}
