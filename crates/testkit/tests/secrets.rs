//! Nothing that is printed with `Debug` holds a byte of a key: connections in every phase, what they say, and
//! everything that configures or moves them. The keys are those that connections log, those that records were sealed
//! with, and those that the test chose.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ConnectionIds, Identity, LegacySuites, Psk, ServerConfig};
use gramseal_proto::crypto::{CryptoProvider, HashAlgorithm, SecureRandom, SharedSecret};
use gramseal_proto::endpoint::{CookieSecrets, Endpoint, EndpointConfig, Route};
use gramseal_proto::session::{
    AntiReplayCache, CONTEXT_LEN, ClientSessionCache, ClientSessionStore, Session, TicketKeys, TicketSealer,
    TicketSecret,
};
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::wire::{CipherSuite, NamedGroup, ProtocolVersion, SrtpProfile};
use gramseal_proto::{Connection, ImageKey, Imported, Instant, RandomCids, Trace, TraceEvent};
use gramseal_testkit::null::{self, NullKey, NullVerifier, SeededRandom, Slow, ToyKind};
use gramseal_testkit::peer::Scene;
use gramseal_testkit::pki::TestPki;
use gramseal_testkit::secrets::{Secrets, types_that_could_print_bytes};
use gramseal_testkit::sessions::{Clock, Resumption, Stores};
use gramseal_testkit::sim::{Pair, Side, Sim};
use gramseal_testkit::spy::Nonces;
use pki_types::UnixTime;

const PATIENCE: Duration = Duration::from_secs(10);

/// What the tests below print of `gramseal-proto`, each its part.
const OF_LIVES: [&str; 20] = [
    "AntiReplayCache",
    "Checkpoint",
    "ClientConfig",
    "ClientConfigBuilder",
    "ClientSessionCache",
    "Connection",
    "Identity",
    "ImageKey",
    "ImportError",
    "Imported",
    "Negotiated",
    "Psk",
    "ServerConfig",
    "ServerConfigBuilder",
    "ServerSessionCache",
    "Session",
    "Srtp",
    "SrtpKeys",
    "SrtpMasterKey",
    "TicketKeys",
];
const OF_ENDPOINTS: [&str; 5] = ["CookieSecrets", "Endpoint", "Incoming", "Received", "Route"];
const OF_TICKETS: [&str; 4] = ["OpenedTicket", "SharedSecret", "TicketKeys", "TicketSecret"];
const OF_PROVIDERS: [&str; 6] =
    ["CryptoProvider", "Digest", "FiniteFieldExchange", "FiniteFieldParams", "Identity", "SharedSecret"];
const OF_WAITING: [&str; 2] = ["Deferred", "Settled"];

/// What none of them prints, and why.
const EXCEPTED: [(&str, &str); 7] = [
    ("Cid", "everybody sees connection ids"),
    ("CidLengths", "it holds numbers of bytes"),
    ("Deferrable", "it shows what it holds as that does"),
    ("EarlyHello", "it holds what is in a hello"),
    ("Presented", "it holds what the peer shows"),
    ("PublicKey", "it is public"),
    ("RandomCids", "it holds a number of bytes"),
];

#[track_caller]
fn assert_looked_at(types: &[&str], looked_at: &BTreeSet<String>) {
    let missing: Vec<_> = types.iter().filter(|name| !looked_at.contains(**name)).collect();
    assert!(missing.is_empty(), "never looked at: {missing:?}");
}

#[test]
fn every_type_that_could_print_a_key_is_looked_at() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/src");
    let looked_at = [&OF_LIVES[..], &OF_ENDPOINTS, &OF_TICKETS, &OF_PROVIDERS, &OF_WAITING].concat();
    let known: BTreeSet<String> =
        looked_at.into_iter().chain(EXCEPTED.map(|(name, _)| name)).map(str::to_owned).collect();
    let found = types_that_could_print_bytes(&sources);
    assert!(found.len() > 30, "{found:?}");
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "neither looked at nor excepted: {unknown:?}");
    let superfluous: Vec<_> = EXCEPTED.iter().filter(|(name, _)| !found.contains(*name)).collect();
    assert!(superfluous.is_empty(), "{superfluous:?}");
}

/// A byte string that is like no other; least of all what the null providers make of the same seed.
fn secret<const N: usize>(seed: u64) -> [u8; N] {
    let mut bytes = [0; N];
    SeededRandom::new(0x5EC2E7 ^ seed).fill(&mut bytes).expect("seeded randomness never fails");
    bytes
}

