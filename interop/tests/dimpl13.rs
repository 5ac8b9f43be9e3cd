//! DTLS 1.3 with dimpl as client and as server: both are sans-I/O, so time and network are made up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use dimpl::certificate::generate_self_signed_certificate;
use dimpl::{Config, Dtls, DtlsCertificate, Output};
use gramseal_interop::{SERVER_NAME, identity, pki, provider, server};
use gramseal_proto::config::{ClientAuth, ClientConfig, ClientConfigBuilder, PeerVerifier, ServerConfigBuilder};
use gramseal_proto::endpoint::{Endpoint, EndpointConfig, Route};
use gramseal_proto::pki_types::{CertificateDer, ServerName};
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::wire::{CipherSuite, MessageSeq, NamedGroup, ProtocolVersion, SequenceNumber, SrtpProfile};
use gramseal_proto::{CloseReason, Connection, Event, FirstHello, Instant};
use gramseal_testkit::pki::TestKeyKind;
use gramseal_webpki::{Fingerprint, FingerprintVerifier};

/// How far time goes between two looks at the timers.
const TICK: Duration = Duration::from_millis(10);
/// For how many of them anything may take.
const TICKS: u32 = 3000;

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];
const PROFILES: [SrtpProfile; 1] = [SrtpProfile::AEAD_AES_128_GCM];
const SRTP_LABEL: &[u8] = b"EXTRACTOR-dtls_srtp";

/// The two of them, and the clock.
struct Talk {
    ours: Connection,
    theirs: Dtls,
    start: Clock,
    elapsed: Duration,
    /// Which datagram is lost, counted over both directions.
    lost: Option<u32>,
    sent: u32,
    connected: bool,
    closed: bool,
    timeout: Option<Clock>,
    keys: Vec<u8>,
    received: Vec<Vec<u8>>,
    received_by_us: Vec<Vec<u8>>,
}

impl Talk {
    fn now(&self) -> Instant {
        Instant::from_micros(1_000_000) + self.elapsed
    }

    fn new(ours: impl FnOnce(Instant) -> Connection, theirs: impl FnOnce(Clock) -> Dtls, lost: Option<u32>) -> Self {
        let start = Clock::now();
        Self {
            ours: ours(Instant::from_micros(1_000_000)),
            theirs: theirs(start),
            start,
            elapsed: Duration::ZERO,
            lost,
            sent: 0,
            connected: false,
            closed: false,
            timeout: None,
            keys: Vec::new(),
            received: Vec::new(),
            received_by_us: Vec::new(),
        }
    }

    /// With a client of dimpl, through our endpoint, which asks it for a cookie.
    fn through_endpoint(config: ServerConfigBuilder, theirs: impl FnOnce(Clock) -> Dtls) -> Self {
        let config = config.with_versions(&VERSIONS).with_srtp(&PROFILES).build();
        let config = Arc::new(config.expect("a configuration that works"));
        let endpoint = EndpointConfig::server(Arc::clone(&config)).expect("random bytes");
        let mut endpoint: Endpoint<()> = Endpoint::new(endpoint);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let (start, now) = (Clock::now(), Instant::from_micros(1_000_000));
        let (mut theirs, mut buffer, mut reply) = (theirs(start), vec![0; 4096], Vec::new());
        loop {
            match theirs.poll_output(&mut buffer) {
                Output::Packet(hello) => match endpoint.route(now, peer, hello, &mut reply) {
                    Route::Reply => theirs.handle_packet(&reply).expect("dimpl takes what we send"),
                    Route::Incoming(incoming) => {
                        assert_eq!((endpoint.stats().cookies_sent, endpoint.stats().cookies_accepted), (1, 1));
                        let accept = |_| incoming.accept(config, now);
                        return Self { start, ..Self::new(accept, |_| theirs, None) };
                    }
                    other => panic!("{other:?}"),
                },
                Output::Timeout(_) => panic!("the cookie was not brought back"),
                _ => {}
            }
        }
    }

    fn arrives(&mut self) -> bool {
        self.sent += 1;
        self.lost != Some(self.sent - 1)
    }

