//! What a connection tells its caller.

use core::net::SocketAddr;

use super::ClientAnswer;
use crate::cid::Cid;
use crate::error::Error;
use crate::handshake::EarlyDataAnswer;

/// Something that the caller should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is done: application data can flow.
    Connected,
    /// The server has said whether it takes the early data that this client announced. If it does not, the
    /// handshake goes on, and [`seal_early`](crate::Connection::seal_early) sends nothing any more.
    EarlyData(EarlyDataAnswer),
    /// The client has answered [`authenticate_client`](crate::Connection::authenticate_client).
    ClientAnswered(ClientAnswer),
    /// Records to this association may carry this connection id from now on: for
    /// [`Endpoint::add_cid`](crate::endpoint::Endpoint::add_cid).
    CidIssued(Cid),
    /// No records carry this connection id any more, or none ever will: for
    /// [`Endpoint::remove_cid`](crate::endpoint::Endpoint::remove_cid).
    CidRetired(Cid),
    /// The peer is at this address from now on, and [`peer`](crate::Connection::peer) says so: for
    /// [`Endpoint::move_peer`](crate::endpoint::Endpoint::move_peer). It has shown that it is there (RFC 9853), or
    /// [`MovePolicy::FollowNewest`](crate::config::MovePolicy::FollowNewest) believes it without.
    PeerMoved(SocketAddr),
    /// The newest authentic record of the peer came from this address, in a datagram with one of our connection ids
    /// (RFC 9146 §6), and nobody checks whether the peer is there: [`MovePolicy::Stay`](crate::config::MovePolicy::Stay).
    /// Anybody on the way can have sent a record on from there, so that nothing has changed. An application that knows
    /// how to find out can, and tell with [`set_peer`](crate::Connection::set_peer). It is told again as long as the
    /// peer is elsewhere.
    PeerElsewhere(SocketAddr),
    /// Datagrams may be so large from now on, in bytes of UDP payload, as a search for the path's limit has shown or
    /// [`set_path_mtu`](crate::Connection::set_path_mtu) has said; and
    /// [`max_payload`](crate::Connection::max_payload) with them.
    MtuChanged(usize),
    /// A connection that makes [checkpoints](crate::Connection::checkpoint) needs the next one: little is left of what
    /// the last one reserved, nothing may be sent before there is another, or the path has changed.
    CheckpointDue,
    /// The association has ended. It is the last event, and its connection ids are not told of any more.
    Closed(CloseReason),
}

/// Why an association ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// [`close`](crate::Connection::close) was called.
    Local,
    /// The peer closed it in good order (close_notify).
    Peer,
    /// Nobody used it for [`Transport::idle_timeout`](crate::config::Transport::idle_timeout).
    Idle,
    /// It goes on elsewhere: [`export`](crate::Connection::export) was called.
    Moved,
    /// It failed.
    Failed(Error),
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timer {
    /// An answer to our flight; then it is sent again.
    Retransmit,
    /// The rest of the peer's flight; then what came of it is acknowledged (1.3).
    Ack,
    /// The end of the handshake; then it fails.
    Handshake,
    /// The peer to ask for our last flight, or our last ACK, again; then it is forgotten.
    LastFlight,
    /// The time to look whether larger datagrams pass by now (1.3).
    Mtu,
    /// Records of the peer's that are late after it has changed its keys; then the old keys are
    /// forgotten (1.3).
    PreviousKeys,
    /// Records of the peer's that are late after it was given other connection ids; then the old ones are forgotten
    /// (1.3).
    PreviousCids,
    /// An answer from where the peer is, or seems to be; then it is asked again, or the check ends (RFC 9853).
    PathCheck,
    /// A look at whether the connection is used; if not for too long, it ends.
    Idle,
}