/// Looks at sessions before it keeps them.
#[derive(Debug)]
struct Kept {
    cache: Arc<ClientSessionCache>,
    secrets: Arc<Secrets>,
}

impl ClientSessionStore for Kept {
    fn now(&self) -> UnixTime {
        self.cache.now()
    }

    fn take(&self, server_name: &str, context: &[u8; CONTEXT_LEN]) -> Option<Session> {
        self.cache.take(server_name, context)
    }

    fn put(&self, session: Session) {
        let bytes = session.to_bytes();
        // Behind numbers, of which 1.3 has more.
        let at = if session.version() == ProtocolVersion::DTLS1_3 { 43 } else { 27 };
        let len = usize::from(bytes[at]);
        assert!([32, 48].contains(&len), "a secret of {len} bytes");
        self.secrets.add("a session's secret", &bytes[at + 1..][..len]);
        self.secrets.assert_hidden(&session);
        self.cache.put(session);
    }
}

/// Prints what it sees.
#[derive(Debug)]
struct Printing(Mutex<String>);

impl Trace for Printing {
    fn trace(&self, event: &TraceEvent) {
        *self.0.lock().expect("not poisoned") += &format!("{event:?}\n");
    }
}

/// Both sides of some connections, watched.
struct Site {
    secrets: Arc<Secrets>,
    nonces: Nonces,
    trace: Arc<Printing>,
    stores: Stores,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Site {
    fn new(kind: &Kind) -> Self {
        let Kind { version, key, resumption, legacy } = kind.clone();
        let (secrets, nonces) = (Arc::new(Secrets::default()), Nonces::default());
        let trace = Arc::new(Printing(Mutex::default()));
        let stores = Stores::new(Some(resumption));
        let provider = |seed| nonces.spied(&null::provider(seed));
        let kept = Arc::new(Kept { cache: stores.client.clone(), secrets: secrets.clone() });
        let ids = || ConnectionIds::Both(Arc::new(RandomCids::new(7)));
        let client = match key.clone() {
            None => ClientConfig::builder(provider(1), Arc::new(NullVerifier::default())),
            Some(key) => ClientConfig::psk_builder(provider(1), key),
        };
        let client = client
            .with_versions(&[version])
            .with_session_store(kept)
            .with_session_context("test")
            .with_connection_ids(ids())
            .with_srtp(&[SrtpProfile::AEAD_AES_256_GCM])
            .with_trace(trace.clone())
            .with_key_log(secrets.clone());
        let client = if version == ProtocolVersion::DTLS1_3 { client.with_early_data() } else { client };
        let client =
            if legacy { client.with_legacy_suites(LegacySuites::Allowed).with_cipher_suites(&DHE) } else { client };
        let toy = if legacy { ToyKind::Rsa } else { ToyKind::EcdsaP256 };
        let identity = null::identity(toy, null::SERVER_NAME, 0);
        secrets.assert_hidden(&identity);
        let server = match key {
            None => ServerConfig::builder(provider(2), identity),
            Some(key) => ServerConfig::psk_builder(provider(2), Arc::new(vec![key])),
        };
        let server = stores.server(server).with_versions(&[version]).with_session_context("test");
        let server = server.with_connection_ids(ids()).with_srtp(&[SrtpProfile::AEAD_AES_256_GCM]);
        let server = match version {
            ProtocolVersion::DTLS1_3 => {
                let cache = Arc::new(AntiReplayCache::new(10, stores.clock.now()));
                secrets.assert_hidden(&cache);
                server.with_early_data(1000, cache)
            }
            _ if legacy => server.with_legacy_suites(LegacySuites::Allowed).with_cipher_suites(&DHE),
            _ => server,
        };
        let server = server.with_trace(trace.clone()).with_key_log(secrets.clone());
        secrets.assert_hidden(&client);
        secrets.assert_hidden(&server);
        let (client, server) = (client.build().expect("a client"), server.build().expect("a server"));
        Self { secrets, nonces, trace, stores, client: Arc::new(client), server: Arc::new(server) }
    }

    /// Looks at everything there is of a pair.
    fn look(&self, sim: &Sim, pair: Pair) {
        for (key, nonce) in self.nonces.keys() {
            self.secrets.add("a record key", &key);
            // That of the first record of 1.3 is the one that all others come from.
            self.secrets.add("a nonce", &nonce[..8]);
        }
        for side in Side::BOTH {
            if let Some(connection) = sim.connection(pair, side) {
                self.secrets.assert_hidden(connection);
                self.secrets.assert_hidden(connection.stats());
                self.secrets.assert_hidden(&connection.negotiated());
                self.secrets.assert_hidden(&connection.negotiated().and_then(|negotiated| negotiated.srtp.as_ref()));
                self.secrets.assert_hidden(&connection.poll_timeout());
            }
            self.secrets.assert_hidden(&sim.events(pair, side));
        }
    }

    /// The same, and what is longer.
    fn look_around(&self, sim: &Sim, pair: Pair) {
        self.look(sim, pair);
        self.secrets.assert_hidden(&self.client);
        self.secrets.assert_hidden(&self.server);
        self.secrets.assert_hidden(&self.stores.client);
        self.secrets.assert_hidden(&self.stores.server);
        self.secrets.assert_hidden(&self.stores.tickets);
        self.secrets.assert_hidden_in(&self.trace.0.lock().expect("not poisoned"));
    }

    fn export(&self, connection: &Connection) {
        let mut exported = [0; 32];
        connection.export_keying_material(b"EXPERIMENTAL test", None, &mut exported).expect("connected");
        self.secrets.add("exported keying material", &exported);
        let srtp = connection.srtp_keys().expect("both sides use SRTP");
        for key in [srtp.local(), srtp.peer()] {
            self.secrets.add("an SRTP key", key.key());
            self.secrets.add("an SRTP salt", key.salt());
            self.secrets.assert_hidden(key);
        }
        self.secrets.assert_hidden(&srtp);
    }

    /// A whole life, looked at every few milliseconds.
    fn live(&self, seed: u64, resumed: bool, early: bool) {
        let mut sim = Sim::new(seed).without_cookies();
        let pair = sim.connect(Arc::clone(&self.client), Arc::clone(&self.server));
        if early {
            sim.send_early(pair, b"early").expect("the session allows it");
        }
        for _ in 0..10 {
            self.look(&sim, pair);
            sim.run_for(Duration::from_millis(11));
        }
        assert!(sim.connected(pair));
        let negotiated = sim.connection(pair, Side::Client).and_then(Connection::negotiated).expect("connected");
        assert_eq!((negotiated.resumed, negotiated.early_data), (resumed, early));
        sim.exchange(pair, b"data");
        for side in Side::BOTH {
            self.export(sim.connection(pair, side).expect("connected"));
        }
        self.look(&sim, pair);
        // In 1.2 there is no such thing.
        let _updated = sim.update_keys(pair, Side::Client, KeyUpdateRequest::Requested);
        sim.run_for(Duration::from_secs(2));
        self.look(&sim, pair);
        self.move_server(&mut sim, pair);
        let _rests = sim.connection_mut(pair, Side::Client).expect("connected").rest();
        self.look(&sim, pair);
        sim.close(pair, Side::Client);
        sim.run_for(PATIENCE);
        self.look_around(&sim, pair);
    }

    /// Moves the server by an image, and looks at all that takes.
    fn move_server(&self, sim: &mut Sim, pair: Pair) {
        let bytes = secret::<{ ImageKey::LEN }>(9);
        self.secrets.add("the secret of images", &bytes);
        let key = ImageKey::new(null::provider(3), &bytes).expect("the null provider has all");
        self.secrets.assert_hidden(&key);
        sim.run_for(Duration::from_secs(300));
        let now = sim.now();
        let server = sim.connection_mut(pair, Side::Server).expect("connected");
        let checkpoint = server.checkpoint(&key, b"", 10, now).expect("it can move");
        self.secrets.assert_hidden(&checkpoint);
        server.end_checkpoints();
        let image = server.export(&key, b"along", now).expect("it can move");
        let imported = Connection::import_server(Arc::clone(&self.server), &key, &image, now).expect("as it was");
        self.secrets.assert_hidden(&imported);
        let wrong = ImageKey::new(null::provider(3), &secret(10)).expect("the null provider has all");
        let refused = Connection::import_server(Arc::clone(&self.server), &wrong, &image, now).expect_err("wrong key");
        self.secrets.assert_hidden(&refused);
        let Imported { mut connection, .. } = imported;
        connection.end_checkpoints();
        sim.replace(pair, Side::Server, connection);
    }
}

const DHE: [CipherSuite; 1] = [CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256];

/// What is different in a site.
#[derive(Clone)]
struct Kind {
    version: ProtocolVersion,
    key: Option<Psk>,
    resumption: Resumption,
    /// The keys come from a finite-field exchange.
    legacy: bool,
}

fn of_each_kind() -> Vec<Kind> {
    let key = |hash| Psk::new("the name", secret::<32>(5)).expect("good lengths").with_hash(hash);
    let key = key(HashAlgorithm::Sha256);
    let plain = |version| Kind { version, key: None, resumption: Resumption::Ticket, legacy: false };
    let (v12, v13) = (plain(ProtocolVersion::DTLS1_2), plain(ProtocolVersion::DTLS1_3));
    vec![
        v12.clone(),
        Kind { resumption: Resumption::Id, ..v12.clone() },
        Kind { legacy: true, ..v12.clone() },
        Kind { key: Some(key.clone()), ..v12 },
        v13.clone(),
        Kind { key: Some(key.clone()), ..v13.clone() },
        Kind { key: Some(key.imported("both").expect("it fits")), ..v13 },
    ]
}

#[test]
fn no_secret_is_in_what_any_type_prints() {
    let mut looked_at = BTreeSet::new();
    for kind in of_each_kind() {
        let (version, site) = (kind.version, Site::new(&kind));
        site.secrets.add("a pre-shared key", &secret::<32>(5));
        site.secrets.assert_hidden(&kind.key);
        site.live(1, false, false);
        // Then with the session of the first, and in 1.3 with early data.
        site.live(2, true, version == ProtocolVersion::DTLS1_3);
        assert!(site.secrets.len() > 20, "{version}: {}", site.secrets.len());
        looked_at.extend(site.secrets.types_of("gramseal_proto"));
    }
    assert_looked_at(&OF_LIVES, &looked_at);
}

#[test]
fn no_secret_is_in_what_an_endpoint_prints() {
    let secrets = Secrets::default();
    let (current, previous) = (secret::<{ CookieSecrets::SECRET_LEN }>(1), secret::<{ CookieSecrets::SECRET_LEN }>(2));
    secrets.add("a cookie secret", &current);
    secrets.add("a cookie secret", &previous);
    let mut cookies = CookieSecrets::from_bytes(&null::provider(1), &current, Some(&previous)).expect("it has all");
    secrets.assert_hidden(&cookies);
    cookies.rotate(&secret(3));
    secrets.add("a cookie secret", &secret::<32>(3));
    secrets.assert_hidden(&cookies);
    let config = EndpointConfig::server(Arc::new(null::server())).expect("the null provider has all");
    let config = config.with_cookie_secrets(cookies);
    secrets.assert_hidden(&config);
    let mut endpoint: Endpoint<u32> = Endpoint::new(config);
    secrets.assert_hidden(&endpoint);

    let now = Instant::from_micros(1_000_000);
    let name = pki_types::ServerName::try_from(null::SERVER_NAME).expect("a name");
    let mut client = Connection::client(Arc::new(null::client()), name, now).expect("begun");
    let peer = "192.0.2.1:1000".parse().expect("an address");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (mut datagram, mut reply) = (Vec::new(), Vec::new());
        assert!(client.poll_transmit(now, &mut datagram));
        let route = endpoint.route(now, peer, &datagram, &mut reply);
        secrets.assert_hidden(&route);
        seen.push(format!("{route:?}"));
        if let Route::Incoming(incoming) = route {
            secrets.assert_hidden(&incoming);
        }
        secrets.assert_hidden(&endpoint);
        secrets.assert_hidden(endpoint.stats());
        secrets.assert_hidden(&client.handle_datagram(now, &mut reply));
    }
    assert!(seen[1].contains("Incoming"), "{seen:?}");
    assert_looked_at(&OF_ENDPOINTS, &secrets.types_of("gramseal_proto"));
}

