//! A connection as the application sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gramseal_proto::wire::handshake::{ConnectionIdUsage, KeyUpdateRequest};
use gramseal_proto::{
    self as proto, Checkpoint, ClientAnswer, ExportError, ImageKey, Negotiated, NewCidsError, NotMovable, SrtpKeys,
    UpdateKeysError,
};

use crate::error::{AuthenticateError, CloseReason, ConnectError, ConnectionError, SendError};
use crate::queue::Payloads;
use crate::shared::{Progress, Shared};
use crate::stats::ConnectionStats;

/// An association with one peer, over which datagrams travel protected.
///
/// Cheap to clone. When the last clone is dropped, the association is closed as by
/// [`close`](Self::close).
///
/// As with UDP, datagrams may get lost, and may come in another order than they were sent. None
/// comes twice, and none that the peer did not send.
#[derive(Clone)]
pub struct Connection {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Connection {
    /// Sends the first flight of `shared`, whose handshake is closed if nobody waits for it any more.
    pub(crate) fn begin(shared: Arc<Shared>) -> Result<Self, ConnectError> {
        let connection = Self { handle: Arc::new(Handle { shared }) };
        connection.shared().start().map_err(ConnectError::Io)?;
        Ok(connection)
    }

    /// Waits for the handshake.
    pub(crate) async fn established(self) -> Result<Self, ConnectError> {
        loop {
            let changed = self.shared().changed.notified();
            match self.shared().progress() {
                Progress::Connected => break,
                Progress::Closed(reason) => return Err(reason.into()),
                Progress::Handshaking => changed.await,
            }
        }
        Ok(self)
    }

    /// Seals `data` and sends it as one datagram, on the caller's task; never waits.
    ///
    /// If the socket's send buffer is full, the datagram is lost like one that meets a full queue
    /// further on its way; [`ConnectionStats::sends_blocked`] counts it. Who sends a lot at once
    /// uses [`send_wait`](Self::send_wait). Works outside of a tokio runtime, too.
    ///
    /// # Errors
    /// See [`SendError`]; the connection is as before.
    pub fn send(&self, data: &[u8]) -> Result<(), SendError> {
        self.shared().send(data)
    }

    /// Like [`send`](Self::send), but waits until the socket's send buffer has room.
    ///
    /// If the future is dropped before it is done, the datagram may be lost.
    ///
    /// # Errors
    /// See [`SendError`]; the connection is as before.
    pub async fn send_wait(&self, data: &[u8]) -> Result<(), SendError> {
        self.shared().send_wait(data).await
    }

    /// Seals each of `payloads` and sends it as one datagram, on the caller's task; never waits. Returns how many went out,
    /// from the front: the others are the caller's to send later, or to drop.
    ///
    /// Much faster than [`send`](Self::send) for each: where the system cuts batches into datagrams (`UDP_SEGMENT` on
    /// Linux), payloads of one length next to each other, and a shorter one behind them, go out with one call, up to 64
    /// of them or 64 KB. If fewer go out than there are, the socket's send buffer is full, or the next one cannot be
    /// sent: the next call then fails.
    ///
    /// # Errors
    /// See [`SendError`], if it is the first payload that cannot be sent; the connection is as before.
    pub fn send_many<P: AsRef<[u8]>>(&self, payloads: &[P]) -> Result<usize, SendError> {
        self.shared().send_many(payloads)
    }

    /// Like [`send_many`](Self::send_many), but waits while the socket's send buffer is full. All go out, unless one
    /// cannot be sent.
    ///
    /// If the future is dropped before it is done, up to 64 datagrams may be lost.
    ///
    /// # Errors
    /// See [`SendError`], if it is the first payload that cannot be sent; the connection is as before.
    pub async fn send_many_wait<P: AsRef<[u8]>>(&self, payloads: &[P]) -> Result<usize, SendError> {
        self.shared().send_many_wait(payloads).await
    }

