//! A connection under test in front of a scripted peer, without a network between them.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::{ClientAnswer, CloseReason, Connection, Discard, Error, Event, FirstHello, Instant, Settled};
use gramseal_wire::{HandshakeType, MessageSeq, NamedGroup, SequenceNumber};
use pki_types::ServerName;

use super::{Peer, Peer13, Step};
use crate::null::SERVER_NAME;
use crate::sim::Side;

/// Where the connection under test stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests decide about every outcome")]
pub enum Outcome {
    /// It still waits for something.
    Waiting,
    /// Its handshake is complete.
    Connected,
    /// It ended.
    Closed(CloseReason),
}

impl Outcome {
    /// The same; of a message that cannot be read only what is wrong with it, not where.
    #[must_use]
    pub fn without_place(self) -> Self {
        match self {
            Self::Closed(CloseReason::Failed(Error::Decode(malformed))) => {
                Self::Closed(CloseReason::Failed(malformed.error.into()))
            }
            other => other,
        }
    }
}

/// What plays the other side of a [`Scene`].
pub trait Scripted {
    /// Takes in a datagram of the side under test.
    ///
    /// # Panics
    /// If it holds what nobody who follows the rules sends.
    fn receive(&mut self, datagram: &[u8]);
}

/// The connection under test and its peer. Datagrams between them arrive at once.
#[derive(Debug)]
pub struct Scene<P = Peer> {
    /// The peer.
    pub peer: P,
    connection: Connection,
    now: Instant,
    sent: Vec<Vec<u8>>,
    received: Vec<Vec<u8>>,
    closed: Option<CloseReason>,
    was_connected: bool,
    client_answers: Vec<ClientAnswer>,
}

/// A scene with a peer of 1.3.
pub type Scene13 = Scene<Peer13>;

impl Scene {
    /// A client under test, before a scripted server that has its ClientHello.
    ///
    /// # Panics
    /// If the client cannot begin.
    #[must_use]
    pub fn client(config: impl Into<Arc<ClientConfig>>, seed: u64) -> Self {
        Self::of_client(config.into(), Peer::new(Side::Server, seed))
    }

    /// A server under test that needs no cookie, before a scripted client that has sent nothing.
    #[must_use]
    pub fn server(config: impl Into<Arc<ServerConfig>>, seed: u64) -> Self {
        Self::of_server(config.into(), Peer::new(Side::Client, seed))
    }

    /// Lets the peer do `steps` and hands over what it sends, one by one.
    pub fn play(&mut self, steps: &[Step]) {
        for step in steps {
            let datagrams = self.peer.play(&[*step]);
            self.deliver(datagrams);
        }
    }

    /// Plays an honest handshake without client certificate.
    ///
    /// # Panics
    /// If the connection under test does not connect.
    pub fn connect(&mut self) {
        for flight in [self.first_flight(false), self.last_flight(false)] {
            self.play(&flight);
        }
        assert_eq!(self.outcome(), Outcome::Connected);
    }

    /// The first flight of the peer: a ClientHello, or everything up to ServerHelloDone.
    #[must_use]
    pub fn first_flight(&self, client_auth: bool) -> Vec<Step> {
        if self.peer.side() == Side::Client {
            return vec![Step::Message(HandshakeType::CLIENT_HELLO)];
        }
        let mut types = vec![
            HandshakeType::SERVER_HELLO,
            HandshakeType::CERTIFICATE,
            HandshakeType::SERVER_KEY_EXCHANGE,
            HandshakeType::CERTIFICATE_REQUEST,
            HandshakeType::SERVER_HELLO_DONE,
        ];
        types.retain(|msg_type| client_auth || *msg_type != HandshakeType::CERTIFICATE_REQUEST);
        types.into_iter().map(Step::Message).collect()
    }

    /// The flight of the peer that ends in its Finished.
    #[must_use]
    pub fn last_flight(&self, client_auth: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.peer.side() == Side::Client {
            steps.push(Step::Message(HandshakeType::CERTIFICATE));
            steps.push(Step::Message(HandshakeType::CLIENT_KEY_EXCHANGE));
            steps.push(Step::Message(HandshakeType::CERTIFICATE_VERIFY));
            steps.retain(|step| client_auth || *step == Step::Message(HandshakeType::CLIENT_KEY_EXCHANGE));
        }
        steps.push(Step::ChangeCipherSpec);
        steps.push(Step::Message(HandshakeType::FINISHED));
        steps
    }
}

impl Scene13 {
    /// A client under test, before a scripted server that has its ClientHello.
    ///
    /// # Panics
    /// If the client cannot begin.
    #[must_use]
    pub fn client13(config: impl Into<Arc<ClientConfig>>, seed: u64) -> Self {
        Self::of_client(config.into(), Peer13::new(Side::Server, seed))
    }

    /// The same with a server that takes the client's share of `group`.
    #[must_use]
    pub fn client13_with(config: impl Into<Arc<ClientConfig>>, seed: u64, group: NamedGroup) -> Self {
        let mut peer = Peer13::new(Side::Server, seed);
        peer.set_group(group);
        Self::of_client(config.into(), peer)
    }

    /// A server under test that needs no cookie, before a scripted client that has sent nothing.
    #[must_use]
    pub fn server13(config: impl Into<Arc<ServerConfig>>, seed: u64) -> Self {
        Self::of_server(config.into(), Peer13::new(Side::Client, seed))
    }

    /// Lets the peer send messages of these types, each in a datagram.
    pub fn say(&mut self, types: &[HandshakeType]) {
        for msg_type in types {
            let datagram = self.peer.datagram(*msg_type);
            self.deliver([datagram]);
        }
    }