#[test]
fn no_secret_is_in_what_waits_for_others_prints() {
    let secrets = Arc::new(Secrets::default());
    let verifier = Slow(Arc::new(NullVerifier::default()));
    let client = ClientConfig::builder(null::provider(2), Arc::new(verifier)).with_key_log(secrets.clone());
    let client = client.with_versions(&[ProtocolVersion::DTLS1_2]).build().expect("a client");
    let key = NullKey::new(ToyKind::EcdsaP256, 1);
    let chain = vec![null::certificate(null::SERVER_NAME, &key, 0)];
    let identity = Identity::new(chain, Arc::new(Slow(Arc::new(key)))).expect("a chain");
    let server = null::server_config(3, identity).with_key_log(secrets.clone()).build().expect("a server");
    for (mut scene, of_client) in [(Scene::client(client, 1), true), (Scene::server(server, 1), false)] {
        let flight = scene.first_flight(false);
        scene.play(&flight);
        let mut deferred = scene.connection().poll_deferred().expect("it takes its time");
        secrets.assert_hidden(&deferred);
        let polled = Pin::new(&mut deferred).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(settled) = polled else { panic!("it is ready when it is asked for") };
        secrets.assert_hidden(&settled);
        secrets.assert_hidden(scene.connection());
        scene.settle(settled);
        secrets.assert_hidden(scene.connection());
        assert!(!of_client || !secrets.is_empty(), "the client has its keys");
    }
    assert_looked_at(&OF_WAITING, &secrets.types_of("gramseal_proto"));
}

