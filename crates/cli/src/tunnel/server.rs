//! The server end of a tunnel: connections in, datagrams out to the target.
//!
//! Each connection is a task, and has a local socket of its own towards the target, so that the target sees one
//! address for each client and answers find back.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gramseal::proto::endpoint::Prefix;
use gramseal::{Connection, Endpoint, Incoming, NotMovable, Payloads};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::burst::{self, Burst};
use super::counts::{Counts, Dropped, Ended, Held, Way};
use super::places::{Bounds, Granted, Place, Places};
use super::plan::ServerPlan;
use super::socket;
use super::state::{Found, Saved, State};
use super::stop::Stop;
use crate::client::resolve;
use crate::failure::Failure;

/// How often a connection that cannot move yet is asked again.
const EXPORT_AGAIN: Duration = Duration::from_millis(20);

thread_local! {
    /// Where datagrams of targets are received: one for each thread instead of one for each connection.
    static BURST: RefCell<Burst> = RefCell::new(Burst::new());
}

/// A server end that runs.
pub(super) struct ServerTunnel {
    name: String,
    endpoint: Endpoint,
    plan: Mutex<Arc<ServerPlan>>,
    counts: Counts,
    /// Of connections whose handshake is done.
    places: Arc<Places>,
    /// Where connections go that outlive this process.
    images: State,
}

/// A connection that is being served.
struct Served {
    place: Place,
    _counted: [Held; 2],
}

impl ServerTunnel {
    /// Binds the socket.
    pub(super) fn bind(plan: ServerPlan) -> Result<Self, Failure> {
        let socket = socket::bind(plan.address, plan.args.flow.socket_buffer)?;
        let endpoint = Endpoint::builder().with_server(Arc::clone(&plan.config)).on_socket(socket);
        let endpoint = endpoint.map_err(Failure::connection)?;
        let name = plan.args.listen.clone();
        let address = endpoint.local_addr().map_err(Failure::connection)?;
        let fingerprint = plan.own.as_ref().map(|own| own.fingerprint.to_string());
        let forward = plan.args.forward.to_string();
        tracing::info!(tunnel = %name, %address, forward, fingerprint, "tunnel server listens");
        let (counts, places) = (Counts::new(&name), Arc::default());
        let images = State::new().map_err(Failure::connection)?;
        let plan = Mutex::new(Arc::new(plan));
        let tunnel = Self { name, endpoint, plan, counts, places, images };
        tunnel.warn();
        Ok(tunnel)
    }

    pub(super) fn plan(&self) -> Arc<ServerPlan> {
        Arc::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does as `plan` says from now on; connections go on.
    pub(super) fn replan(&self, mut plan: ServerPlan) {
        socket::keep_buffer(&self.name, self.plan().args.flow.socket_buffer, &mut plan.args.flow.socket_buffer);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
        self.warn();
    }

    /// What is right is told, in case it is not meant.
    fn warn(&self) {
        for warning in self.plan().warnings() {
            tracing::warn!(tunnel = %self.name, "{warning}");
        }
    }

    /// What the process before this one left, if it left something, and it stays there.
    pub(super) fn find_state(&self) -> Result<Option<Found>, Failure> {
        let plan = self.plan();
        let Some(file) = &plan.args.state else { return Ok(None) };
        Found::read(file, plan.state_key().as_deref())
    }

    /// The connections in `found`, whose file is removed. One that is no good is told and put aside; new clients are
    /// served all the same.
    pub(super) fn take_state(&self, found: Found) -> Option<State> {
        let refused = |error: &Failure| {
            tracing::error!(tunnel = %self.name, %error, "no connection goes on: the state file is refused");
        };
        // Before the first connection goes on: an old copy of the file must not let it go on once more.
        found.take(|| self.plan().renew_state_key()).inspect_err(refused).ok()
    }

    /// Serves until `stop`; what was not closed by then is in the state file, or closed now.
    pub(super) async fn run(self: Arc<Self>, state: Option<State>, mut stop: Stop) -> Result<(), Failure> {
        let mut links = JoinSet::new();
        if let Some(state) = state {
            self.import(state, &mut links, &stop);
        }
        let mut saved = Vec::new();
        let deadline = loop {
            tokio::select! {
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.admit(incoming, &mut links, &stop),
                    None => return Err(Failure::connection("the socket is gone")),
                },
                // Some may have heard of the end before this task did.
                Some(ended) = links.join_next(), if !links.is_empty() => saved.extend(ended.ok().flatten()),
                deadline = stop.wanted() => break deadline,
            }
        };
        // Tasks keep to the deadline themselves, and need a moment for it.
        let late = deadline + Duration::from_secs(1);
        while let Ok(Some(ended)) = timeout_at(late, links.join_next()).await {
            saved.extend(ended.ok().flatten());
        }
        self.save(saved)?;
        self.endpoint.close().await;
        Ok(())
    }