    /// The next datagram's payload; `None` once the peer or this side has closed the association
    /// and everything received before is fetched. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the association ended otherwise, see [`ConnectionError`].
    pub async fn recv(&self) -> Result<Option<Bytes>, ConnectionError> {
        loop {
            let readable = self.shared().readable.notified();
            if let Some(outcome) = self.shared().receive(|queue| queue.pop()) {
                return outcome;
            }
            readable.await;
        }
    }

    /// Like [`recv`](Self::recv), into the caller's buffer and without allocation. Returns the
    /// payload's length in bytes; what is longer than `buffer` is cut off, as by UDP sockets.
    ///
    /// # Errors
    /// If the association ended otherwise than in good order, see [`ConnectionError`].
    pub async fn recv_into(&self, buffer: &mut [u8]) -> Result<Option<usize>, ConnectionError> {
        loop {
            let readable = self.shared().readable.notified();
            if let Some(outcome) = self.shared().receive(|queue| queue.pop_into(buffer)) {
                return outcome;
            }
            readable.await;
        }
    }

    /// Waits like [`recv`](Self::recv), then puts all payloads that are there into `payloads`, in place of what it held,
    /// and returns how many there are: at least one. Nothing is copied, and if the same `payloads` is given again,
    /// nothing is allocated for what comes between two calls, up to 16 KiB.
    ///
    /// ```no_run
    /// # use gramseal::{Connection, ConnectionError, Payloads};
    /// # async fn count(conn: Connection) -> Result<usize, ConnectionError> {
    /// let (mut payloads, mut bytes) = (Payloads::new(), 0);
    /// while conn.recv_many(&mut payloads).await?.is_some() {
    ///     for payload in &payloads {
    ///         bytes += payload.len();
    ///     }
    /// }
    /// # Ok(bytes)
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the association ended otherwise than in good order, see [`ConnectionError`].
    pub async fn recv_many(&self, payloads: &mut Payloads) -> Result<Option<usize>, ConnectionError> {
        loop {
            let readable = self.shared().readable.notified();
            if let Some(outcome) = self.shared().receive(|queue| queue.swap(payloads)) {
                return outcome;
            }
            readable.await;
        }
    }

    /// The next payload of early data that came before the handshake was done, on a server that
    /// [takes some](crate::Incoming::accept_early); `None` once there is no more. What nobody fetches stays in memory
    /// as long as the connection. [`EarlyConnection`](crate::EarlyConnection) has it earlier, and tells what to bear
    /// in mind.
    pub async fn recv_early(&self) -> Option<Bytes> {
        loop {
            let changed = self.shared().changed.notified();
            if let Some(payload) = self.shared().early_data() {
                return payload;
            }
            changed.await;
        }
    }

    /// The longest payload that fits into one datagram, and into the records that the peer takes
    /// (RFC 8449, RFC 6066 §4), in bytes.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.shared().ask(|protocol| protocol.max_payload())
    }

    /// Asks the operating system how large a datagram the path to the peer carries (`IP_MTU`), which knows the network
    /// interface and what ICMP has said, and sends no larger ones from now on, until the next call; nor larger ones than
    /// [`Transport::mtu`](crate::Transport::mtu) says, or a search for
    /// [`max_mtu`](crate::Transport::max_mtu) has found. Returns what it says, in bytes of UDP payload; `None` on systems
    /// other than Linux and Android, which do not tell.
    ///
    /// That happens by itself when a handshake waits in vain for an answer, and when the system refuses a datagram; if
    /// datagrams are larger than 1232 bytes, also when the handshake is done, when the peer has moved, and after
    /// [`Endpoint::rebind`](crate::Endpoint::rebind). Who sends large datagrams in DTLS 1.2 may ask now and then.
    pub fn ask_path_mtu(&self) -> Option<usize> {
        self.shared().ask_path_mtu()
    }

    /// Begins to change the keys that this side sends with; with
    /// [`Requested`](KeyUpdateRequest::Requested) the peer is asked to change its own too. Does not wait:
    /// the new keys are used as soon as the peer has heard of them, which
    /// [`Stats::key_updates_sent`](gramseal_proto::Stats::key_updates_sent) counts.
    ///
    /// In DTLS 1.3 keys also change by themselves before they are used up; DTLS 1.2 cannot change them.
    ///
    /// # Errors
    /// See [`UpdateKeysError`]; nothing changed then.
    pub fn update_keys(&self, peer: KeyUpdateRequest) -> Result<(), UpdateKeysError> {
        self.shared().update_keys(peer)
    }

