//! What a connection tells its caller.

use super::ClientAnswer;
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
    /// The association has ended.
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
    /// Records of the peer's that are late after it has changed its keys; then the old keys are
    /// forgotten (1.3).
    PreviousKeys,
    /// A look at whether the connection is used; if not for too long, it ends.
    Idle,
}