    /// Moves everything that is ready, once each way.
    fn step(&mut self) {
        let now = self.now();
        self.ours.handle_timeout(now);
        let mut datagram = Vec::new();
        while self.ours.poll_transmit(now, &mut datagram) {
            if self.arrives() {
                self.theirs.handle_packet(&datagram).expect("dimpl takes what we send");
            }
        }
        let clock = self.start + self.elapsed;
        if self.timeout.is_none_or(|at| at <= clock) {
            self.theirs.handle_timeout(clock).expect("dimpl has patience");
        }
        let mut buffer = vec![0; 4096];
        loop {
            match self.theirs.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    let mut packet = packet.to_vec();
                    if self.arrives() {
                        let payloads = self.ours.handle_datagram(now, &mut packet);
                        self.received_by_us.extend(payloads.map(|payload| payload.to_vec()));
                    }
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.timeout = Some(at);
                    break;
                }
                Output::Connected => self.connected = true,
                Output::KeyingMaterial(keys, _) => self.keys = keys.to_vec(),
                Output::ApplicationData(data) => self.received.push(data.to_vec()),
                Output::CloseNotify => self.closed = true,
                _ => {}
            }
        }
        self.elapsed += TICK;
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..TICKS {
            self.step();
            while let Some(event) = self.ours.poll_event() {
                if let Event::Closed(reason @ CloseReason::Failed(_)) = event {
                    panic!("{what}: {reason:?}");
                }
            }
            if done(self) {
                return;
            }
        }
        panic!("never happened: {what}; {:?}", self.ours);
    }

    /// Handshake, exporters, data both ways, close.
    fn run(&mut self) {
        self.until("both sides connect", |talk| talk.connected && talk.ours.is_connected());
        // Application data does not come again.
        self.lost = None;
        let mut keys = vec![0; self.keys.len()];
        self.ours.export_keying_material(SRTP_LABEL, None, &mut keys).expect("connected");
        assert!(!keys.is_empty(), "SRTP was agreed on");
        assert_eq!(keys, self.keys);
        let mut record = vec![0; 2000];
        let len = self.ours.seal(b"from us", &mut record).expect("connected");
        self.theirs.handle_packet(&record[..len]).expect("dimpl takes what we send");
        self.theirs.send_application_data(b"from them").expect("connected");
        let arrived = |talk: &Self| !talk.received.is_empty() && !talk.received_by_us.is_empty();
        self.until("data arrives both ways", arrived);
        assert_eq!((&self.received[0][..], &self.received_by_us[0][..]), (&b"from us"[..], &b"from them"[..]));
        self.ours.close();
        self.until("dimpl hears that we close", |talk| talk.closed);
    }
}

fn pinned(certificate: &DtlsCertificate) -> Arc<dyn PeerVerifier> {
    let certificate = CertificateDer::from(certificate.certificate.clone());
    Arc::new(FingerprintVerifier::new([Fingerprint::of(&certificate)]))
}

fn our_client(config: ClientConfigBuilder) -> impl FnOnce(Instant) -> Connection {
    let config = config.with_versions(&VERSIONS).with_srtp(&PROFILES).build().expect("a configuration that works");
    let name = ServerName::try_from(SERVER_NAME).expect("a name");
    move |now| Connection::client(Arc::new(config), name, now).expect("random bytes")
}

fn our_server(config: ServerConfigBuilder) -> impl FnOnce(Instant) -> Connection {
    let config = config.with_versions(&VERSIONS).with_srtp(&PROFILES).build().expect("a configuration that works");
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    move |now| Connection::server(Arc::new(config), first, now)
}

fn their(config: dimpl::ConfigBuilder, certificate: DtlsCertificate, active: bool) -> impl FnOnce(Clock) -> Dtls {
    let config = Arc::new(config.build().expect("a configuration that works"));
    move |now| {
        let mut dtls = Dtls::new_13(config, certificate, now);
        dtls.set_active(active);
        // It wants to know the time before it takes anything.
        dtls.handle_timeout(now).expect("nothing is due");
        dtls
    }
}

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
];

