//! One side of a pair, and the endpoint of the servers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gramseal_proto::config::ServerConfig;
use gramseal_proto::endpoint::{CookiePolicy, Endpoint, EndpointConfig, Route};
use gramseal_proto::{Connection, Deferred, Event, Instant, Settled};

use super::Pair;

/// How long slow signers and verifiers take.
const SLOWNESS: Duration = Duration::from_millis(150);

/// A connection with what it handed out so far.
#[derive(Default)]
pub(super) struct Host {
    pub(super) connection: Option<Connection>,
    pub(super) received: Vec<Vec<u8>>,
    pub(super) events: Vec<Event>,
    /// Early data, on a server.
    pub(super) early_data: Vec<Vec<u8>>,
    /// What a slow signer or verifier works on, and when it is done.
    deferred: Option<(Instant, Deferred)>,
    /// With where each goes, if somebody has said.
    outgoing: Vec<Outgoing>,
    /// The deadline that stands in the simulation's timers.
    pub(super) armed: Option<Instant>,
    /// How many datagrams it has sent.
    pub(super) sent: usize,
}

/// A datagram, and where it goes; `None` is where the other side of the pair is.
pub(super) type Outgoing = (Option<SocketAddr>, Vec<u8>);

/// An endpoint that servers of any number of pairs share.
pub(super) struct Listener {
    pub(super) endpoint: Endpoint<Pair>,
    config: Arc<ServerConfig>,
    /// Where the endpoint has the connection of each pair.
    places: HashMap<Pair, SocketAddr>,
}

impl Listener {
    pub(super) fn new(config: Arc<ServerConfig>, cookies: CookiePolicy) -> Self {
        let endpoint = EndpointConfig::server(Arc::clone(&config)).expect("the null provider has all it takes");
        Self { endpoint: Endpoint::new(endpoint.with_cookie_policy(cookies)), config, places: HashMap::new() }
    }

    /// Whether a datagram from `from` is for the connection of `host`. Answers it, or makes that connection, if it is
    /// not.
    pub(super) fn passes(
        &mut self,
        now: Instant,
        from: SocketAddr,
        pair: Pair,
        host: &mut Host,
        datagram: &[u8],
    ) -> bool {
        let mut reply = Vec::new();
        match self.endpoint.route(now, from, datagram, &mut reply) {
            Route::Connection(key) => {
                assert_eq!(key, pair, "an address belongs to one pair");
                if !reply.is_empty() {
                    host.outgoing.push((Some(from), reply));
                }
                return true;
            }
            Route::Either { .. } => return true,
            Route::Incoming(incoming) => {
                let mut connection = incoming.accept(Arc::clone(&self.config), now);
                // The newest is the only one that is kept.
                let before = self.places.insert(pair, from).unwrap_or(from);
                self.endpoint.remove(before, pair);
                for mut early in self.endpoint.insert(from, pair).early_data {
                    drop(connection.handle_datagram(now, &mut early));
                }
                host.connection = Some(connection);
            }
            Route::Reply => host.outgoing.push((Some(from), reply)),
            Route::Kept | Route::Discard(_) => {}
        }
        false
    }

    /// Does what an event of the connection of `pair` asks of its endpoint.
    pub(super) fn happened(&mut self, pair: Pair, event: &Event) {
        let Some(&peer) = self.places.get(&pair) else { return };
        match event {
            Event::Connected => {
                self.endpoint.establish(peer, pair);
            }
            Event::CidIssued(cid) => self.endpoint.add_cid(peer, pair, cid.clone()).expect("nobody else has it"),
            Event::CidRetired(cid) => self.endpoint.remove_cid(peer, pair, cid),
            Event::PeerMoved(to) => {
                let place = if self.endpoint.move_peer(peer, *to, pair) { *to } else { peer };
                self.places.insert(pair, place);
            }
            _ => {}
        }
    }
}

impl Host {
    pub(super) fn client(connection: Connection) -> Self {
        Self { connection: Some(connection), ..Self::default() }
    }

    /// When the connection wants to be woken.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let timer = self.connection.as_ref()?.poll_timeout().map(|(at, _)| at);
        let done = self.deferred.as_ref().map(|(at, _)| *at);
        timer.into_iter().chain(done).min()
    }

    /// Takes in a datagram.
    pub(super) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, mut datagram: Vec<u8>) {
        if let Some(connection) = &mut self.connection {
            let payloads = connection.handle_datagram_from(now, from, &mut datagram);
            self.received.extend(payloads.map(|payload| payload.to_vec()));
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            if let Some((_, deferred)) = self.deferred.take_if(|(at, _)| *at <= now) {
                connection.handle_deferred(now, run(deferred));
            }
            connection.handle_timeout(now);
        }
    }

    /// Collects what the connection wants to send and to say.
    pub(super) fn drain(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        let mut datagram = Vec::new();
        while connection.poll_transmit(now, &mut datagram) {
            self.outgoing.push((connection.peer(), std::mem::take(&mut datagram)));
        }
        while let Some(to) = connection.poll_transmit_to(&mut datagram) {
            self.outgoing.push((Some(to), std::mem::take(&mut datagram)));
        }
        self.events.extend(std::iter::from_fn(|| connection.poll_event()));
        self.early_data.extend(std::iter::from_fn(|| connection.poll_early_data()));
        if let Some(deferred) = connection.poll_deferred() {
            self.deferred = Some((now + SLOWNESS, deferred));
        }
    }

    pub(super) fn take_outgoing(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outgoing)
    }
}

/// What `deferred` gives; it is one of [`null::Slow`], which waits for nothing but to be run.
fn run(deferred: Deferred) -> Settled {
    match pin!(deferred).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(settled) => settled,
        Poll::Pending => panic!("a future of these tests is ready when it is polled"),
    }
}
