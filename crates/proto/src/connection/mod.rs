//! One association: what joins record protection, flights and the handshake.
//!
//! It owns the order in which a datagram passes through the layers (`receive`), what goes out
//! (`transmit`), time (`timers`) and the end (`close`). It decides nothing that the RFCs leave to
//! a layer below.

mod acks;
mod allowance;
mod apply;
mod authenticate;
mod batch;
mod cids;
mod close;
mod deferred;
mod early;
mod event;
mod export;
mod handshaking;
mod hello;
mod idle;
mod key_update;
mod moving;
mod mtu;
mod mtu_search;
mod new_cids;
mod path_check;
mod paths;
mod post;
mod receive;
mod rest;
mod sessions;
mod srtp;
mod stats;
mod timers;
mod transmit;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::net::SocketAddr;

use allowance::Allowance;
pub use authenticate::{AuthenticateClientError, ClientAnswer};
pub use batch::SealedBatch;
use cids::Whereabouts;
pub(crate) use cids::address;
use early::EarlyData;
pub use early::SendEarlyError;
pub use event::{CloseReason, Event, Timer};
pub use export::ExportError;
use gramseal_wire::{Alert, Epoch, MessageSeq, SequenceNumber};
use handshaking::Handshaking;
use idle::Idle;
pub use key_update::UpdateKeysError;
use moving::Checkpoints;
pub use moving::{Checkpoint, ImageKey, ImportError, Imported, NotMovable};
use mtu::Mtu;
use mtu_search::MtuSearch;
use new_cids::NewCids;
pub use new_cids::NewCidsError;
use paths::Paths;
use pki_types::ServerName;
use post::Post;
pub use receive::Received;
use sessions::Remembered;
pub use srtp::{SrtpKeys, SrtpMasterKey};
pub use stats::{PathCheckCounts, Stats};

use crate::config::{ClientConfig, Common, ServerConfig};
use crate::error::Error;
use crate::handshake::{self, AdmittedBy, EarlyDataAnswer, Keying, Negotiated};
use crate::record::RecordLayer;
use crate::time::Instant;

/// One association with one peer.
///
/// # Contract
///
/// Datagrams and time come in, datagrams and events go out:
///
/// * give every datagram from the peer to [`handle_datagram`](Self::handle_datagram);
/// * after it, after [`handle_timeout`](Self::handle_timeout), after [`close`](Self::close) and
///   after making the connection: call [`poll_transmit`](Self::poll_transmit) until it has
///   nothing more, and [`poll_transmit_to`](Self::poll_transmit_to) too if datagrams are given to
///   [`handle_datagram_from`](Self::handle_datagram_from), then [`poll_event`](Self::poll_event)
///   likewise, then wait until the time that
///   [`poll_timeout`](Self::poll_timeout) names and call `handle_timeout`;
/// * the time given to these calls must not run backwards.
///
/// A server that takes early data fetches it likewise, with [`poll_early_data`](Self::poll_early_data).
///
/// The network cannot cause an error: what does not belong here is dropped and counted in
/// [`stats`](Self::stats). A failed association says so with [`Event::Closed`].
///
/// A signer or verifier that answers later makes the handshake wait for
/// [`poll_deferred`](Self::poll_deferred); with the usual ones that gives nothing.
///
/// Application data does not wait in queues: [`seal`](Self::seal) writes a record into the
/// caller's buffer, `handle_datagram` opens payloads where they lie. Neither allocates.
///
/// ```
/// use gramseal_proto::{Connection, Event, Instant};
///
/// fn received(connection: &mut Connection, now: Instant, datagram: &mut [u8]) {
///     for payload in connection.handle_datagram(now, datagram) {
///         println!("{} bytes", payload.len());
///     }
/// }
///
/// /// To be called after everything that the contract lists. Returns when to call
/// /// `handle_timeout`.
/// fn drain(connection: &mut Connection, now: Instant, send: impl Fn(&[u8])) -> Option<Instant> {
///     let mut datagram = Vec::new();
///     while connection.poll_transmit(now, &mut datagram) {
///         send(&datagram);
///     }
///     while let Some(event) = connection.poll_event() {
///         match event {
///             Event::Connected => println!("{:?}", connection.negotiated()),
///             Event::Closed(reason) => println!("{reason:?}"),
///             _ => {}
///         }
///     }
///     connection.poll_timeout().map(|(when, _timer)| when)
/// }
/// ```
pub struct Connection {
    role: Role,
    records: RecordLayer,
    phase: Phase,
    /// The newest epochs have no expanded keys.
    resting: bool,
    /// Gone once nobody can need it any more.
    handshake: Option<Box<Handshaking>>,
    agreed: Option<Box<Agreed>>,
    /// The number that the peer's next message would have, if it could send any after its handshake of 1.2.
    next_message: Option<MessageSeq>,
    /// After a handshake of 1.3.
    post: Option<Box<Post>>,
    /// Early data of 1.3, until the handshake is done and all is fetched.
    early: Option<Box<EarlyData>>,
    /// With the epoch that it goes in.
    pending_alert: Option<(Epoch, Alert)>,
    unread: Unread,
    mtu: Mtu,
    mtu_search: MtuSearch,
    idle: Idle,
    /// Where the peer is, if the caller has said.
    peer: Option<SocketAddr>,
    /// Once connection ids have changed, or are to.
    new_cids: Option<Box<NewCids>>,
    /// While something goes on about where the peer is.
    paths: Option<Box<Paths>>,
    stats: Stats,
    /// Of a connection that makes them.
    checkpoints: Option<Box<Checkpoints>>,
}