#[test]
fn we_connect_to_dimpl_with_every_suite_and_group() {
    for suite in SUITES {
        for group in [NamedGroup::X25519, NamedGroup::SECP256R1] {
            for cookie in [false, true] {
                let certificate = generate_self_signed_certificate().expect("a certificate");
                let pki = pki(TestKeyKind::EcdsaP256);
                let config = ClientConfig::builder(provider(), pinned(&certificate))
                    .with_identity(identity(&pki.client("client.example")))
                    .with_cipher_suites(&[suite])
                    .with_groups(&[group]);
                let theirs = Config::builder().use_server_cookie(cookie).require_client_certificate(true);
                let mut talk = Talk::new(our_client(config), their(theirs, certificate, false), None);
                talk.run();
                let agreed = talk.ours.negotiated().expect("connected");
                assert_eq!((agreed.cipher_suite, agreed.group), (suite, Some(group)));
            }
        }
    }
}

#[test]
fn dimpl_connects_to_us_with_every_suite() {
    for suite in SUITES {
        let certificate = generate_self_signed_certificate().expect("a certificate");
        let pki = pki(TestKeyKind::EcdsaP256);
        let config =
            server(&pki).with_cipher_suites(&[suite]).with_client_auth(ClientAuth::Required(pinned(&certificate)));
        let mut talk = Talk::new(our_server(config), their(Config::builder(), certificate, true), None);
        talk.run();
        assert_eq!(talk.ours.negotiated().expect("connected").cipher_suite, suite);
    }
}

#[test] // RFC 9147 §5.1
fn dimpl_brings_back_our_cookie() {
    for suite in SUITES {
        for (groups, group) in [
            (&[NamedGroup::X25519, NamedGroup::SECP256R1][..], None),
            (&[NamedGroup::SECP256R1], Some(NamedGroup::SECP256R1)),
        ] {
            let certificate = generate_self_signed_certificate().expect("a certificate");
            let pki = pki(TestKeyKind::EcdsaP256);
            let config = server(&pki).with_cipher_suites(&[suite]).with_groups(groups);
            let config = config.with_client_auth(ClientAuth::Required(pinned(&certificate)));
            let mut talk = Talk::through_endpoint(config, their(Config::builder(), certificate, true));
            talk.run();
            let agreed = talk.ours.negotiated().expect("connected");
            assert_eq!(agreed.cipher_suite, suite);
            assert!(group.is_none() || agreed.group == group, "{agreed:?}");
        }
    }
}

#[test]
fn any_single_datagram_may_get_lost() {
    for index in 0..12 {
        let certificate = generate_self_signed_certificate().expect("a certificate");
        let pki = pki(TestKeyKind::EcdsaP256);
        let ours = our_server(server(&pki).with_client_auth(ClientAuth::Optional(pinned(&certificate))));
        Talk::new(ours, their(Config::builder(), certificate, true), Some(index)).run();

        let certificate = generate_self_signed_certificate().expect("a certificate");
        let config = ClientConfig::builder(provider(), pinned(&certificate));
        let config = config.with_identity(identity(&pki.client("client.example")));
        Talk::new(our_client(config), their(Config::builder(), certificate, false), Some(index)).run();
    }
}

#[test] // RFC 9147 §8
fn keys_are_updated_with_dimpl_from_either_side() {
    let certificate = generate_self_signed_certificate().expect("a certificate");
    let pki = pki(TestKeyKind::EcdsaP256);
    let config = ClientConfig::builder(provider(), pinned(&certificate));
    let config = config.with_identity(identity(&pki.client("client.example")));
    // So few that dimpl begins by itself.
    let theirs = Config::builder().aead_encryption_limit(40);
    let mut talk = Talk::new(our_client(config), their(theirs, certificate, false), None);
    talk.until("both sides connect", |talk| talk.connected && talk.ours.is_connected());
    talk.ours.update_keys(KeyUpdateRequest::Requested).expect("nothing is on its way");
    talk.until("dimpl has our new keys", |talk| talk.ours.stats().key_updates_sent == 1);
    for _ in 0..100 {
        // It acts on what it owes when something comes.
        let mut record = vec![0; 100];
        let len = talk.ours.seal(b"from us", &mut record).expect("connected");
        talk.theirs.handle_packet(&record[..len]).expect("dimpl takes what we send");
        talk.theirs.send_application_data(b"from them").expect("connected");
        talk.step();
    }
    talk.until("dimpl updates its keys by itself", |talk| talk.ours.stats().key_updates_received > 1);
    assert!(talk.ours.stats().key_updates_sent > 1, "as dimpl asks");
    assert_eq!(talk.received_by_us, vec![b"from them"; 100]);
    talk.received_by_us.clear();
    talk.received.clear();
    talk.run();
}
