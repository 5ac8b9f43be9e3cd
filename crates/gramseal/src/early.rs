//! Connections whose handshake is not done, for early data (0-RTT).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gramseal_proto::{self as proto, ExportError};

use crate::connection::Connection;
use crate::error::ConnectError;
use crate::shared::Shared;

/// An association whose handshake goes on, over which early data travels (0-RTT, RFC 9846 §2.3): a client's first
/// payloads, which do not wait for the server to answer.
///
/// On a client from [`Endpoint::connect_early`](crate::Endpoint::connect_early), on a server from
/// [`Incoming::accept_early`](crate::Incoming::accept_early). Dropping it ends the handshake.
///
/// ```no_run
/// # use std::net::SocketAddr;
/// # use std::sync::Arc;
/// # use gramseal::{ClientConfig, Endpoint, Incoming};
/// # type Failure = Box<dyn std::error::Error + Send + Sync>;
/// async fn ask(endpoint: &Endpoint, server: SocketAddr, config: Arc<ClientConfig>) -> Result<(), Failure> {
///     let early = endpoint.connect_early(server, "example.org", config)?;
///     let sent = early.send_early(b"GET status").is_ok();
///     let conn = early.established().await?;
///     if !(sent && conn.negotiated().early_data) {
///         conn.send(b"GET status")?;
///     }
///     println!("{:?}", conn.recv().await?);
///     Ok(())
/// }
///
/// async fn answer(incoming: Incoming) -> Result<(), Failure> {
///     let early = incoming.accept_early()?;
///     while let Some(request) = early.recv_early().await {
///         println!("perhaps a copy: {request:?}");
///     }
///     early.established().await?.send(b"fine")?;
///     Ok(())
/// }
/// ```
///
/// **Everybody who sees early data on its way can send it again**, to the same server as often as its
/// [`AntiReplay`](crate::sessions::AntiReplay) lets them, usually never, and to others that accept the same tickets. And
/// who learns the session's secret later can read what was recorded. So it is for requests that may happen twice.
#[must_use = "dropping it ends the handshake"]
pub struct EarlyConnection {
    connection: Connection,
}

impl EarlyConnection {
    /// Begins the handshake of `shared`.
    pub(crate) fn begin(shared: Arc<Shared>) -> Result<Self, ConnectError> {
        Ok(Self { connection: Connection::begin(shared)? })
    }

    /// Seals `data` and sends it as one datagram of early data; never waits. On clients alone, and only
    /// if there is a session with the server that allows it: else nothing is sent, and the handshake goes on.
    ///
    /// It may get lost, as every datagram; and if the server takes no early data, all of it is, as
    /// [`Negotiated::early_data`](crate::Negotiated::early_data) says after the handshake. Then the
    /// application decides whether to send it again.
    ///
    /// # Errors
    /// See [`SendEarlyError`]; the handshake goes on.
    pub fn send_early(&self, data: &[u8]) -> Result<(), SendEarlyError> {
        self.connection.shared().send_early(data)
    }

    /// The longest payload that [`send_early`](Self::send_early) takes now, in bytes; 0 if none can be sent.
    #[must_use]
    pub fn max_early_payload(&self) -> usize {
        self.connection.shared().ask(|protocol| protocol.max_early_payload())
    }

    /// The next payload of early data, on a server; `None` once the handshake has ended and all is fetched. An answer
    /// can be sent after the handshake. Dropping the future loses nothing.
    ///
    /// It is from a client that had the session, and it is new as far as this host can tell. That the client is there,
    /// and at its address, shows only when the handshake gets done: until then this may be a copy.
    pub async fn recv_early(&self) -> Option<Bytes> {
        self.connection.recv_early().await
    }

    /// Fills `out` with keying material that goes with early data (RFC 9846 §7.5): the same for whoever repeats
    /// the client's hello.
    ///
    /// # Errors
    /// [`ExportError::NoEarlyData`] if there is none.
    pub fn export_early_keying_material(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        self.connection.shared().ask(|protocol| protocol.export_early_keying_material(label, context, out))
    }

    /// Where the peer is; an IPv4 peer has an IPv4 address here whatever the socket.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.connection.peer_addr()
    }

    /// Waits for the end of the handshake.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn established(self) -> Result<Connection, ConnectError> {
        self.connection.established().await
    }
}

impl fmt::Debug for EarlyConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyConnection").field("peer", &self.peer_addr()).finish_non_exhaustive()
    }
}

/// Early data was not sent. The handshake goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendEarlyError {
    /// There is none in this connection: it is not the client's, the
    /// [configuration](crate::ClientConfigBuilder::with_early_data) does not want any, or there is no session with the
    /// server that allows it.
    NotOffered,
    /// The server has not read what came before, and would not read this.
    Rejected,
    /// The handshake is done, or the association has ended.
    Over,
    /// The payload does not fit into one datagram, or is more than the server takes.
    TooLarge {
        /// The longest payload that can be sent now, in bytes.
        limit: usize,
    },
    /// The keys have protected as many records as they may.
    KeysExhausted,
    /// The system did not take the datagram.
    Io(io::Error),
}

impl From<proto::SendEarlyError> for SendEarlyError {
    fn from(error: proto::SendEarlyError) -> Self {
        match error {
            proto::SendEarlyError::NotOffered => Self::NotOffered,
            proto::SendEarlyError::Rejected => Self::Rejected,
            proto::SendEarlyError::TooLarge { limit } => Self::TooLarge { limit },
            proto::SendEarlyError::KeysExhausted => Self::KeysExhausted,
            // `Over`. The rest cannot happen: the buffer is as long as the record.
            _ => Self::Over,
        }
    }
}

impl fmt::Display for SendEarlyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => proto::SendEarlyError::NotOffered.fmt(f),
            Self::Rejected => proto::SendEarlyError::Rejected.fmt(f),
            Self::Over => proto::SendEarlyError::Over.fmt(f),
            Self::TooLarge { limit } => proto::SendEarlyError::TooLarge { limit: *limit }.fmt(f),
            Self::KeysExhausted => proto::SendEarlyError::KeysExhausted.fmt(f),
            Self::Io(error) => write!(f, "the datagram could not be sent: {error}"),
        }
    }
}

impl std::error::Error for SendEarlyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