    /// Gives the peer `count` new connection ids (1.3, RFC 9147 §9), to use at once or for later. See
    /// [`proto::Connection::issue_cids`](gramseal_proto::Connection::issue_cids).
    ///
    /// # Errors
    /// See [`NewCidsError`]; nothing changed then.
    pub fn issue_cids(&self, count: u8, usage: ConnectionIdUsage) -> Result<(), NewCidsError> {
        self.shared().act(|protocol| protocol.issue_cids(count, usage))
    }

    /// Asks the peer for `count` connection ids for later (1.3, RFC 9147 §9). See
    /// [`proto::Connection::request_cids`](gramseal_proto::Connection::request_cids).
    ///
    /// # Errors
    /// See [`NewCidsError`]; nothing changed then.
    pub fn request_cids(&self, count: u8) -> Result<(), NewCidsError> {
        self.shared().act(|protocol| protocol.request_cids(count))
    }

    /// Puts the next connection id of the peer's into records from now on; `false` if there is none. For a client
    /// whose address is about to change, so that nobody can tell that it is the same one.
    pub fn use_next_cid(&self) -> bool {
        self.shared().act(proto::Connection::use_next_cid)
    }

    /// Asks the client for a certificate and waits for its answer (servers of 1.3, RFC 9846 §4.7.2):
    /// [`negotiated`](Self::negotiated) says who it is then. Application data goes on meanwhile. A client
    /// whose certificate or signature does not pass is refused as in the handshake, and the association ends.
    ///
    /// The client must have [offered](crate::ClientConfigBuilder::with_post_handshake_auth) it, and may take its
    /// time. Whoever stops waiting does not take the request back.
    ///
    /// # Errors
    /// See [`AuthenticateError`].
    pub async fn authenticate_client(&self) -> Result<ClientAnswer, AuthenticateError> {
        self.shared().authenticate_client().map_err(AuthenticateError::NotAsked)?;
        loop {
            let changed = self.shared().changed.notified();
            if let Some(answer) = self.shared().client_answer() {
                return answer.map_err(AuthenticateError::Ended);
            }
            changed.await;
        }
    }

    /// Whether the keys have protected nearly as many records as they may, or have met so many
    /// forgeries that they open nothing any more. In DTLS 1.3 new keys are on their way then. DTLS 1.2
    /// cannot change keys: it is time for a new connection, before [`SendError::KeysExhausted`].
    #[must_use]
    pub fn is_nearly_exhausted(&self) -> bool {
        self.shared().ask(|protocol| protocol.is_nearly_exhausted())
    }