    /// Lets connections of a state file go on.
    fn import(self: &Arc<Self>, state: State, links: &mut JoinSet<Option<Saved>>, stop: &Stop) {
        let (mut imported, mut refused) = (0_usize, 0_usize);
        for saved in state.connections {
            match self.endpoint.import(&state.key, &saved.image) {
                Ok(connection) => {
                    imported += 1;
                    self.counts.imported.increment(1);
                    let network = Prefix::of(connection.peer_addr());
                    let served = self.served(self.places.add(network, Instant::now()));
                    let (tunnel, stop, port) = (Arc::clone(self), stop.clone(), Some(saved.local_port));
                    links.spawn(async move { tunnel.relay(connection, port, served, stop).await });
                }
                Err(error) => {
                    refused += 1;
                    tracing::warn!(tunnel = %self.name, %error, "a connection does not go on");
                }
            }
        }
        tracing::info!(tunnel = %self.name, imported, refused, "connections of the state file go on");
    }

    /// Begins a handshake, if there is room.
    fn admit(self: &Arc<Self>, incoming: Incoming, links: &mut JoinSet<Option<Saved>>, stop: &Stop) {
        let peer = incoming.peer();
        if let Err(reason) = self.places.have_room(self.bounds(peer), Prefix::of(peer), Instant::now()) {
            // The client repeats its hello, and may find room then.
            self.counts.drop(reason);
            return incoming.ignore();
        }
        let (tunnel, stop) = (Arc::clone(self), stop.clone());
        links.spawn(async move { tunnel.serve(incoming, stop).await });
    }

    fn served(&self, place: Place) -> Served {
        Served { place, _counted: [self.counts.sender(), self.counts.connection()] }
    }

    fn bounds(&self, peer: SocketAddr) -> Bounds {
        Bounds::new(&self.plan().args.flow, peer)
    }

    /// A place for one more from `peer`, if need be that of another.
    fn place(&self, peer: SocketAddr) -> Result<Place, Dropped> {
        Ok(match self.places.take(self.bounds(peer), Prefix::of(peer), Instant::now())? {
            Granted::Free(place) => place,
            Granted::Displaced(place) => {
                self.counts.displaced.increment(1);
                place
            }
        })
    }

    async fn serve(self: Arc<Self>, incoming: Incoming, mut stop: Stop) -> Option<Saved> {
        let peer = incoming.peer();
        let config = Arc::clone(&self.plan().config);
        let established = tokio::select! {
            established = incoming.accept_with(config) => established,
            _ = stop.wanted() => return None,
        };
        let connection = match established {
            Ok(connection) => connection,
            Err(error) => {
                self.counts.failed(&Failure::from(&error));
                tracing::info!(tunnel = %self.name, %peer, %error, "handshake failed");
                return None;
            }
        };
        self.counts.established(&connection);
        let negotiated = connection.negotiated();
        tracing::info!(
            tunnel = %self.name, %peer, version = %negotiated.version, suite = %negotiated.cipher_suite,
            resumed = negotiated.resumed, "connected"
        );
        let place = match self.place(peer) {
            Ok(place) => place,
            Err(reason) => {
                // More handshakes ran than there was room for.
                self.counts.drop(reason);
                self.counts.turn_away(&connection, reason).await;
                return None;
            }
        };
        let served = self.served(place);
        self.relay(connection, None, served, stop).await
    }

    /// Carries datagrams both ways until either side, time or `stop` ends it; its image, if it outlives the process.
    async fn relay(&self, connection: Connection, port: Option<u16>, served: Served, stop: Stop) -> Option<Saved> {
        let peer = connection.peer_addr();
        let target = match self.target(port).await {
            Ok(target) => target,
            Err(error) => {
                tracing::warn!(tunnel = %self.name, %peer, %error, "the target cannot be reached: closed");
                self.counts.turn_away(&connection, Dropped::LocalProgram).await;
                return None;
            }
        };
        let mut payloads = Payloads::new();
        let (saved, why) = self.converse(&connection, &target, &served.place, &mut payloads, stop).await;
        if saved.is_none() {
            connection.close().await;
        }
        // What came before the end goes on; it will not come again.
        while let Ok(Some(_)) = connection.recv_many(&mut payloads).await {
            self.pass_on(&payloads, &target).await;
        }
        self.counts.ended(&connection);
        tracing::info!(tunnel = %self.name, peer = %connection.peer_addr(), why, "connection ended");
        saved
    }