#[test]
fn no_secret_is_in_what_tickets_and_agreements_print() {
    let secrets = Secrets::default();
    let bytes = secret::<{ TicketSecret::LEN }>(1);
    secrets.add("a ticket secret", &bytes);
    let clock = Clock::new();
    let ticket_secret = TicketSecret::new(&bytes, clock.now());
    secrets.assert_hidden(&ticket_secret);
    let keys = TicketKeys::shared(null::provider(1), clock.reader(), Duration::from_secs(60), &[ticket_secret]);
    let keys = keys.expect("the null provider has all");
    secrets.assert_hidden(&keys);
    let session = secret::<48>(2);
    secrets.add("what a ticket holds", &session);
    let ticket = keys.seal(&session).expect("it seals");
    secrets.assert_hidden(&keys.open(&ticket));

    let shared = secret::<32>(3);
    secrets.add("a shared secret", &shared);
    secrets.assert_hidden(&SharedSecret::new(shared.to_vec()));
    let cids = secret::<16>(4);
    secrets.add("a key of connection ids", &cids);
    secrets.assert_hidden(&gramseal_rustcrypto::RoutableCids::new(0, &cids, &[1, 2]));
    assert_looked_at(&OF_TICKETS, &secrets.types_of("gramseal_proto"));
}

