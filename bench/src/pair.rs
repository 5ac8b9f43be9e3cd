//! Two connections that hand each other datagrams in memory, and what they are configured with.

use std::sync::{Arc, Mutex};

use gramseal_proto::config::{
    ClientConfig, ClientConfigBuilder, ConnectionIds, Identity, Psk, ResumedKeyExchange, ServerConfig,
    ServerConfigBuilder, Transport,
};
use gramseal_proto::crypto::CryptoProvider;
use gramseal_proto::pki_types::{PrivatePkcs8KeyDer, ServerName, UnixTime};
use gramseal_proto::session::{
    CONTEXT_LEN, ClientSessionCache, ClientSessionStore, ServerSessionCache, Session, TicketKeys,
};
use gramseal_proto::wire::{CipherSuite, MessageSeq, NamedGroup, ProtocolVersion, SequenceNumber};
use gramseal_proto::{Connection, FirstHello, Instant, Timer};
use gramseal_webpki::ChainVerifier;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// The name in the server's certificate.
pub(crate) const NAME: &str = "server.example";

/// Nothing here depends on time.
pub const NOW: Instant = Instant::from_micros(0);

/// The key of the server and of the authority that signs its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// ECDSA on P-256.
    EcdsaP256,
    /// RSA with 2048 bits.
    Rsa2048,
}

impl Key {
    /// A new key.
    ///
    /// # Panics
    /// If the library cannot make keys.
    #[must_use]
    pub fn generate(self) -> KeyPair {
        let algorithm = match self {
            Self::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
        };
        KeyPair::generate_for(algorithm).expect("keys can be made")
    }
}

/// What both sides are made of: certificates are made anew for each value.
struct Parts {
    provider: Arc<CryptoProvider>,
    verifier: ChainVerifier,
    identity: Identity,
}

impl Parts {
    fn new(key: Key) -> Self {
        let root_key = key.generate();
        let mut root = CertificateParams::new([]).expect("no names");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_certificate = root.self_signed(&root_key).expect("a root");
        let issuer = Issuer::new(root, root_key);
        let server_key = key.generate();
        let params = CertificateParams::new([NAME.to_owned()]).expect("an ASCII name");
        let certificate = params.signed_by(&server_key, &issuer).expect("a certificate");

        let provider = gramseal::provider();
        let verifier = ChainVerifier::builder(gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS)
            .with_roots([root_certificate.der().clone()])
            .and_then(gramseal_webpki::ChainVerifierBuilder::build)
            .expect("a root");
        let private = PrivatePkcs8KeyDer::from(server_key.serialize_der()).into();
        let private = provider.keys.load(&private).expect("a good key");
        let identity = Identity::new(vec![certificate.der().clone()], private).expect("a chain");
        Self { provider, verifier, identity }
    }
}

/// How a session is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resumption {
    /// By session id.
    Id,
    /// By ticket.
    Ticket,
    /// In 1.3 by ticket, with X25519 beside it.
    PskDhe13,
}

/// Both sides' configurations; certificates are made anew for each value.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Configs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    name: ServerName<'static>,
}

impl Configs {
    /// The version and one suite of it, one group, of which the client has a share at once, and a root that signs
    /// the server's certificate itself. No client certificate; everything else is the default.
    ///
    /// # Panics
    /// If the suite does not go with the key.
    #[must_use]
    pub fn new(key: Key, version: ProtocolVersion, suite: CipherSuite, group: NamedGroup) -> Self {
        let Parts { provider, verifier, identity } = Parts::new(key);
        let client = ClientConfig::builder(provider.clone(), Arc::new(verifier))
            .with_versions(&[version])
            .with_cipher_suites(&[suite])
            .with_groups(&[group])
            .with_large_share_at_once();
        let server = ServerConfig::builder(provider, identity)
            .with_versions(&[version])
            .with_cipher_suites(&[suite])
            .with_groups(&[group]);
        Self {
            client: Arc::new(client.build().expect("the suite and the group are there")),
            server: Arc::new(server.build().expect("the suite goes with the key")),
            name: name(),
        }
    }

