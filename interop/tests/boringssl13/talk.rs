//! A connection of ours with one of BoringSSL's, datagrams handed over in memory and in made-up time.
//!
//! The crate `boring` has no way to tell BoringSSL that its timers are due: what it sends has to arrive, and
//! it acknowledges nothing after the handshake.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use boring::pkey::PKey;
use boring::ssl::{
    ErrorCode, HandshakeError, MidHandshakeSslStream, Ssl, SslContextBuilder, SslMethod, SslStream, SslVersion,
};
use boring::x509::X509;
use gramseal_interop::SERVER_NAME;
use gramseal_proto::config::{ClientConfigBuilder, ServerConfigBuilder};
use gramseal_proto::endpoint::{Endpoint, EndpointConfig, Route};
use gramseal_proto::pki_types::ServerName;
use gramseal_proto::wire::{KeyUpdateRequest, MessageSeq, ProtocolVersion, SequenceNumber};
use gramseal_proto::{CloseReason, Connection, Event, FirstHello, Instant, Negotiated};
use gramseal_testkit::pki::TestIdentity;

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];
const LABEL: &str = "EXPERIMENTAL gramseal interop";
const START: Instant = Instant::from_micros(1_000_000);

/// How far time goes between two looks at the timers.
const TICK: Duration = Duration::from_millis(10);
/// For how many of them anything may take.
const TICKS: u32 = 3000;

/// Datagrams on their way.
type Queue = Rc<RefCell<VecDeque<Vec<u8>>>>;

/// The network as BoringSSL sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pipe {
    to_boring: Queue,
    from_boring: Queue,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.to_boring.borrow_mut().pop_front().ok_or(ErrorKind::WouldBlock)?;
        let room = buffer.get_mut(..datagram.len()).ok_or(ErrorKind::InvalidInput)?;
        room.copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.from_boring.borrow_mut().push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What happens to the datagrams of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Fine,
    /// The one of ours with this number, from 0, gets lost.
    LosesOurs(u32),
    /// What we send at a time arrives the other way round.
    TurnsOurs,
    /// Everything arrives twice.
    Doubles,
}

/// Their side, which is consumed by each step of the handshake.
enum Theirs {
    Shaking(MidHandshakeSslStream<Pipe>),
    Connected(SslStream<Pipe>),
    Stepping,
}

impl Theirs {
    fn of(result: Result<SslStream<Pipe>, HandshakeError<Pipe>>) -> Self {
        match result {
            Ok(stream) => Self::Connected(stream),
            Err(HandshakeError::WouldBlock(shaking)) => Self::Shaking(shaking),
            Err(error) => panic!("BoringSSL refuses: {error}"),
        }
    }

    fn step(&mut self) {
        *self = match std::mem::replace(self, Self::Stepping) {
            Self::Shaking(shaking) => Self::of(shaking.handshake()),
            other => other,
        }
    }
}

/// The two of them, and the clock.
pub(crate) struct Talk {
    pub(crate) ours: Connection,
    theirs: Theirs,
    pipe: Pipe,
    now: Instant,
    weather: Weather,
    /// How many datagrams we sent.
    pub(crate) sent: u32,
    /// Bytes of the longest datagram: ours, theirs.
    pub(crate) longest: [usize; 2],
    /// What came: to us, to them.
    received: [Vec<Vec<u8>>; 2],
}

impl Talk {
    /// Our client and their server.
    pub(crate) fn client(config: ClientConfigBuilder, theirs: Ssl, weather: Weather) -> Self {
        let config = config.with_versions(&VERSIONS).build().expect("a configuration that works");
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let ours = Connection::client(Arc::new(config), name, START).expect("random bytes");
        Self::new(ours, weather, |pipe| theirs.accept(pipe))
    }

    /// Our server and their client.
    pub(crate) fn server(config: ServerConfigBuilder, mut theirs: Ssl, weather: Weather) -> Self {
        let config = config.with_versions(&VERSIONS).build().expect("a configuration that works");
        let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
        let ours = Connection::server(Arc::new(config), first, START);
        theirs.set_hostname(SERVER_NAME).expect("a name");
        Self::new(ours, weather, |pipe| theirs.connect(pipe))
    }

