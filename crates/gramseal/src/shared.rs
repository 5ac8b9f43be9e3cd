//! A connection as the driver and the application share it.
//!
//! Whoever has something for the protocol (a datagram, a timeout, a payload, the wish to close)
//! locks the connection, hands it over and carries out what follows, on its own task. Nothing goes
//! through a channel.

mod batch;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gramseal_proto as proto;
use gramseal_proto::endpoint::AddCidError;
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::{
    AuthenticateClientError, Checkpoint, ClientAnswer, Deferred, ImageKey, Instant, NotMovable, UpdateKeysError,
};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::early::SendEarlyError;
use crate::error::{CloseReason, ConnectionError, SendError};
use crate::moving::attach;
use crate::path_mtu;
use crate::queue::{Pushed, ReceiveQueue};
use crate::quiet::Quiet;
use crate::router::{CidChange, Key, Router};
use crate::socket::Path;
use crate::stats::{ConnectionStats, Counter, Outcome};
use crate::telemetry::Telemetry;
use crate::timers::Rearmed;

thread_local! {
    /// Where records are sealed: one for each thread instead of one for each idle connection.
    static DATAGRAM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Datagrams of so many bytes pass nearly everywhere, so that nobody has to be asked: what every IPv6 path carries.
const SURE: usize = 1280 - 40 - 8;

pub(crate) struct Shared {
    pub(crate) key: Key,
    /// Where the router's table has it. Changes with the table locked.
    place: Mutex<SocketAddr>,
    pub(crate) router: Arc<Router>,
    state: Mutex<State>,
    blocked: Counter,
    telemetry: Telemetry,
    /// One receiver is woken for each payload, all of them at the end.
    pub(crate) readable: Notify,
    /// The handshake is done, or the association has ended.
    pub(crate) changed: Notify,
}

struct State {
    protocol: proto::Connection,
    /// Where what it sends goes, and from where.
    path: Path,
    /// Where the peer seems to be, and where it wrote to from there; while that is checked.
    checked: Option<Box<Path>>,
    received: ReceiveQueue,
    connected: bool,
    /// How the client has answered the last request for a certificate.
    client_answer: Option<ClientAnswer>,
    closed: Option<CloseReason>,
    /// The deadline that stands in the router's timers.
    armed: Option<Instant>,
    quiet: Quiet,
    /// Runs what the handshake waits for.
    deferred: Option<AbortHandle>,
}

/// How far a handshake is.
pub(crate) enum Progress {
    Handshaking,
    Connected,
    Closed(CloseReason),
}

impl Shared {
    pub(crate) fn new(router: Arc<Router>, key: Key, path: Path, mut protocol: proto::Connection) -> Self {
        protocol.set_peer(path.peer);
        let received = ReceiveQueue::new(Arc::clone(&router.buffered));
        let state = State {
            // One that goes on from an image says nothing more of it.
            connected: protocol.is_connected(),
            protocol,
            path,
            checked: None,
            received,
            client_answer: None,
            closed: None,
            armed: None,
            quiet: Quiet::default(),
            deferred: None,
        };
        Self {
            key,
            place: Mutex::new(path.peer),
            router,
            state: Mutex::new(state),
            blocked: Counter::default(),
            telemetry: Telemetry::new(path.peer),
            readable: Notify::new(),
            changed: Notify::new(),
        }
    }

    /// Takes in a datagram that came on `path`, where the peer need not have been.
    pub(crate) fn handle_datagram(&self, now: Instant, path: Path, datagram: &mut [u8], scratch: &mut Vec<u8>) {
        self.handle_run(now, path, datagram, datagram.len(), scratch);
    }

    /// The same with datagrams next to each other, each of `stride` bytes but the last, which may be shorter.
    pub(crate) fn handle_run(&self, now: Instant, path: Path, run: &mut [u8], stride: usize, scratch: &mut Vec<u8>) {
        let len = run.len();
        let mut rest = run.chunks_mut(stride.max(1));
        while rest.len() > 0 {
            let mut guard = self.lock();
            let State { protocol, received, connected, .. } = &mut *guard;
            let handshaking = !*connected;
            // What a handshake has to say to one datagram may matter for the next.
            let batch = if handshaking { 1 } else { rest.len() };
            let before = self.telemetry.before(protocol.stats());
            let mut kept = false;
            // No payload is longer than its datagram.
            received.reserve(if handshaking { 0 } else { len });
            for datagram in rest.by_ref().take(batch) {
                for payload in protocol.handle_datagram_from(now, path.peer, datagram) {
                    kept |= received.push(payload) == Pushed::Kept;
                }
            }
            received.release();
            self.telemetry.discarded(before, protocol.stats());
            // What could not be sent is lost, as in `go_on`.
            let _ = self.settle_after(Some(path), guard, now, scratch);
            if handshaking {
                // Early data may have come.
                self.changed.notify_waiters();
            }
            if kept {
                // Who is woken passes it on if there is more than it fetches.
                self.readable.notify_one();
            }
        }
    }

    pub(crate) fn handle_timeout(&self, now: Instant, scratch: &mut Vec<u8>) {
        let mut state = self.lock();
        // The timer was taken out, unless somebody has set another since.
        state.armed = state.armed.filter(|deadline| *deadline > now);
        if !state.connected {
            // Perhaps what is waited for did not pass, and the system has heard of it.
            Self::ask_path_mtu_for(&mut state);
        }
        state.protocol.handle_timeout(now);
        // Timers are rare while data flows.
        state.received.rest();
        let _ = self.settle(state, now, scratch);
    }

    /// A signer or verifier has answered.
    fn handle_deferred(&self, settled: proto::Settled) {
        let now = self.router.clock.now();
        let mut state = self.lock();
        state.deferred = None;
        state.protocol.handle_deferred(now, settled);
        self.go_on(state);
    }

    /// Runs what the handshake waits for on a task of its own, and goes on with the outcome.
    fn run(&self, deferred: Deferred) -> AbortHandle {
        let (router, key) = (Arc::clone(&self.router), self.key);
        let task = tokio::spawn(async move {
            let settled = deferred.await;
            if let Some(connection) = router.connection(key) {
                connection.handle_deferred(settled);
            }
        });
        task.abort_handle()
    }

    /// Sends the first flight of a connection.
    pub(crate) fn start(&self) -> io::Result<()> {
        self.settle(self.lock(), self.router.clock.now(), &mut Vec::new())
    }

    /// Begins to update our keys.
    pub(crate) fn update_keys(&self, peer: KeyUpdateRequest) -> Result<(), UpdateKeysError> {
        self.act(|protocol| protocol.update_keys(peer))
    }

    /// Lets the protocol do something, and carries out what follows.
    pub(crate) fn act<T>(&self, what: impl FnOnce(&mut proto::Connection) -> T) -> T {
        let mut state = self.lock();
        let done = what(&mut state.protocol);
        self.go_on(state);
        done
    }

    /// Asks the client for a certificate.
    pub(crate) fn authenticate_client(&self) -> Result<(), AuthenticateClientError> {
        let mut state = self.lock();
        state.protocol.authenticate_client()?;
        state.client_answer = None;
        self.go_on(state);
        Ok(())
    }

    /// How the client has answered, or why it does not; `None` as long as it may.
    pub(crate) fn client_answer(&self) -> Option<Result<ClientAnswer, CloseReason>> {
        let state = self.lock();
        state.client_answer.map(Ok).or_else(|| state.closed.clone().map(Err))
    }

    /// Early data that nobody has fetched yet, or that there is none any more; `None` if some may come.
    pub(crate) fn early_data(&self) -> Option<Option<Bytes>> {
        let mut state = self.lock();
        let payload = state.protocol.poll_early_data().map(Bytes::from);
        (payload.is_some() || state.connected || state.closed.is_some()).then_some(payload)
    }

    /// Seals `data` as early data and sends it.
    pub(crate) fn send_early(&self, data: &[u8]) -> Result<(), SendEarlyError> {
        let mut state = self.lock();
        let protocol = &mut state.protocol;
        let mut datagram = vec![0; protocol.sealed_early_len(data.len().min(protocol.max_early_payload()))];
        let len = protocol.seal_early(data, &mut datagram)?;
        let path = state.path;
        drop(state);
        match self.router.socket.send(path, &datagram[..len]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked.add(1);
                Ok(())
            }
            sent => sent.map_err(SendEarlyError::Io),
        }
    }

    /// Ends the association here, for it goes on elsewhere from the image.
    pub(crate) fn export(&self, key: &ImageKey) -> Result<Vec<u8>, NotMovable> {
        let mut state = self.lock();
        let now = self.router.clock.now();
        let attached = attach(state.path);
        let image = state.protocol.export(key, &attached, now)?;
        self.go_on(state);
        Ok(image)
    }

    pub(crate) fn checkpoint(&self, key: &ImageKey, records: u64) -> Result<Checkpoint, NotMovable> {
        let now = self.router.clock.now();
        let mut state = self.lock();
        let attached = attach(state.path);
        state.protocol.checkpoint(key, &attached, records, now)
    }

    /// Whether a checkpoint is due, or why none will ever be; `None` as long as there is nothing to do.
    pub(crate) fn checkpoint_due(&self) -> Option<Result<(), CloseReason>> {
        let state = self.lock();
        if let Some(reason) = &state.closed {
            return Some(Err(reason.clone()));
        }
        state.protocol.checkpoint_due().then_some(Ok(()))
    }

    /// The system does not take a datagram of `len` bytes: it is larger than the path, or than the interface.
    fn refused(state: &mut State, len: usize) {
        // If it says nothing useful, the least that every path carries.
        let told = path_mtu::of(state.path).filter(|bytes| *bytes < len);
        state.protocol.set_path_mtu(told.unwrap_or_default());
    }

    fn ask_path_mtu_for(state: &mut State) -> Option<usize> {
        let bytes = path_mtu::of(state.path)?;
        state.protocol.set_path_mtu(bytes);
        Some(bytes)
    }

    /// The path is another one: asks, unless what is sent passes nearly everywhere.
    fn ask_of_large_datagrams(state: &mut State) {
        if state.protocol.mtu() > SURE {
            Self::ask_path_mtu_for(state);
        }
    }

    /// Asks the system what the path carries, and keeps to it.
    pub(crate) fn ask_path_mtu(&self) -> Option<usize> {
        let mut state = self.lock();
        let bytes = Self::ask_path_mtu_for(&mut state);
        self.go_on(state);
        bytes
    }

    /// Why a payload was not sent.
    fn not_sent(&self, error: io::Error, len: usize) -> SendError {
        if !path_mtu::is_too_large(&error) {
            return SendError::Io(error);
        }
        let mut state = self.lock();
        Self::refused(&mut state, len);
        SendError::TooLarge { limit: state.protocol.max_payload() }
    }

    /// Closes the association and tells the peer.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if state.closed.is_none() {
            state.protocol.close();
            self.go_on(state);
        }
    }

    /// Ends the association without a word to the peer.
    pub(crate) fn abandon(&self, reason: CloseReason) {
        let mut state = self.lock();
        if state.closed.is_none() {
            state.protocol.close();
            self.finish(state, reason);
        }
    }

    /// Carries out what the protocol has decided because of the application. Failures to send count as loss on the way:
    /// the protocol repeats what matters.
    fn go_on(&self, state: MutexGuard<'_, State>) {
        let _ = self.settle(state, self.router.clock.now(), &mut Vec::new());
    }

    /// The same after something was sealed, if that needs it: a connection that `rested` is to rest again some time, a
    /// KeyUpdate may wait, or somebody for the time of a checkpoint.
    fn go_on_after_sealing(&self, rested: bool, state: MutexGuard<'_, State>) {
        if rested || state.protocol.is_nearly_exhausted() || state.protocol.checkpoint_due() {
            self.go_on(state);
        }
    }

    /// Carries out what the protocol has decided: datagrams, events, the timer. What has ended stays as it is.
    ///
    /// Returns the first failure to send that is more than a full buffer.
    fn settle(&self, state: MutexGuard<'_, State>, now: Instant, scratch: &mut Vec<u8>) -> io::Result<()> {
        self.settle_after(None, state, now, scratch)
    }

    /// The same after a datagram that `came` on this path: answers to where it came from leave from where it came to.
    fn settle_after(
        &self,
        came: Option<Path>,
        mut state: MutexGuard<'_, State>,
        now: Instant,
        scratch: &mut Vec<u8>,
    ) -> io::Result<()> {
        if state.closed.is_some() {
            // It may have ended with less than the protocol would tell: nobody is to hear of another end.
            return Ok(());
        }
        let outcome = self.transmit(came, &mut state, now, scratch);
        let mut established = false;
        let mut moved = false;
        let mut cids = Vec::new();
        while let Some(event) = state.protocol.poll_event() {
            match event {
                proto::Event::Connected => {
                    state.connected = true;
                    established = true;
                    self.router.ended.handshake(Outcome::Completed);
                    Self::ask_of_large_datagrams(&mut state);
                    self.telemetry.connected(state.protocol.stats());
                    self.changed.notify_waiters();
                }
                proto::Event::ClientAnswered(answer) => {
                    state.client_answer = Some(answer);
                    self.telemetry.client_answered(answer);
                    self.changed.notify_waiters();
                }
                proto::Event::CidIssued(cid) => cids.push(CidChange::Issued(cid)),
                proto::Event::CidRetired(cid) => cids.push(CidChange::Retired(cid)),
                proto::Event::PeerMoved(to) => {
                    self.telemetry.moved(to);
                    Self::ask_of_large_datagrams(&mut state);
                    moved = true;
                }
                proto::Event::PeerElsewhere(from) => {
                    // Whether it is there nobody can check, so that what we send still goes where it was.
                    self.telemetry.elsewhere(from);
                }
                proto::Event::CheckpointDue => self.changed.notify_waiters(),
                proto::Event::Closed(reason) => {
                    self.finish(state, reason.into());
                    return outcome;
                }
                _ => {}
            }
        }
        if let Some(deferred) = state.protocol.poll_deferred() {
            state.deferred = Some(self.run(deferred));
        }
        let State { protocol, quiet, .. } = &mut *state;
        let look = quiet.look(now, protocol);
        let deadline = protocol.poll_timeout().map(|(deadline, _)| deadline);
        self.arm(&mut state, deadline.into_iter().chain(look).min());
        drop(state);
        if !cids.is_empty() {
            self.change_cids(cids);
        }
        if established {
            self.router.establish(self);
        }
        if moved {
            self.change_place();
        }
        outcome
    }

    /// Sends what the protocol has to say. Returns the first failure that is more than a full buffer.
    fn transmit(&self, came: Option<Path>, state: &mut State, now: Instant, scratch: &mut Vec<u8>) -> io::Result<()> {
        let mut outcome = Ok(());
        // If the peer has moved, what is sent from now on goes there.
        if let Some(peer) = state.protocol.peer().filter(|peer| !state.path.leads_to(*peer)) {
            state.path = state.path.towards(peer, came);
        }
        while state.protocol.poll_transmit(now, scratch) {
            match self.router.socket.send(state.path, scratch) {
                // A handshake then sends its flight in smaller pieces.
                Err(error) if path_mtu::is_too_large(&error) => Self::refused(state, scratch.len()),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock && outcome.is_ok() => outcome = Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        state.note_checked(came);
        while let Some(peer) = state.protocol.poll_transmit_to(scratch) {
            let came = came.filter(|came| came.leads_to(peer)).or_else(|| state.checked.as_deref().copied());
            // Lost on the way, as far as whoever is there can tell.
            let _ = self.router.socket.send(state.path.towards(peer, came), scratch);
        }
        outcome
    }

    /// The peer has moved: datagrams from there belong to this connection.
    fn change_place(&self) {
        let mut peer = self.path().peer;
        loop {
            self.router.move_peer(self, peer);
            // It may have moved once more, and somebody else may have said so before.
            match self.path().peer {
                now if now == peer => break,
                now => peer = now,
            }
        }
        self.changed.notify_waiters();
    }

    /// Where the router's table has it: to be asked with the table locked.
    pub(crate) fn place(&self) -> SocketAddr {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to change it.
    pub(crate) fn set_place(&self, to: SocketAddr) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Where what it sends goes, and from where.
    pub(crate) fn path(&self) -> Path {
        self.lock().path
    }

    /// This side sends from another socket from now on.
    pub(crate) fn leave_socket(&self) {
        let mut state = self.lock();
        (state.path.local, state.checked) = (None, None);
        state.protocol.use_another_path();
        Self::ask_of_large_datagrams(&mut state);
        self.go_on(state);
    }

    /// Where the peer is, if that is not `known`, or that it will not be anywhere.
    pub(crate) fn moved_from(&self, known: SocketAddr) -> Option<Result<SocketAddr, CloseReason>> {
        let state = self.lock();
        let moved = (state.path.peer != known).then_some(Ok(state.path.peer));
        moved.or_else(|| state.closed.clone().map(Err))
    }

    fn change_cids(&self, changes: Vec<CidChange>) {
        match self.router.change_cids(self, changes) {
            // Who has ended meanwhile needs none.
            Ok(()) | Err(AddCidError::NoConnection) => {}
            // Its records would go to another connection.
            Err(_) => {
                let mut state = self.lock();
                if state.closed.is_none() {
                    state.protocol.close();
                    let mut datagram = Vec::new();
                    while state.protocol.poll_transmit(self.router.clock.now(), &mut datagram) {
                        let _ = self.router.socket.send(state.path, &datagram);
                    }
                    let reason = proto::Error::Local(proto::LocalFault::UnusableCid);
                    self.finish(state, CloseReason::Failed(reason));
                }
            }
        }
    }

    /// The association has ended: tells everybody who waits, and forgets it.
    fn finish(&self, mut state: MutexGuard<'_, State>, reason: CloseReason) {
        self.telemetry.closed(state.connected, &reason);
        self.router.ended.connection(&reason, state.protocol.stats());
        if !state.connected {
            self.router.ended.handshake(Outcome::of(&reason));
        }
        state.closed = Some(reason);
        if let Some(task) = state.deferred.take() {
            task.abort();
        }
        self.arm(&mut state, None);
        drop(state);
        self.changed.notify_waiters();
        self.readable.notify_waiters();
        self.router.remove(self);
    }

    fn arm(&self, state: &mut State, deadline: Option<Instant>) {
        if deadline == state.armed {
            return;
        }
        if self.router.timers.rearm(self.key, state.armed, deadline) == Rearmed::Earlier {
            self.router.wake.notify_one();
        }
        state.armed = deadline;
    }

    /// Seals `data` and gives the datagram to `then`, with no lock held.
    fn seal<T>(&self, data: &[u8], then: impl FnOnce(Path, &[u8]) -> T) -> Result<T, SendError> {
        DATAGRAM.with_borrow_mut(|buffer| {
            let mut state = self.lock();
            let path = state.path;
            let protocol = &mut state.protocol;
            let needed = protocol.sealed_len(data.len().min(protocol.max_payload()));
            if buffer.len() < needed {
                buffer.resize(needed, 0);
            }
            let rested = protocol.is_resting();
            let sealed = protocol.seal(data, buffer);
            self.go_on_after_sealing(rested, state);
            let len = sealed?;
            Ok(then(path, &buffer[..len]))
        })
    }

    pub(crate) fn send(&self, data: &[u8]) -> Result<(), SendError> {
        let (sent, len) =
            self.seal(data, |path, datagram| (self.router.socket.send(path, datagram), datagram.len()))?;
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked.add(1);
                Ok(())
            }
            sent => sent.map_err(|error| self.not_sent(error, len)),
        }
    }

    pub(crate) async fn send_wait(&self, data: &[u8]) -> Result<(), SendError> {
        let socket = &self.router.socket;
        let left = self.seal(data, |path, datagram| match socket.try_send(path, datagram) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some((path, datagram.to_vec()))),
            sent => {
                socket.count(&sent);
                sent.map(|()| None).map_err(|error| (error, datagram.len()))
            }
        })?;
        match left.map_err(|(error, len)| self.not_sent(error, len))? {
            Some((path, datagram)) => {
                let sent = socket.send_wait(path, &datagram).await;
                sent.map_err(|error| self.not_sent(error, datagram.len()))
            }
            None => Ok(()),
        }
    }

    /// What `pop` finds, or how the stream of payloads ended; `None` if it goes on.
    pub(crate) fn receive<T>(
        &self,
        pop: impl FnOnce(&mut ReceiveQueue) -> Option<T>,
    ) -> Option<Result<Option<T>, ConnectionError>> {
        let mut state = self.lock();
        if let Some(payload) = pop(&mut state.received) {
            if state.received.len() > 0 {
                // Wake-ups that nobody waits for yet merge into one: it is passed on.
                self.readable.notify_one();
            }
            return Some(Ok(Some(payload)));
        }
        Some(match state.closed.clone()? {
            CloseReason::Local | CloseReason::Peer | CloseReason::Moved => Ok(None),
            CloseReason::Failed(error) => Err(ConnectionError::Failed(error)),
            CloseReason::Replaced => Err(ConnectionError::Replaced),
            CloseReason::Idle => Err(ConnectionError::Idle),
            CloseReason::EndpointGone => Err(ConnectionError::EndpointGone),
        })
    }

    pub(crate) fn progress(&self) -> Progress {
        let state = self.lock();
        match &state.closed {
            // Even if it has ended since: what was received can still be fetched.
            _ if state.connected => Progress::Connected,
            Some(reason) => Progress::Closed(reason.clone()),
            None => Progress::Handshaking,
        }
    }

    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.lock().closed.clone()
    }

    /// Asks the protocol something.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&proto::Connection) -> T) -> T {
        question(&self.lock().protocol)
    }

    pub(crate) fn stats(&self) -> ConnectionStats {
        let state = self.lock();
        ConnectionStats {
            protocol: state.protocol.stats().clone(),
            round_trip: state.protocol.stats().round_trip(),
            mtu: state.protocol.mtu(),
            receive_queue: state.received.len(),
            receive_queue_dropped: state.received.dropped(),
            sends_blocked: self.blocked.value(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Keeps the way that the datagram `came` on if that has begun a check: what a timer sends there leaves from where it
    /// came to, as the answer to it does. What comes from there later may be forged.
    fn note_checked(&mut self, came: Option<Path>) {
        let Some(to) = self.protocol.checked_address() else {
            self.checked = None;
            return;
        };
        if !self.checked.as_ref().is_some_and(|checked| checked.leads_to(to)) {
            self.checked = came.filter(|came| came.leads_to(to)).map(Box::new);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("key", &self.key).finish_non_exhaustive()
    }
}