    /// The same, but both sides remember a session of theirs, and each further handshake resumes it.
    ///
    /// # Panics
    /// If the first handshake fails.
    #[must_use]
    pub fn resuming(resumption: Resumption) -> Self {
        let suite = match resumption {
            Resumption::Id | Resumption::Ticket => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            Resumption::PskDhe13 => CipherSuite::TLS_AES_128_GCM_SHA256,
        };
        let store: Arc<dyn ClientSessionStore> = match resumption {
            Resumption::Id | Resumption::Ticket => Arc::new(ClientSessionCache::new(10, 100_000, UnixTime::now)),
            Resumption::PskDhe13 => Arc::new(SameSession::default()),
        };
        let Parts { provider, verifier, identity } = Parts::new(Key::EcdsaP256);
        let client = ClientConfig::builder(provider.clone(), Arc::new(verifier))
            .with_cipher_suites(&[suite])
            .with_groups(&[NamedGroup::X25519])
            .with_session_store(store);
        let mut server = ServerConfig::builder(provider.clone(), identity).with_cipher_suites(&[suite]);
        server = match resumption {
            Resumption::Id => server.with_session_store(Arc::new(ServerSessionCache::new(10, 100_000, UnixTime::now))),
            Resumption::Ticket | Resumption::PskDhe13 => {
                server.with_ticket_sealer(Arc::new(TicketKeys::random(provider, UnixTime::now).expect("random bytes")))
            }
        };
        let first = Self {
            client: Arc::new(client.build().expect("the suite is there")),
            server: Arc::new(server.clone().build().expect("the suite goes with the key")),
            name: name(),
        };
        let _full = Pair::connected(&first, &mut Vec::new());
        // Further tickets are another thing to measure.
        let server = server.with_ticket_count(0).build().expect("the suite goes with the key");
        let configs = Self { server: Arc::new(server), ..first };
        let second = Pair::connected(&configs, &mut Vec::new());
        assert!(second.server.negotiated().is_some_and(|negotiated| negotiated.resumed), "from now on they resume");
        configs
    }

    /// For sockets: 1.3 with AES-128-GCM and datagrams of up to 1400 bytes, and as many handshakes as one likes.
    ///
    /// # Panics
    /// If there are no keys.
    #[must_use]
    pub fn for_sockets() -> Self {
        let Parts { provider, verifier, identity } = Parts::new(Key::EcdsaP256);
        let transport = Transport { mtu: 1400, ..Transport::default() };
        let suites = [CipherSuite::TLS_AES_128_GCM_SHA256];
        let client = ClientConfig::builder(provider.clone(), Arc::new(verifier))
            .with_versions(&[ProtocolVersion::DTLS1_3])
            .with_cipher_suites(&suites)
            .with_transport(transport.clone());
        let server = ServerConfig::builder(provider, identity)
            .with_versions(&[ProtocolVersion::DTLS1_3])
            .with_cipher_suites(&suites)
            .with_transport(transport);
        Self {
            client: Arc::new(client.build().expect("the suite is there")),
            server: Arc::new(server.build().expect("the suite is there")),
            name: name(),
        }
    }

    /// What clients are configured with.
    #[must_use]
    pub fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    /// What servers are configured with.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// Two of 1.3 with the same credentials and X25519: one that does full handshakes, and one that resumes each time.
    /// No tickets follow.
    ///
    /// # Panics
    /// If the first handshake fails.
    #[must_use]
    pub fn full_and_resumed(key: Key, exchange: ResumedKeyExchange) -> [Self; 2] {
        let Parts { provider, verifier, identity } = Parts::new(key);
        let client = ClientConfig::builder(provider.clone(), Arc::new(verifier))
            .with_versions(&[ProtocolVersion::DTLS1_3])
            .with_groups(&[NamedGroup::X25519])
            .with_resumed_key_exchange(exchange);
        let tickets = TicketKeys::random(provider.clone(), UnixTime::now).expect("random bytes");
        let server = ServerConfig::builder(provider, identity)
            .with_versions(&[ProtocolVersion::DTLS1_3])
            .with_groups(&[NamedGroup::X25519])
            .with_resumed_key_exchange(exchange)
            .with_ticket_sealer(Arc::new(tickets));
        let of = |client: &ClientConfigBuilder, server: &ServerConfigBuilder| Self {
            client: Arc::new(client.clone().build().expect("the group is there")),
            server: Arc::new(server.clone().build().expect("the group is there")),
            name: name(),
        };
        let again = client.clone().with_session_store(Arc::new(SameSession::default()));
        let first = of(&again, &server);
        let _full = Pair::connected(&first, &mut Vec::new());
        let server = server.with_ticket_count(0);
        let resumed = Self { client: first.client, ..of(&client, &server) };
        let second = Pair::connected(&resumed, &mut Vec::new());
        assert!(second.server.negotiated().is_some_and(|negotiated| negotiated.resumed), "from now on they resume");
        [of(&client, &server), resumed]
    }