    /// Where the peer is; an IPv4 peer has an IPv4 address here whatever the socket. It changes when a peer with a
    /// [connection id](crate::ConnectionIds) has moved: see [`Transport::path_check`](crate::Transport::path_check), and
    /// [`moved_from`](Self::moved_from) to hear of it.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.shared().path().peer
    }

    /// Waits until the peer is somewhere else than at `known`, and says where.
    ///
    /// ```no_run
    /// # async fn watch(conn: gramseal::Connection) {
    /// let mut peer = conn.peer_addr();
    /// while let Ok(moved) = conn.moved_from(peer).await {
    ///     println!("{peer} is at {moved} now");
    ///     peer = moved;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// Why the connection has ended, if it has.
    pub async fn moved_from(&self, known: SocketAddr) -> Result<SocketAddr, CloseReason> {
        loop {
            let changed = self.shared().changed.notified();
            if let Some(moved) = self.shared().moved_from(known) {
                return moved;
            }
            changed.await;
        }
    }

    /// What the handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> Negotiated {
        let negotiated = self.shared().ask(|protocol| protocol.negotiated().cloned());
        negotiated.expect("connections are handed out when their handshake is done")
    }

    /// Fills `out` with keying material that only the two peers can compute (RFC 5705). No context
    /// and an empty one give different bytes. That also goes after an end in good order, and not after a failure.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        self.shared().ask(|protocol| protocol.export_keying_material(label, context, out))
    }

    /// The SRTP keys of this connection (RFC 5764), for the profile in [`Negotiated::srtp`].
    ///
    /// # Errors
    /// [`ExportError::NoSrtp`] if no profile was agreed on, [`ExportError::Failed`] once the connection has failed.
    pub fn srtp_keys(&self) -> Result<SrtpKeys, ExportError> {
        self.shared().ask(|protocol| protocol.srtp_keys())
    }

    /// Ends the connection here, without a word to the peer, and returns an image from which it goes on in another
    /// process: see [`Endpoint::import`](crate::Endpoint::import). What was received and not fetched stays to be
    /// fetched here. The image has the connection's secrets, sealed with `key`; import it **once** and destroy it.
    ///
    /// # Errors
    /// See [`NotMovable`]; the connection goes on then.
    pub fn export(&self, key: &ImageKey) -> Result<Vec<u8>, NotMovable> {
        self.shared().export(key)
    }

    /// Makes an image with which another process goes on if this one dies, and reserves the numbers of `records`
    /// records for this one. Store it in place of the one before, then say so with
    /// [`checkpoint_stored`](Self::checkpoint_stored). What this guarantees, and what it asks of the caller, stands at
    /// [`proto::Connection::checkpoint`](gramseal_proto::Connection::checkpoint).
    ///
    /// ```no_run
    /// # use gramseal::{Connection, ImageKey};
    /// # type Failure = Box<dyn std::error::Error + Send + Sync>;
    /// # fn replace_stored(image: &[u8]) -> Result<(), Failure> { Ok(std::fs::write("connection.image", image)?) }
    /// async fn keep(conn: Connection, key: ImageKey) -> Result<(), Failure> {
    ///     loop {
    ///         let checkpoint = conn.checkpoint(&key, 1000)?;
    ///         replace_stored(checkpoint.image())?;
    ///         conn.checkpoint_stored(&checkpoint);
    ///         if conn.checkpoint_due().await.is_err() {
    ///             // The connection has ended.
    ///             return Ok(());
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`NotMovable`]; the connection is as before then.
    pub fn checkpoint(&self, key: &ImageKey, records: u64) -> Result<Checkpoint, NotMovable> {
        self.shared().checkpoint(key, records)
    }

    /// The image of `checkpoint` is stored, and no earlier one is: what it reserves may be used from now on.
    pub fn checkpoint_stored(&self, checkpoint: &Checkpoint) {
        self.shared().act(|protocol| protocol.checkpoint_stored(checkpoint));
    }

    /// Every image of this connection is destroyed: it goes on as if there never had been any.
    pub fn end_checkpoints(&self) {
        self.shared().act(proto::Connection::end_checkpoints);
    }

    /// Waits until the next checkpoint is due: when three quarters of what the last one reserved are used up, and when
    /// something has changed beside, so that nothing can be sent before there is one.
    ///
    /// # Errors
    /// Why the connection has ended, if it has.
    pub async fn checkpoint_due(&self) -> Result<(), CloseReason> {
        loop {
            let changed = self.shared().changed.notified();
            if let Some(due) = self.shared().checkpoint_due() {
                return due;
            }
            changed.await;
        }
    }

    /// What this connection has counted.
    #[must_use]
    pub fn stats(&self) -> ConnectionStats {
        self.shared().stats()
    }

    /// Closes the association in good order: the peer gets close_notify, once. Closing what is
    /// closed does nothing.
    pub async fn close(&self) {
        self.shared().close();
    }

    /// Waits until the association has ended, and says why.
    pub async fn closed(&self) -> CloseReason {
        loop {
            let changed = self.shared().changed.notified();
            if let Some(reason) = self.shared().close_reason() {
                return reason;
            }
            changed.await;
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer_addr()).finish_non_exhaustive()
    }
}
