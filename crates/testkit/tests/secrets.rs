//! Nothing that is printed with `Debug` holds a byte of a key: connections in every phase, what they say, and
//! everything that configures or moves them. The keys are those that connections log, those that records were sealed
//! with, and those that the test chose.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ConnectionIds, Psk, ServerConfig};
use gramseal_proto::crypto::{CryptoProvider, HashAlgorithm, SecureRandom, SharedSecret};
use gramseal_proto::endpoint::{CookieSecrets, Endpoint, EndpointConfig, Route};
use gramseal_proto::session::{
    AntiReplayCache, CONTEXT_LEN, ClientSessionStore, Session, TicketKeys, TicketSealer, TicketSecret,
};
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::wire::{ProtocolVersion, SrtpProfile};
use gramseal_proto::{Connection, ImageKey, Imported, Instant, RandomCids, Trace, TraceEvent};
use gramseal_testkit::null::{self, NullVerifier, SeededRandom, ToyKind};
use gramseal_testkit::pki::TestPki;
use gramseal_testkit::secrets::Secrets;
use gramseal_testkit::sessions::{Clock, Resumption, Stores};
use gramseal_testkit::sim::{Pair, Side, Sim};
use gramseal_testkit::spy::Nonces;
use pki_types::UnixTime;

const PATIENCE: Duration = Duration::from_secs(10);

/// A byte string that is like no other; least of all what the null providers make of the same seed.
fn secret<const N: usize>(seed: u64) -> [u8; N] {
    let mut bytes = [0; N];
    SeededRandom::new(0x5EC2E7 ^ seed).fill(&mut bytes).expect("seeded randomness never fails");
    bytes
}

/// Keeps the latest session, and what it says of it.
#[derive(Debug)]
struct Kept {
    clock: Clock,
    session: Mutex<Option<Session>>,
    secrets: Arc<Secrets>,
}

impl ClientSessionStore for Kept {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn take(&self, _: &str, _: &[u8; CONTEXT_LEN]) -> Option<Session> {
        self.session.lock().expect("not poisoned").take()
    }

    fn put(&self, session: Session) {
        let bytes = session.to_bytes();
        // Behind numbers, of which 1.3 has more.
        let at = if session.version() == ProtocolVersion::DTLS1_3 { 43 } else { 27 };
        let len = usize::from(bytes[at]);
        assert!([32, 48].contains(&len), "a secret of {len} bytes");
        self.secrets.add("a session's secret", &bytes[at + 1..][..len]);
        self.secrets.assert_hidden(&session);
        *self.session.lock().expect("not poisoned") = Some(session);
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
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Site {
    fn new(version: ProtocolVersion, key: Option<Psk>) -> Self {
        let (secrets, nonces) = (Arc::new(Secrets::default()), Nonces::default());
        let trace = Arc::new(Printing(Mutex::default()));
        let stores = Stores::new(Some(Resumption::Ticket));
        let provider = |seed| nonces.spied(&null::provider(seed));
        let (clock, session) = (stores.clock.clone(), Mutex::default());
        let kept = Arc::new(Kept { clock, session, secrets: secrets.clone() });
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
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let server = match key {
            None => ServerConfig::builder(provider(2), identity),
            Some(key) => ServerConfig::psk_builder(provider(2), Arc::new(vec![key])),
        };
        let server = stores.server(server).with_versions(&[version]).with_session_context("test");
        let server = server.with_connection_ids(ids()).with_srtp(&[SrtpProfile::AEAD_AES_256_GCM]);
        let server = match version {
            ProtocolVersion::DTLS1_3 => {
                server.with_early_data(1000, Arc::new(AntiReplayCache::new(10, stores.clock.now())))
            }
            _ => server,
        };
        let server = server.with_trace(trace.clone()).with_key_log(secrets.clone());
        secrets.assert_hidden(&client);
        secrets.assert_hidden(&server);
        let (client, server) = (client.build().expect("a client"), server.build().expect("a server"));
        Self { secrets, nonces, trace, client: Arc::new(client), server: Arc::new(server) }
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
    fn live(&self, seed: u64, early: bool) {
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

fn of_each_kind() -> Vec<(ProtocolVersion, Option<Psk>)> {
    let key = |hash| Psk::new("the name", secret::<32>(5)).expect("good lengths").with_hash(hash);
    vec![
        (ProtocolVersion::DTLS1_2, None),
        (ProtocolVersion::DTLS1_2, Some(key(HashAlgorithm::Sha256))),
        (ProtocolVersion::DTLS1_3, None),
        (ProtocolVersion::DTLS1_3, Some(key(HashAlgorithm::Sha256))),
        (ProtocolVersion::DTLS1_3, Some(key(HashAlgorithm::Sha256).imported("both").expect("it fits"))),
    ]
}

#[test]
fn no_secret_is_in_what_any_type_prints() {
    for (version, key) in of_each_kind() {
        let site = Site::new(version, key.clone());
        site.secrets.add("a pre-shared key", &secret::<32>(5));
        site.secrets.assert_hidden(&key);
        site.live(1, false);
        // Then with the session of the first, and in 1.3 with early data.
        site.live(2, version == ProtocolVersion::DTLS1_3);
        assert!(site.secrets.len() > 20, "{version}: {}", site.secrets.len());
    }
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
        seen.push(match route {
            Route::Incoming(incoming) => format!("{incoming:?}"),
            other => format!("{other:?}"),
        });
        secrets.assert_hidden(&endpoint);
        secrets.assert_hidden(endpoint.stats());
        drop(client.handle_datagram(now, &mut reply));
    }
    assert!(seen[1].contains("Incoming"), "{seen:?}");
    seen.iter().for_each(|text| secrets.assert_hidden_in(text));
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
        let shown: [&dyn Debug; 5] = [&provider, &key, &hash, &digest, &provider.random];
        shown.iter().for_each(|value| secrets.assert_hidden(value));
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
}