    /// Both sides of 1.3, where one ticket follows each handshake, and the server wants these connection ids.
    ///
    /// # Panics
    /// If there are no random bytes.
    #[must_use]
    pub fn with_tickets(ids: ConnectionIds) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        let Parts { provider, verifier, identity } = Parts::new(Key::EcdsaP256);
        let client = ClientConfig::builder(provider.clone(), Arc::new(verifier))
            .with_versions(&[ProtocolVersion::DTLS1_3])
            .with_groups(&[NamedGroup::X25519])
            .with_session_store(Arc::new(Forgetful));
        let tickets = TicketKeys::random(provider.clone(), UnixTime::now).expect("random bytes");
        let server = ServerConfig::builder(provider, identity)
            .with_versions(&[ProtocolVersion::DTLS1_3])
            .with_groups(&[NamedGroup::X25519])
            .with_connection_ids(ids)
            .with_ticket_sealer(Arc::new(tickets))
            .with_ticket_count(1);
        let client = client.build().expect("the group is there");
        (Arc::new(client), Arc::new(server.build().expect("the group is there")))
    }

    /// A client that has not said anything.
    ///
    /// # Panics
    /// If there are no random bytes.
    #[must_use]
    pub fn client_of(config: &Arc<ClientConfig>) -> Connection {
        Connection::client(Arc::clone(config), name(), NOW).expect("random bytes")
    }

    /// A pre-shared key in place of certificates, and no key exchange.
    ///
    /// # Panics
    /// If the suite has another kind of key exchange.
    #[must_use]
    pub fn psk(suite: CipherSuite) -> Self {
        let provider = gramseal::provider();
        let psk = Psk::new("client", [7; 16]).expect("good lengths");
        let client = ClientConfig::psk_builder(provider.clone(), psk.clone()).with_cipher_suites(&[suite]);
        let server = ServerConfig::psk_builder(provider, Arc::new(vec![psk])).with_cipher_suites(&[suite]);
        Self {
            client: Arc::new(client.build().expect("a suite with a pre-shared key")),
            server: Arc::new(server.build().expect("a suite with a pre-shared key")),
            name: name(),
        }
    }

    /// A client that has not said anything.
    ///
    /// # Panics
    /// If there are no random bytes.
    #[must_use]
    pub fn client(&self) -> Connection {
        Connection::client(self.client.clone(), self.name.clone(), NOW).expect("random bytes")
    }

    /// A server that has not heard anything.
    #[must_use]
    pub fn server(&self) -> Connection {
        let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
        Connection::server(self.server.clone(), first, NOW)
    }
}

/// A client's store that gives the same session for each hello: a ticket of 1.3 serves for one connection
/// otherwise, and each would need another.
#[derive(Debug, Default)]
struct SameSession(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    session: Option<Session>,
    /// Whether the present hello has it.
    is_taken: bool,
}

impl ClientSessionStore for SameSession {
    fn now(&self) -> UnixTime {
        UnixTime::now()
    }

    /// A client asks until there is no more.
    fn take(&self, _: &str, _: &[u8; CONTEXT_LEN]) -> Option<Session> {
        let mut kept = self.0.lock().expect("not poisoned");
        kept.is_taken = !kept.is_taken && kept.session.is_some();
        if kept.is_taken { kept.session.clone() } else { None }
    }

    fn put(&self, session: Session) {
        self.0.lock().expect("not poisoned").session = Some(session);
    }
}

/// A client's store that forgets what it is given, so that each handshake is a full one.
#[derive(Debug)]
struct Forgetful;

impl ClientSessionStore for Forgetful {
    fn now(&self) -> UnixTime {
        UnixTime::now()
    }

    fn take(&self, _: &str, _: &[u8; CONTEXT_LEN]) -> Option<Session> {
        None
    }

    fn put(&self, _: Session) {}
}

fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).expect("a name")
}

/// A client and its server.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "two connections, to be taken apart")]
pub struct Pair {
    /// The side that spoke first.
    pub client: Connection,
    /// The other.
    pub server: Connection,
}

impl Pair {
    /// Connects, through `datagram`.
    ///
    /// # Panics
    /// If the handshake fails.
    #[must_use]
    pub fn connected(configs: &Configs, datagram: &mut Vec<u8>) -> Self {
        let mut pair = Self { client: configs.client(), server: configs.server() };
        while pair.step(datagram) {}
        assert!(pair.client.is_connected() && pair.server.is_connected(), "the handshake is done");
        pair
    }

    /// Connects, confirms, and lets the time pass after which nothing of the handshake is needed.
    ///
    /// # Panics
    /// If the handshake fails.
    #[must_use]
    pub fn idle(configs: &Configs) -> Self {
        let mut datagram = Vec::new();
        let mut pair = Self::connected(configs, &mut datagram);
        pair.confirm(&mut datagram);
        for side in [&mut pair.client, &mut pair.server] {
            while let Some((when, _)) = side.poll_timeout().filter(|(_, timer)| *timer != Timer::Idle) {
                side.handle_timeout(when);
            }
        }
        pair
    }

    /// Delivers what both sides have to send; whether there was anything.
    fn step(&mut self, datagram: &mut Vec<u8>) -> bool {
        let sent = deliver(&mut self.client, &mut self.server, datagram);
        deliver(&mut self.server, &mut self.client, datagram) || sent
    }

    /// Sends a byte of application data from the client: the server then knows that its last
    /// flight arrived.
    ///
    /// # Panics
    /// If they do not arrive.
    pub fn confirm(&mut self, datagram: &mut Vec<u8>) {
        datagram.resize(self.client.sealed_len(1), 0);
        self.client.seal(&[1], datagram).expect("connected");
        assert_eq!(self.server.handle_datagram(NOW, datagram).count(), 1, "the record opens");
    }
}

fn deliver(from: &mut Connection, to: &mut Connection, datagram: &mut Vec<u8>) -> bool {
    let mut sent = false;
    while from.poll_transmit(NOW, datagram) {
        drop(to.handle_datagram(NOW, datagram));
        sent = true;
    }
    while from.poll_event().is_some() {}
    sent
}