    /// The same through our endpoint, which asks their client for a cookie.
    pub(crate) fn server_with_cookie(config: ServerConfigBuilder, mut theirs: Ssl) -> Self {
        let config = Arc::new(config.with_versions(&VERSIONS).build().expect("a configuration that works"));
        theirs.set_hostname(SERVER_NAME).expect("a name");
        let pipe = Pipe::default();
        let mut theirs = Theirs::of(theirs.connect(pipe.clone()));
        let endpoint = EndpointConfig::server(Arc::clone(&config)).expect("random bytes");
        let mut endpoint: Endpoint<()> = Endpoint::new(endpoint);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        loop {
            let part = pipe.from_boring.borrow_mut().pop_front().expect("a hello, with the cookie once there is one");
            let mut reply = Vec::new();
            match endpoint.route(START, peer, &part, &mut reply) {
                Route::Kept => continue,
                Route::Reply => pipe.to_boring.borrow_mut().push_back(reply),
                Route::Incoming(incoming) => {
                    assert_eq!((endpoint.stats().cookies_sent, endpoint.stats().cookies_accepted), (1, 1));
                    return Self::between(incoming.accept(config, START), theirs, pipe, Weather::Fine);
                }
                other => panic!("{other:?}"),
            }
            theirs.step();
        }
    }

    fn new(
        ours: Connection,
        weather: Weather,
        theirs: impl FnOnce(Pipe) -> Result<SslStream<Pipe>, HandshakeError<Pipe>>,
    ) -> Self {
        let pipe = Pipe::default();
        let theirs = Theirs::of(theirs(pipe.clone()));
        Self::between(ours, theirs, pipe, weather)
    }

    fn between(ours: Connection, theirs: Theirs, pipe: Pipe, weather: Weather) -> Self {
        let received = Default::default();
        Self { ours, theirs, pipe, now: START, weather, sent: 0, longest: [0; 2], received }
    }

    /// How many datagrams our first flight is, and how many there are of theirs already.
    pub(crate) fn first_datagrams(&mut self) -> (u32, usize) {
        let theirs = self.pipe.from_boring.borrow().len();
        self.ours_to_theirs();
        (self.sent, theirs)
    }

    /// Moves what is there, once each way.
    fn step(&mut self) {
        self.ours_to_theirs();
        self.theirs.step();
        if let Theirs::Connected(stream) = &mut self.theirs {
            let mut buffer = vec![0; 20_000];
            while let Ok(len) = stream.ssl_read(&mut buffer) {
                self.received[1].push(buffer[..len].to_vec());
            }
        }
        self.theirs_to_ours();
        self.now = self.now + TICK;
    }

    fn ours_to_theirs(&mut self) {
        self.ours.handle_timeout(self.now);
        let mut datagram = Vec::new();
        let mut sent = Vec::new();
        while self.ours.poll_transmit(self.now, &mut datagram) {
            self.longest[0] = self.longest[0].max(datagram.len());
            if self.weather != Weather::LosesOurs(self.sent) {
                sent.push(datagram.clone());
            }
            self.sent += 1;
        }
        match self.weather {
            Weather::TurnsOurs => sent.reverse(),
            Weather::Doubles => sent.extend(sent.clone()),
            Weather::Fine | Weather::LosesOurs(_) => {}
        }
        self.pipe.to_boring.borrow_mut().extend(sent);
        while let Some(event) = self.ours.poll_event() {
            if let Event::Closed(reason @ CloseReason::Failed(_)) = event {
                panic!("we refuse: {reason:?}");
            }
        }
    }