    /// The same with one message, whose body the test chooses.
    pub fn say_of(&mut self, msg_type: HandshakeType, body: &[u8]) {
        let datagram = self.peer.datagram_of(msg_type, body);
        self.deliver([datagram]);
    }

    /// What the peer says in a handshake; with or without a certificate of the client.
    #[must_use]
    pub fn handshake(&self, client_auth: bool) -> Vec<HandshakeType> {
        let (asked, answered) = match self.peer.side() {
            Side::Client => (&[HandshakeType::CLIENT_HELLO][..], client_auth),
            Side::Server => (&[HandshakeType::SERVER_HELLO, HandshakeType::ENCRYPTED_EXTENSIONS][..], true),
        };
        let mut types = asked.to_vec();
        if self.peer.side() == Side::Server && client_auth {
            types.push(HandshakeType::CERTIFICATE_REQUEST);
        }
        if answered {
            types.extend([HandshakeType::CERTIFICATE, HandshakeType::CERTIFICATE_VERIFY]);
        }
        types.push(HandshakeType::FINISHED);
        types
    }

    /// Plays an honest handshake without client certificate; of a client under test its last flight is acknowledged.
    ///
    /// # Panics
    /// If the connection under test does not connect.
    pub fn connect13(&mut self) {
        self.say(&self.handshake(false));
        assert_eq!(self.outcome(), Outcome::Connected);
        if self.peer.side() == Side::Server {
            let ack = self.peer.ack([(2, 0)]);
            self.deliver([ack]);
        }
    }
}

impl<P: Scripted> Scene<P> {
    fn of_client(config: Arc<ClientConfig>, peer: P) -> Self {
        let name = ServerName::try_from(SERVER_NAME).expect("a DNS name");
        let now = Instant::from_micros(1_000_000);
        let connection = Connection::client(config, name, now).expect("a client begins");
        Self::new(peer, connection, now)
    }

    fn of_server(config: Arc<ServerConfig>, peer: P) -> Self {
        let now = Instant::from_micros(1_000_000);
        let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
        Self::new(peer, Connection::server(config, first, now), now)
    }

    fn new(peer: P, connection: Connection, now: Instant) -> Self {
        let (sent, received) = (Vec::new(), Vec::new());
        let mut scene = Self {
            peer,
            connection,
            now,
            sent,
            received,
            closed: None,
            was_connected: false,
            client_answers: Vec::new(),
        };
        scene.drain();
        scene
    }

    /// Hands datagrams to the connection under test, and its answers to the peer.
    pub fn deliver(&mut self, datagrams: impl IntoIterator<Item = Vec<u8>>) {
        for mut datagram in datagrams {
            let payloads = self.connection.handle_datagram(self.now, &mut datagram);
            self.received.extend(payloads.map(|payload| payload.to_vec()));
            self.drain();
        }
    }

    /// Tells the connection under test what it waited for.
    pub fn settle(&mut self, settled: Settled) {
        self.connection.handle_deferred(self.now, settled);
        self.drain();
    }

    /// Closes the connection under test and lets it say so.
    pub fn close(&mut self) {
        self.connection.close();
        self.drain();
    }

    /// Lets time go by; deadlines of the connection fire when they are due.
    ///
    /// # Panics
    /// If a deadline does not move on.
    pub fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.connection.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.connection.handle_timeout(self.now);
            self.drain();
            let next = self.connection.poll_timeout();
            assert!(next.is_none_or(|(next, _)| next > self.now), "a timer does not advance");
        }
        self.now = end;
    }

    fn drain(&mut self) {
        let mut datagram = Vec::new();
        while self.connection.poll_transmit(self.now, &mut datagram) {
            self.peer.receive(&datagram);
            self.sent.push(std::mem::take(&mut datagram));
        }
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected => self.was_connected = true,
                Event::ClientAnswered(answer) => self.client_answers.push(answer),
                Event::Closed(reason) => self.closed = Some(reason),
                _ => {}
            }
        }
    }

    /// Where the connection under test stands.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.closed {
            Some(reason) => Outcome::Closed(reason.clone()),
            None if self.connection.is_connected() => Outcome::Connected,
            None => Outcome::Waiting,
        }
    }

    /// Whether the connection ever said it was connected.
    #[must_use]
    pub const fn was_connected(&self) -> bool {
        self.was_connected
    }

    /// How the peer has answered requests for a certificate, as the connection says.
    #[must_use]
    pub fn client_answers(&self) -> &[ClientAnswer] {
        &self.client_answers
    }

    /// What the connection sent since this was last asked.
    pub fn take_sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sent)
    }

    /// What the connection sent since it was last taken.
    #[must_use]
    pub fn sent(&self) -> &[Vec<u8>] {
        &self.sent
    }

    /// The application data the connection gave out so far.
    #[must_use]
    pub fn received(&self) -> &[Vec<u8>] {
        &self.received
    }

    /// Delivers `datagram`, which is dropped for `reason` and for nothing else, in silence.
    ///
    /// # Panics
    /// If anything else comes of it.
    #[track_caller]
    pub fn assert_dropped(&mut self, datagram: Vec<u8>, reason: Discard) {
        let outcome = self.outcome();
        let (mut expected, payloads) = (self.connection.stats().discards.clone(), self.received.len());
        self.sent.clear();
        self.deliver([datagram]);
        expected.count(reason);
        let after = &self.connection.stats().discards;
        let new: Vec<_> = after.iter().filter(|(reason, count)| *count != expected.get(*reason)).collect();
        assert_eq!(new, [], "counted instead of {reason:?}");
        assert_eq!((self.outcome(), self.received.len(), &self.sent[..]), (outcome, payloads, &[][..]));
    }

    /// The connection under test.
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