/// Providers, their keys, and what is made with them.
#[test]
fn no_secret_is_in_what_providers_print() {
    let secrets = Secrets::default();
    let random = Arc::new(SeededRandom::new(1));
    let providers: [CryptoProvider; 2] =
        [gramseal_aws_lc::provider(), gramseal_rustcrypto::provider(Arc::clone(&random) as Arc<dyn SecureRandom>)];
    let identity = TestPki::new().server(null::SERVER_NAME);
    // The number in the PKCS#8 of a P-256 key; around it is what everybody may see.
    let der = identity.key.secret_der();
    let at = der.windows(5).position(|bytes| bytes == [2, 1, 1, 4, 32]).expect("an EC private key") + 5;
    secrets.add("a private key", &der[at..at + 32]);
    for provider in providers {
        let key = provider.keys.load(&identity.key).expect("a good key");
        let hash = provider.hash(HashAlgorithm::Sha256).expect("both have it");
        let digest = hash.digest(&[b"a secret"]);
        secrets.add("a digest", digest.as_ref());
        let shown: [&dyn Debug; 3] = [&key, &hash, &provider.random];
        shown.iter().for_each(|value| secrets.assert_hidden(value));
        secrets.assert_hidden(&provider);
        secrets.assert_hidden(&digest);
        secrets.assert_hidden(&Identity::new(identity.chain.clone(), key).expect("a chain"));
        if let Some(dh) = provider.finite_field {
            let params = dh.params(NamedGroup::FFDHE2048).expect("RFC 7919 has it");
            secrets.assert_hidden(&params);
            // What it is raised to does not matter.
            let exchange =
                dh.exchange(params, params.p.get(1..).expect("some bytes"), &*provider.random).expect("good");
            secrets.add("a shared secret", exchange.secret.as_ref());
            secrets.assert_hidden(&exchange);
        }
        for group in &provider.groups {
            secrets.assert_hidden(group);
            let kx = group.start(&*provider.random).expect("randomness");
            if let Ok((share, answered)) = group.answer(&*provider.random, kx.public_key()) {
                let completed = kx.complete(&share).expect("both agree");
                secrets.add("a shared secret", answered.as_ref());
                secrets.assert_hidden(&answered);
                secrets.assert_hidden(&completed);
            }
        }
    }
    assert_looked_at(&OF_PROVIDERS, &secrets.types_of("gramseal_proto"));
}
