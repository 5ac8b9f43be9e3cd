//! One simulated host: a connection, or an endpoint that waits for one.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gramseal_proto::config::ServerConfig;
use gramseal_proto::endpoint::{CookiePolicy, Endpoint, EndpointConfig, EndpointStats, Route};
use gramseal_proto::{Connection, Deferred, Event, Instant, Settled};

/// How long slow signers and verifiers take.
const SLOWNESS: Duration = Duration::from_millis(150);

/// A connection with what it handed out so far.
pub(super) struct Host {
    pub(super) connection: Option<Connection>,
    pub(super) received: Vec<Vec<u8>>,
    pub(super) events: Vec<Event>,
    /// Early data, on a server.
    pub(super) early_data: Vec<Vec<u8>>,
    /// What a slow signer or verifier works on, and when it is done.
    deferred: Option<(Instant, Deferred)>,
    listener: Option<Listener>,
    outgoing: Vec<Vec<u8>>,
}

struct Listener {
    endpoint: Endpoint<()>,
    config: Arc<ServerConfig>,
}

impl Host {
    pub(super) fn client(connection: Connection) -> Self {
        Self { connection: Some(connection), ..Self::idle() }
    }

    pub(super) fn server(config: Arc<ServerConfig>, cookies: CookiePolicy) -> Self {
        let endpoint = EndpointConfig::server(Arc::clone(&config)).expect("the null provider has all it takes");
        let endpoint = Endpoint::new(endpoint.with_cookie_policy(cookies));
        Self { listener: Some(Listener { endpoint, config }), ..Self::idle() }
    }

    fn idle() -> Self {
        Self {
            connection: None,
            received: Vec::new(),
            events: Vec::new(),
            early_data: Vec::new(),
            deferred: None,
            listener: None,
            outgoing: Vec::new(),
        }
    }

    /// When the connection wants to be woken.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let timer = self.connection.as_ref()?.poll_timeout().map(|(at, _)| at);
        let done = self.deferred.as_ref().map(|(at, _)| *at);
        timer.into_iter().chain(done).min()
    }

    /// Takes in a datagram; the answers wait in [`Self::take_outgoing`].
    pub(super) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, mut datagram: Vec<u8>) {
        if self.is_for_connection(now, from, &datagram)
            && let Some(connection) = &mut self.connection
        {
            let payloads = connection.handle_datagram_from(now, from, &mut datagram);
            self.received.extend(payloads.map(|payload| payload.to_vec()));
        }
        self.drain(now);
    }

    /// Asks the endpoint, if there is one, and lets it answer or accept.
    fn is_for_connection(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> bool {
        let Some(Listener { endpoint, config }) = &mut self.listener else { return true };
        let mut reply = Vec::new();
        match endpoint.route(now, from, datagram, &mut reply) {
            Route::Connection(()) | Route::Either { .. } => {
                if !reply.is_empty() {
                    self.outgoing.push(reply);
                }
                return true;
            }
            Route::Incoming(incoming) => {
                let mut connection = incoming.accept(Arc::clone(config), now);
                // The newest is the only one that is kept.
                endpoint.remove(from, ());
                for mut early in endpoint.insert(from, ()).early_data {
                    drop(connection.handle_datagram(now, &mut early));
                }
                self.connection = Some(connection);
            }
            Route::Reply => self.outgoing.push(reply),
            Route::Kept | Route::Discard(_) => {}
        }
        false
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            if let Some((_, deferred)) = self.deferred.take_if(|(at, _)| *at <= now) {
                connection.handle_deferred(now, run(deferred));
            }
            connection.handle_timeout(now);
        }
        self.drain(now);
    }

    /// Collects what the connection wants to send and to say.
    pub(super) fn drain(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        let mut datagram = Vec::new();
        while connection.poll_transmit(now, &mut datagram) {
            self.outgoing.push(std::mem::take(&mut datagram));
        }
        while let Some(event) = connection.poll_event() {
            if let (Some(listener), Some(peer)) = (&mut self.listener, connection.peer()) {
                match &event {
                    Event::CidIssued(cid) => {
                        listener.endpoint.add_cid(peer, (), cid.clone()).expect("nobody else has it");
                    }
                    Event::CidRetired(cid) => listener.endpoint.remove_cid(peer, (), cid),
                    _ => {}
                }
            }
            self.events.push(event);
        }
        self.early_data.extend(std::iter::from_fn(|| connection.poll_early_data()));
        if let Some(deferred) = connection.poll_deferred() {
            self.deferred = Some((now + SLOWNESS, deferred));
        }
    }

    pub(super) fn endpoint_stats(&self) -> &EndpointStats {
        self.listener.as_ref().expect("a server").endpoint.stats()
    }

    pub(super) fn take_outgoing(&mut self) -> Vec<Vec<u8>> {
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