/// How a server's connection begins: what the client's first hello said before any state existed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever looked at the hello")]
pub struct FirstHello {
    /// The hello's number. 0 without a cookie exchange, usually 1 after one; our first message
    /// gets the same (RFC 6347 §4.2.2).
    pub message_seq: MessageSeq,
    /// The number of the record that carried it; our first record gets the same
    /// (RFC 6347 §4.2.1).
    pub sequence_number: SequenceNumber,
}

enum Role {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

impl Role {
    fn common(&self) -> &Common {
        match self {
            Self::Client(config) => &config.common,
            Self::Server(config) => &config.common,
        }
    }

    /// The longest message that the peer may send after the handshake of its own accord, in bytes.
    fn longest_later(&self) -> u32 {
        match self {
            Self::Client(config) => config.common.transport.max_message_len,
            Self::Server(config) => config.longest_later(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshaking,
    Connected,
    Closed,
}

/// What the handshake agreed on, for as long as the association lasts.
struct Agreed {
    negotiated: Negotiated,
    /// Gone if the association has failed.
    keying: Option<Keying>,
    /// What to forget if the association fails.
    remembered: Option<Remembered>,
}

/// Events that the caller has not polled: one of each kind at most, for a client is asked again only by
/// the caller; but those about connection ids, of which each has its own.
#[derive(Default)]
struct Unread {
    early_data: Option<EarlyDataAnswer>,
    connected: bool,
    client_answered: Option<ClientAnswer>,
    whereabouts: Option<Box<Whereabouts>>,
    checkpoint_due: bool,
    mtu: Option<usize>,
    closed: Option<CloseReason>,
}

impl Connection {
    /// Begins an association as client with the server `name`. Its ClientHello waits for
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// # Errors
    /// If the random source fails.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>, now: Instant) -> Result<Self, Error> {
        let (state, actions) = handshake::start_client(config.clone(), name)?;
        let handshaking =
            Handshaking::new(&config.common, state, MessageSeq(0), config.common.transport.max_message_len, now);
        let mut connection = Self::new(Role::Client(config), SequenceNumber(0), handshaking);
        connection.apply(actions, now);
        Ok(connection)
    }

    /// Begins an association as server. The datagram that held the client's hello is still to be
    /// given to [`handle_datagram`](Self::handle_datagram).
    ///
    /// That the client owns its address must have been checked before, see
    /// [`endpoint`](crate::endpoint), or be clear from elsewhere (ICE).
    #[must_use]
    pub fn server(config: Arc<ServerConfig>, first: FirstHello, now: Instant) -> Self {
        Self::server_after(AdmittedBy::Open, config, first, now)
    }

    /// The same, with what was checked of the hello.
    pub(crate) fn server_after(
        admitted_by: AdmittedBy,
        config: Arc<ServerConfig>,
        first: FirstHello,
        now: Instant,
    ) -> Self {
        // RFC 9147 §5.1: of such a client nobody knows whether it is where its hello came from.
        let budget = match &admitted_by {
            AdmittedBy::EarlyData => Some(Allowance::default()),
            AdmittedBy::Open | AdmittedBy::Cookie(_) => None,
        };
        let state = handshake::start_server(config.clone(), first.message_seq, admitted_by);
        let mut handshaking = Handshaking::new(&config.common, state, first.message_seq, config.longest_message(), now);
        handshaking.budget = budget;
        Self::new(Role::Server(config), first.sequence_number, handshaking)
    }

    fn new(role: Role, first_write: SequenceNumber, handshaking: Box<Handshaking>) -> Self {
        let transport = &role.common().transport;
        let mtu = Mtu::new(transport.mtu);
        let mut records = RecordLayer::new(first_write, transport.replay_window);
        records.set_padding(role.common().padding);
        records.set_largest_record(mtu.bytes());
        Self {
            records,
            phase: Phase::Handshaking,
            resting: false,
            handshake: Some(handshaking),
            agreed: None,
            next_message: None,
            post: None,
            early: None,
            pending_alert: None,
            unread: Unread::default(),
            mtu,
            mtu_search: MtuSearch::default(),
            idle: Idle::default(),
            peer: None,
            new_cids: None,
            paths: None,
            stats: Stats::default(),
            checkpoints: None,
            role,
        }
    }

    /// What happened since the last call.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(answer) = self.unread.early_data.take() {
            return Some(Event::EarlyData(answer));
        }
        if core::mem::take(&mut self.unread.connected) {
            return Some(Event::Connected);
        }
        if let Some(answer) = self.unread.client_answered.take() {
            return Some(Event::ClientAnswered(answer));
        }
        if let Some(event) = self.next_of_whereabouts() {
            return Some(event);
        }
        if core::mem::take(&mut self.unread.checkpoint_due) {
            return Some(Event::CheckpointDue);
        }
        if let Some(bytes) = self.unread.mtu.take() {
            return Some(Event::MtuChanged(bytes));
        }
        self.unread.closed.take().map(Event::Closed)
    }

    /// Whether application data can be sent and received.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// Whether the association has ended. What [`poll_transmit`](Self::poll_transmit) still has is
    /// worth sending.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// What the handshake agreed on; `None` before it is done.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.agreed.as_ref().map(|agreed| &agreed.negotiated)
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("phase", &self.phase)
            .field("negotiated", &self.negotiated())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