    fn theirs_to_ours(&mut self) {
        let mut datagrams: Vec<_> = self.pipe.from_boring.borrow_mut().drain(..).collect();
        if self.weather == Weather::Doubles {
            datagrams.extend(datagrams.clone());
        }
        for mut datagram in datagrams {
            self.longest[1] = self.longest[1].max(datagram.len());
            let payloads = self.ours.handle_datagram(self.now, &mut datagram);
            self.received[0].extend(payloads.map(|payload| payload.to_vec()));
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = self.now + TICK * TICKS;
        while !done(self) {
            assert!(self.now < end, "never happened: {what}; {:?}", self.ours);
            self.step();
        }
    }

    /// The handshake, after which both export the same keys; and then data both ways.
    pub(crate) fn connect(&mut self) {
        self.until("both sides connect", |talk| {
            matches!(talk.theirs, Theirs::Connected(_)) && talk.ours.is_connected()
        });
        // Application data does not come again.
        if matches!(self.weather, Weather::LosesOurs(_)) {
            self.weather = Weather::Fine;
        }
        let (mut mine, mut their) = ([0; 32], [0; 32]);
        self.ours.export_keying_material(LABEL.as_bytes(), Some(b"context"), &mut mine).expect("connected");
        self.stream().ssl().export_keying_material(&mut their, LABEL, Some(b"context")).expect("connected");
        assert_eq!(mine, their);
        self.exchange(7);
    }

    /// Application data of `len` bytes both ways arrives once.
    pub(crate) fn exchange(&mut self, len: usize) {
        let (ours, theirs) = (vec![1; len], vec![2; len]);
        let mut record = vec![0; self.ours.sealed_len(len)];
        let sealed = self.ours.seal(&ours, &mut record).expect("connected, and not too long");
        record.truncate(sealed);
        self.pipe.to_boring.borrow_mut().push_back(record);
        self.stream().write_all(&theirs).expect("connected");
        self.until("data arrives both ways", |talk| talk.received.iter().all(|payloads| !payloads.is_empty()));
        // Nothing more comes.
        (0..20).for_each(|_| self.step());
        assert_eq!(std::mem::take(&mut self.received), [vec![theirs], vec![ours]]);
    }

    /// We ask for new keys, and they change theirs. Ours wait for an ACK, which is a matter of their timer.
    pub(crate) fn ask_for_keys(&mut self) {
        self.ours.update_keys(KeyUpdateRequest::Requested).expect("connected");
        self.until("new keys of theirs", |talk| talk.ours.stats().key_updates_received == 1);
    }

    /// We close, and they hear it.
    pub(crate) fn close(mut self) {
        self.ours.close();
        self.ours_to_theirs();
        let mut buffer = [0; 100];
        let end = self.stream().ssl_read(&mut buffer).map_err(|error| error.code());
        assert_eq!(end, Err(ErrorCode::ZERO_RETURN));
    }

    /// They close, and we hear it.
    pub(crate) fn hear_close(mut self) {
        // Complete only when ours has come.
        let _sent = self.stream().shutdown().expect("connected");
        self.theirs_to_ours();
        let closed = std::iter::from_fn(|| self.ours.poll_event())
            .any(|event| matches!(event, Event::Closed(CloseReason::Peer)));
        assert!(closed, "{:?}", self.ours);
    }

    pub(crate) fn agreed(&self) -> &Negotiated {
        self.ours.negotiated().expect("connected")
    }

    pub(crate) fn stream(&mut self) -> &mut SslStream<Pipe> {
        match &mut self.theirs {
            Theirs::Connected(stream) => stream,
            Theirs::Shaking(_) | Theirs::Stepping => panic!("not connected yet"),
        }
    }
}

/// What they are configured with: this chain, these groups.
pub(crate) fn context(identity: &TestIdentity, groups: &str) -> SslContextBuilder {
    let mut builder = SslContextBuilder::new(SslMethod::dtls()).expect("memory");
    builder.set_min_proto_version(Some(SslVersion::DTLS1_3)).expect("a known version");
    builder.set_max_proto_version(Some(SslVersion::DTLS1_3)).expect("a known version");
    builder.set_curves_list(groups).expect("known groups");
    builder.set_certificate(&X509::from_pem(identity.chain_pem.as_bytes()).expect("PEM")).expect("a certificate");
    let key = PKey::private_key_from_pem(identity.key_pem.as_bytes()).expect("PEM");
    builder.set_private_key(&key).expect("the certificate's key");
    builder
}
