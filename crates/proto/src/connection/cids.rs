//! Connection ids, and where the peer is.
//!
//! Says which ids the caller has to find this association by, and when the peer seems to have moved. That it has is
//! for the caller to believe, or not. RFC 9146 §3 and §6, RFC 9147 §9.

use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV6};

use gramseal_wire::RecordNumber;

use super::{Connection, Event, Phase};
use crate::cid::Cid;
use crate::handshake::AgreedCids;

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

    /// Where the peer is, as [`set_peer`](Self::set_peer) has said.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Says where the peer is: where the caller sends what this connection has to send. Only who gives datagrams to
    /// [`handle_datagram_from`](Self::handle_datagram_from) has to tell. If the peer was elsewhere before, datagrams are
    /// as large as configured again, and in 1.3 a [search](Self::search_mtu) for more begins.
    pub fn set_peer(&mut self, peer: SocketAddr) {
        let now = address(peer);
        if self.peer.replace(now).is_some_and(|before| before != now) {
            self.begin_another_path();
        }
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
            unread.moved.take().map(Event::PeerMoved)
        } else {
            Some(match unread.changes.remove(0) {
                CidChange::Issued(cid) => Event::CidIssued(cid),
                CidChange::Retired(cid) => Event::CidRetired(cid),
            })
        };
        if unread.changes.is_empty() && unread.moved.is_none() {
            self.unread.whereabouts = None;
        }
        event
    }

    /// Whether a datagram from there is not from where the peer is.
    pub(super) fn is_elsewhere(&self, from: SocketAddr) -> bool {
        self.peer.is_some_and(|peer| peer != address(from))
    }

    /// An authentic record with one of our connection ids came from somewhere else. RFC 9146 §6: only what is newer
    /// than all before says where the peer is now; what is late or was sent on by others says nothing.
    pub(super) fn heard_from(&mut self, from: SocketAddr, number: RecordNumber) {
        if self.phase == Phase::Connected && self.records.is_newest(number) {
            self.unread.whereabouts.get_or_insert_default().moved = Some(from);
        }
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