    /// A socket towards the target, which is looked up anew each time.
    async fn target(&self, port: Option<u16>) -> Result<UdpSocket, Failure> {
        let plan = self.plan();
        let forward = &plan.args.forward;
        let addresses = resolve(forward).await?;
        let address = addresses.first().ok_or_else(|| Failure::connection(format!("{forward} has no address")))?;
        socket::connected(*address, port).map_err(|error| Failure::connection(format!("{address}: {error}")))
    }

    async fn converse(
        &self,
        connection: &Connection,
        target: &UdpSocket,
        place: &Place,
        payloads: &mut Payloads,
        mut stop: Stop,
    ) -> (Option<Saved>, String) {
        let mut deadline = None;
        loop {
            let idle = self.plan().args.flow.idle;
            tokio::select! {
                received = connection.recv_many(payloads) => match received {
                    Ok(Some(_)) => {
                        place.touch(Instant::now());
                        self.pass_on(payloads, target).await;
                        burst::keep_little(payloads);
                    }
                    Ok(None) => return (None, connection.closed().await.to_string()),
                    Err(error) => return (None, error.to_string()),
                },
                ready = target.readable() => match ready.map(|()| self.take_answers(connection, target)) {
                    Ok(Ok(0)) | Err(_) => {}
                    Ok(Ok(_)) => place.touch(Instant::now()),
                    // Its keys are used up, unless it is closed already: receiving tells.
                    Ok(Err(Ended { .. })) => connection.close().await,
                },
                () = sleep_until(place.active() + idle) => return (None, "idle".to_owned()),
                () = place.lost() => return (None, "another took its place".to_owned()),
                until = stop.wanted(), if deadline.is_none() => deadline = Some(until),
                () = sleep(EXPORT_AGAIN), if deadline.is_some() => {}
            }
            if let Some(deadline) = deadline
                && let Some(end) = self.leave(connection, target, deadline).await
            {
                return end;
            }
        }
    }

    /// What a client sent goes to the target.
    async fn pass_on(&self, payloads: &Payloads, target: &UdpSocket) {
        for payload in payloads {
            let mut sent = target.send(payload).await;
            if sent.is_err() {
                // What came back of an earlier datagram: it was not this one that failed.
                sent = target.send(payload).await;
            }
            match sent {
                Ok(_) => self.counts.moved(Way::Opened, payload.len()),
                Err(_) => self.counts.drop(Dropped::LocalProgram),
            }
        }
    }

    /// What the target sent goes to the client; how many datagrams.
    fn take_answers(&self, connection: &Connection, target: &UdpSocket) -> Result<usize, Ended> {
        BURST.with_borrow_mut(|burst| {
            // An error means that the target's port was closed just now: what was sent there is counted already.
            burst.fill(target);
            let mut outcome = Ok(burst.len());
            burst.by_sender(|_, payloads| {
                if let Err(ended) = self.counts.send(&self.name, connection, payloads) {
                    self.counts.drop_many(Dropped::NotConnected, payloads.len() - ended.done);
                    outcome = Err(ended);
                }
            });
            outcome
        })
    }

    /// Ends a connection because the process ends: with an image, as soon as it can move, or in good order.
    async fn leave(
        &self,
        connection: &Connection,
        target: &UdpSocket,
        deadline: Instant,
    ) -> Option<(Option<Saved>, String)> {
        let plan = self.plan();
        if plan.args.state.is_none() {
            return Some((None, "the tunnel ends".to_owned()));
        }
        match connection.export(&self.images.key) {
            Ok(image) => {
                let local_port = target.local_addr().map_or(0, |address| address.port());
                self.counts.exported.increment(1);
                Some((Some(Saved { image, local_port }), "goes on in the next process".to_owned()))
            }
            Err(NotMovable::LastFlight | NotMovable::MessageInPart) if Instant::now() < deadline => None,
            Err(error) => Some((None, format!("the tunnel ends, and {error}"))),
        }
    }

    fn save(&self, connections: Vec<Saved>) -> Result<(), Failure> {
        let plan = self.plan();
        let (Some(file), Some(key)) = (&plan.args.state, plan.state_key()) else { return Ok(()) };
        if connections.is_empty() {
            return Ok(());
        }
        let saved = connections.len();
        self.images.write(connections, file, &key)?;
        tracing::info!(tunnel = %self.name, saved, file = %file.display(), "connections are in the state file");
        Ok(())
    }
}
