//! Connection ids, and where the peer is.
//!
//! Says which ids the caller has to find this association by, and when the peer has moved. Whether it really has is
//! found out in `path_check`. RFC 9146 §3 and §6, RFC 9147 §9.

use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV6};

use gramseal_wire::RecordNumber;

use super::stats::count;
use super::{Connection, Event, Phase};
use crate::cid::Cid;
use crate::config::MovePolicy;
use crate::handshake::AgreedCids;
use crate::time::Instant;

/// What the caller still has to hear of one of our ids.
#[derive(Debug)]
pub(super) enum CidChange {
    Issued(Cid),
    Retired(Cid),
}

/// What the caller still has to hear of our ids, the oldest first, and of the peer's address. A connection has little of
/// it in its life, so that there is one only while there is something.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    changes: Vec<CidChange>,
    moved: Option<SocketAddr>,
    elsewhere: Option<SocketAddr>,
}

impl Connection {
    /// The connection ids of ours that the peer may put into its records; each was in an
    /// [`Event::CidIssued`](crate::Event::CidIssued).
    #[must_use]
    pub fn own_cids(&self) -> &[Cid] {
        self.records.own_cids()
    }

    /// The connection id in the records to the peer; empty if they carry none.
    #[must_use]
    pub fn peer_cid(&self) -> &[u8] {
        self.records.peer_cid()
    }

    /// Where the peer is, as [`set_peer`](Self::set_peer) or an [`Event::PeerMoved`](crate::Event::PeerMoved) has said.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Says where the peer is: where the caller sends what this connection has to send. Only who gives datagrams to
    /// [`handle_datagram_from`](Self::handle_datagram_from) has to tell. If the peer was elsewhere before, datagrams are
    /// as large as configured again, and in 1.3 a [search](Self::search_mtu) for more begins. A check of where it is ends.
    /// Where the connection makes checkpoints, [one is due](Self::checkpoint_due): what was attached to the last one may
    /// lead to where the peer was.
    pub fn set_peer(&mut self, peer: SocketAddr) {
        let now = address(peer);
        self.end_path_check();
        if self.peer.replace(now).is_some_and(|before| before != now) {
            self.keep_cid_lent_to(now);
            self.path_changed();
        }
    }

    /// Says that this side sends from another address from now on, where it knows that: its records carry the
    /// [next connection id](Self::use_next_cid) then, if the peer has given one (RFC 9853 §9), and of the path nothing is
    /// known, as after [`set_peer`](Self::set_peer). The peer hears of it with the next datagram.
    pub fn use_another_path(&mut self) {
        if self.phase == Phase::Connected {
            self.use_next_cid();
            self.path_changed();
        }
    }

    fn path_changed(&mut self) {
        self.begin_another_path();
        self.attached_changed();
    }

    /// Our hello offers `cid`.
    pub(super) fn offer_cid(&mut self, cid: Cid) {
        self.tell_cids([CidChange::Issued(cid.clone())]);
        self.records.offer_cid(cid);
    }

    /// The hellos have said what both sides want.
    pub(super) fn agree_on_cids(&mut self, agreed: Option<AgreedCids>) {
        // A client has told of its own already.
        let told: Vec<Cid> = self.records.own_cids().to_vec();
        if let Some(handshake) = &mut self.handshake {
            handshake.rrc = agreed.as_ref().is_some_and(|agreed| agreed.rrc);
        }
        match agreed {
            Some(AgreedCids { ours, peers, .. }) => self.records.agree_on_cids(ours, peers),
            None => self.records.forget_cids(),
        }
        let now = self.records.own_cids().to_vec();
        let retired = told.iter().filter(|cid| !now.contains(cid)).cloned().map(CidChange::Retired);
        let issued = now.iter().filter(|cid| !told.contains(cid)).cloned().map(CidChange::Issued);
        self.tell_cids(retired.chain(issued));
    }

    /// The caller has to hear of these.
    pub(super) fn tell_cids(&mut self, changes: impl IntoIterator<Item = CidChange>) {
        for change in changes {
            self.unread.whereabouts.get_or_insert_default().changes.push(change);
        }
    }

    pub(super) fn next_of_whereabouts(&mut self) -> Option<Event> {
        let unread = self.unread.whereabouts.as_mut()?;
        let event = if unread.changes.is_empty() {
            unread.moved.take().map(Event::PeerMoved).or_else(|| unread.elsewhere.take().map(Event::PeerElsewhere))
        } else {
            Some(match unread.changes.remove(0) {
                CidChange::Issued(cid) => Event::CidIssued(cid),
                CidChange::Retired(cid) => Event::CidRetired(cid),
            })
        };
        if unread.changes.is_empty() && unread.moved.is_none() && unread.elsewhere.is_none() {
            self.unread.whereabouts = None;
        }
        event
    }

    /// Whether a datagram from there is not from where the peer is.
    pub(super) fn is_elsewhere(&self, from: SocketAddr) -> bool {
        self.peer.is_some_and(|peer| peer != address(from))
    }

    /// An authentic record of so many `bytes`, with one of our connection ids, came from somewhere else. RFC 9146 §6: only
    /// what is newer than all before says where the peer is now; what is late or was sent on by others says nothing.
    pub(super) fn heard_from(&mut self, from: SocketAddr, number: RecordNumber, bytes: usize, now: Instant) {
        let from = address(from);
        self.allow_to(from, bytes);
        if self.phase != Phase::Connected || !self.records.is_newest(number) {
            return;
        }
        if self.negotiated().is_some_and(|negotiated| negotiated.return_routability_check) {
            return self.check_path(from, bytes, now);
        }
        match self.role.common().transport.move_policy {
            MovePolicy::Stay => self.unread.whereabouts.get_or_insert_default().elsewhere = Some(from),
            MovePolicy::FollowNewest => {
                count(&mut self.stats.paths().unchecked_moves, 1);
                self.peer_moved(from);
            }
        }
    }

    /// The peer is there from now on.
    pub(super) fn peer_moved(&mut self, to: SocketAddr) {
        self.set_peer(to);
        self.unread.whereabouts.get_or_insert_default().moved = Some(to);
    }
}

/// The part of a socket address that names the peer: a flow label may change from one datagram to
/// the next (RFC 6437 §2).
pub(crate) fn address(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => peer,
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
    }
}
