//! Why connecting, receiving or sending failed, with the protocol's own reasons inside.

use std::net::SocketAddr;
use std::{fmt, io};

use gramseal_proto::{self as proto, AuthenticateClientError, Error};
use pki_types::InvalidDnsNameError;

/// Why an association ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side closed it, or dropped its last [`Connection`](crate::Connection).
    Local,
    /// The peer closed it in good order (close_notify).
    Peer,
    /// The peer began anew from the same address (RFC 6347 §4.2.8), as after a restart.
    Replaced,
    /// Nobody used it for [`Transport::idle_timeout`](crate::Transport::idle_timeout); the peer was told.
    Idle,
    /// It goes on in another process: [`Connection::export`](crate::Connection::export) was called.
    Moved,
    /// It failed.
    Failed(Error),
    /// The runtime that drove the endpoint is gone.
    EndpointGone,
}

impl From<proto::CloseReason> for CloseReason {
    fn from(reason: proto::CloseReason) -> Self {
        match reason {
            proto::CloseReason::Peer => Self::Peer,
            proto::CloseReason::Idle => Self::Idle,
            proto::CloseReason::Moved => Self::Moved,
            proto::CloseReason::Failed(error) => Self::Failed(error),
            // `Local`, and what a later version may add to say that nobody failed.
            _ => Self::Local,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed by this side"),
            Self::Peer => f.write_str("closed by the peer"),
            Self::Replaced => f.write_str("the peer began a new association from the same address"),
            Self::Idle => f.write_str("nobody used the association for too long"),
            Self::Moved => f.write_str("moved to another process"),
            Self::Failed(error) => error.fmt(f),
            Self::EndpointGone => f.write_str("the runtime of the endpoint is gone"),
        }
    }
}

/// A client did not show who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// It was not asked; nothing changed.
    NotAsked(AuthenticateClientError),
    /// The association has ended: the client was refused, or somebody closed it.
    Ended(CloseReason),
}

impl fmt::Display for AuthenticateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked(error) => error.fmt(f),
            Self::Ended(reason) => write!(f, "the association has ended: {reason}"),
        }
    }
}

impl std::error::Error for AuthenticateError {}

/// No connection came about.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The handshake failed.
    Failed(Error),
    /// The handshake ended without a failure: closed, replaced or abandoned.
    Closed(CloseReason),
    /// The endpoint is closed.
    EndpointClosed,
    /// The endpoint has a connection with this address. Two associations between the same two
    /// addresses cannot be told apart: close the other one, or use another endpoint.
    AlreadyConnected(SocketAddr),
    /// Neither a DNS name nor an IP address.
    InvalidName(InvalidDnsNameError),
    /// The first datagram could not be sent.
    Io(io::Error),
}

impl From<CloseReason> for ConnectError {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Failed(error) => Self::Failed(error),
            reason => Self::Closed(reason),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the handshake failed: {error}"),
            Self::Closed(reason) => write!(f, "the handshake ended: {reason}"),
            Self::EndpointClosed => f.write_str("the endpoint is closed"),
            Self::AlreadyConnected(peer) => write!(f, "the endpoint has a connection with {peer} already"),
            Self::InvalidName(error) => write!(f, "not the name of a server: {error}"),
            Self::Io(error) => write!(f, "the first datagram could not be sent: {error}"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::InvalidName(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed(_) | Self::EndpointClosed | Self::AlreadyConnected(_) => None,
        }
    }
}

/// A connection ended otherwise than in good order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The association failed.
    Failed(Error),
    /// The peer began anew from the same address.
    Replaced,
    /// Nobody used it for too long.
    Idle,
    /// The runtime that drove the endpoint is gone.
    EndpointGone,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the connection failed: {error}"),
            Self::Replaced => CloseReason::Replaced.fmt(f),
            Self::Idle => CloseReason::Idle.fmt(f),
            Self::EndpointGone => CloseReason::EndpointGone.fmt(f),
        }
    }
}

impl std::error::Error for ConnectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Replaced | Self::Idle | Self::EndpointGone => None,
        }
    }
}

/// A payload was not sent. The connection is as before.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The payload does not fit into one datagram.
    TooLarge {
        /// The longest payload that fits, in bytes.
        limit: usize,
    },
    /// The association has ended; [`Connection::closed`](crate::Connection::closed) tells why.
    Closed,
    /// The keys have protected as many records as they may; a new connection is needed.
    KeysExhausted,
    /// Nothing may be sent before a [checkpoint](crate::Connection::checkpoint) is stored.
    CheckpointDue,
    /// The system did not take the datagram: there is no route, or it is larger than the
    /// network interface carries.
    Io(io::Error),
}

impl From<proto::SendError> for SendError {
    fn from(error: proto::SendError) -> Self {
        match error {
            proto::SendError::TooLarge { limit } => Self::TooLarge { limit },
            proto::SendError::KeysExhausted => Self::KeysExhausted,
            proto::SendError::CheckpointDue => Self::CheckpointDue,
            // `Closed`. The rest cannot happen: connections are handed out connected, and the
            // buffer is as long as the record.
            _ => Self::Closed,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => proto::SendError::TooLarge { limit: *limit }.fmt(f),
            Self::Closed => proto::SendError::Closed.fmt(f),
            Self::KeysExhausted => proto::SendError::KeysExhausted.fmt(f),
            Self::CheckpointDue => proto::SendError::CheckpointDue.fmt(f),
            Self::Io(error) => write!(f, "the datagram could not be sent: {error}"),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::TooLarge { .. } | Self::Closed | Self::KeysExhausted | Self::CheckpointDue => None,
        }
    }
}
