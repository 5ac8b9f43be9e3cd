//! Sessions that fit the new connection no more: a full handshake follows, and never an alert.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ConfigError, Psk, PskLookup, ServerConfig};
use gramseal_proto::wire::{CipherSuite, ClientHello, Codec, ContentType, HandshakeType, NamedGroup};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer, Scene, Step};
use gramseal_testkit::sessions::{ChangeClient, ChangeServer, Resumption, Settings, Stores, requiring, with_identity};
use gramseal_testkit::sim::Sim;
use zeroize::Zeroizing;

use super::{connect, is_resumed, negotiated};

const PLAIN: Settings = Settings::PLAIN;

fn client(seed: u64, stores: &Stores, change: ChangeClient) -> Result<ClientConfig, ConfigError> {
    change(stores.client(null::client_config(seed)).with_session_context("test")).build()
}

fn server(seed: u64, stores: &Stores, change: ChangeServer) -> Result<ServerConfig, ConfigError> {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    change(stores.server(null::server_config(seed, identity)).with_session_context("test")).build()
}

/// Connects with one kind of settings and then with another. Whether the second resumed the first.
fn resumes(stores: &Stores, then: Settings, now: Settings) -> bool {
    let mut sim = Sim::new(1);
    // Randomness must not repeat itself, or a new session has the id of the old one.
    let [first, second] = [(1, then), (3, now)].map(|(seed, settings)| {
        let client = client(seed, stores, settings.client).expect("a client");
        let server = server(seed + 1, stores, settings.server).expect("a server");
        connect(&mut sim, &client.into(), &server.into())
    });
    assert!(!is_resumed(&sim, first));
    is_resumed(&sim, second)
}

/// What must be the same in 1.2, and settings in which it is not.
const CHANGES: [(&str, Settings, Settings); 2] = [
    ("a suite of the server", PLAIN, Settings { server: |builder| builder.with_cipher_suites(&OTHER), ..PLAIN }),
    ("a suite of the client", PLAIN, Settings { client: |builder| builder.with_cipher_suites(&OTHER), ..PLAIN }),
];

const OTHER: [CipherSuite; 1] = [CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256];

#[test] // RFC 5246 §7.4.1.3, RFC 7301 §3.1
fn a_session_is_resumed_only_where_nothing_changed() {
    for kind in [Resumption::Id, Resumption::Ticket] {
        for (what, then, now) in Settings::CHANGES.into_iter().chain(CHANGES) {
            assert!(resumes(&Stores::new(Some(kind)), then, then), "{kind:?}: {what} is the same");
            assert!(resumes(&Stores::new(Some(kind)), now, now), "{kind:?}: {what} is the same");
            assert!(!resumes(&Stores::new(Some(kind)), then, now), "{kind:?}: {what} changed");
        }
    }
}

#[test]
fn what_does_not_matter_may_change() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let now = Settings {
        client: |builder| builder.with_groups(&[NamedGroup::SECP256R1]),
        server: |builder| builder.with_groups(&[NamedGroup::SECP256R1]),
    };
    assert!(resumes(&stores, PLAIN, now), "there is no key exchange in it");
}

#[test]
fn without_a_stated_context_only_the_same_configuration_resumes() {
    // Nothing is known of these verifiers, so no other configuration may take their word.
    for kind in [Resumption::Id, Resumption::Ticket] {
        let stores = Stores::new(Some(kind));
        let make = |seed| {
            let client = with_identity(stores.client(null::client_config(seed))).build().expect("a client");
            let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
            let server = requiring(stores.server(null::server_config(seed + 1, identity))).build().expect("a server");
            (Arc::new(client), Arc::new(server))
        };
        let ((client, server), (other_client, other_server)) = (make(1), make(3));
        let mut sim = Sim::new(1);
        connect(&mut sim, &client, &server);
        let pair = connect(&mut sim, &other_client, &server);
        assert!(!is_resumed(&sim, pair));
        let pair = connect(&mut sim, &client, &other_server);
        assert!(!is_resumed(&sim, pair));
        let pair = connect(&mut sim, &other_client, &server);
        assert!(is_resumed(&sim, pair));
        assert_eq!(negotiated(&sim, pair)[1].peer_certificates.len(), 1, "the server still knows the client");
    }
}

#[test] // RFC 5246 §F.1.4, RFC 5077 §5.6
fn an_expired_session_is_not_resumed() {
    for (kind, hours) in [(Resumption::Id, 24), (Resumption::Ticket, 12)] {
        for (early, resumed) in [(1, true), (0, false)] {
            let stores = Stores::new(Some(kind));
            let (client, server) = super::configs(&stores);
            let mut sim = Sim::new(1);
            connect(&mut sim, &client, &server);
            stores.clock.advance(Duration::from_secs(hours * 3600 - early));
            let pair = connect(&mut sim, &client, &server);
            assert_eq!(is_resumed(&sim, pair), resumed, "{kind:?}");
        }
    }
}

#[test] // RFC 9325 §3.4
fn resuming_does_not_lengthen_a_session() {
    for (kind, hours) in [(Resumption::Id, 24), (Resumption::Ticket, 12)] {
        let stores = Stores::new(Some(kind));
        let (client, server) = super::configs(&stores);
        let mut sim = Sim::new(1);
        connect(&mut sim, &client, &server);
        let mut resumed = 0;
        for _ in 0..hours {
            stores.clock.advance(Duration::from_secs(3600));
            let pair = connect(&mut sim, &client, &server);
            resumed += u64::from(is_resumed(&sim, pair));
        }
        assert_eq!(resumed, hours - 1, "{kind:?}: the last one is a new session");
    }
}

/// The keys of a server with a hint.
#[derive(Debug)]
struct Hinting(Vec<Psk>, &'static [u8]);

impl PskLookup for Hinting {
    fn key(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.key(identity)
    }

    fn hint(&self) -> &[u8] {
        self.1
    }
}

#[test]
fn a_session_ends_with_the_pre_shared_key_it_came_from() {
    let psk = |identity: &str| Psk::new(identity, [7; 16]).expect("good lengths").for_hint(identity);
    let suite = [CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256];
    for kind in [Resumption::Id, Resumption::Ticket] {
        let connect_with = |stores: &Stores, sim: &mut Sim, client: &[&str], server: &[&str], hint: &'static str| {
            let seed = u64::from(hint == "b") * 2;
            let ours =
                client.iter().fold(ClientConfig::psk_builder(null::provider(seed), psk(client[0])), |builder, name| {
                    builder.with_psk(psk(name))
                });
            let ours = stores.client(ours.with_cipher_suites(&suite)).build().expect("a client");
            let keys = Hinting(server.iter().map(|name| psk(name)).collect(), hint.as_bytes());
            let theirs = ServerConfig::psk_builder(null::provider(seed + 1), Arc::new(keys)).with_cipher_suites(&suite);
            let theirs = stores.server(theirs).build().expect("a server");
            let pair = connect(sim, &ours.into(), &theirs.into());
            (is_resumed(sim, pair), negotiated(sim, pair)[1].psk_identity.clone())
        };
        for (client, server, resumed, identity) in [
            (&["a", "b"][..], &["a", "b"][..], true, "a"),
            (&["a", "b"], &["b"], false, "b"),
            (&["b"], &["a", "b"], false, "b"),
        ] {
            let (stores, mut sim) = (Stores::new(Some(kind)), Sim::new(1));
            connect_with(&stores, &mut sim, &["a", "b"], &["a", "b"], "a");
            let outcome = connect_with(&stores, &mut sim, client, server, "b");
            assert_eq!(outcome, (resumed, Some(identity.into())), "{kind:?}: {client:?}, {server:?}");
        }
    }
}

#[test]
fn a_session_ends_when_its_pre_shared_key_is_replaced() {
    let suite = [CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256];
    for kind in [Resumption::Id, Resumption::Ticket] {
        // The keys of both sides after the first connection, for which both have key 7.
        for (ours, theirs, resumed) in [(7, 7, Some(true)), (8, 8, Some(false)), (8, 7, None), (7, 8, None)] {
            let (stores, mut sim) = (Stores::new(Some(kind)), Sim::new(1));
            let mut start = |seed, client: u8, server: u8| {
                let psk = |byte| Psk::new("me", [byte; 16]).expect("good lengths");
                let client = ClientConfig::psk_builder(null::provider(seed), psk(client)).with_cipher_suites(&suite);
                let client = stores.client(client).build().expect("a client");
                let server = ServerConfig::psk_builder(null::provider(seed + 1), Arc::new(vec![psk(server)]));
                let server = stores.server(server.with_cipher_suites(&suite)).build().expect("a server");
                let pair = sim.connect(client, server);
                let connected = sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10));
                connected.is_ok().then(|| is_resumed(&sim, pair))
            };
            assert_eq!(start(1, 7, 7), Some(false));
            assert_eq!(start(3, ours, theirs), resumed, "{kind:?}: {ours}, {theirs}");
        }
    }
}

/// Says hello with this server name.
fn say_hello(scene: &mut Scene, name: Option<&str>) {
    let mut body = scene.peer.body_of(HandshakeType::CLIENT_HELLO);
    if let Some(name) = name {
        let extensions = ClientHello::from_bytes(&body).expect("a hello").extensions.as_bytes().len();
        let at = body.len() - extensions - 2;
        let len = |value: usize| u16::try_from(value).expect("short").to_be_bytes();
        let name = [&[0][..], &len(name.len()), name.as_bytes()].concat();
        let extension = [&[0, 0][..], &len(name.len() + 2), &len(name.len()), &name].concat();
        body[at..at + 2].copy_from_slice(&len(extensions + extension.len()));
        body.extend(extension);
    }
    let message = scene.peer.message_of(HandshakeType::CLIENT_HELLO, &body);
    let record = scene.peer.record(ContentType::HANDSHAKE, &message);
    scene.deliver([record]);
}

fn answered_with_a_session(peer: &Peer) -> bool {
    assert!(peer.received().len() > 1, "it was answered");
    !peer.received().iter().any(|message| message.msg_type == HandshakeType::SERVER_HELLO_DONE)
}

#[test] // RFC 6066 §3
fn a_server_does_not_resume_under_another_name() {
    let (a, other_case, b) = (Some("a.example"), Some("A.Example"), Some("b.example"));
    for (then, now, resumes) in
        [(a, a, true), (a, other_case, true), (None, None, true), (a, b, false), (a, None, false), (None, a, false)]
    {
        let stores = Stores::new(Some(Resumption::Id));
        let server = Arc::new(server(2, &stores, |builder| builder).expect("a server"));
        let mut first = Scene::server(Arc::clone(&server), 1);
        say_hello(&mut first, then);
        first.play(&first.last_flight(false));
        assert_eq!(first.outcome(), Outcome::Connected);
        let hello = first.peer.received().iter().find(|message| message.msg_type == HandshakeType::SERVER_HELLO);
        let id = hello.expect("a ServerHello").body[35..67].to_vec();

        let mut second = Scene::server(server, 2);
        second.peer.resume(&first.peer);
        second.peer.set_session_id(&id);
        say_hello(&mut second, now);
        assert_eq!(answered_with_a_session(&second.peer), resumes, "{then:?}, {now:?}");
        // RFC 6066 §3: an answer to the name belongs to full handshakes alone.
        let answer = second.peer.received()[0].body.windows(4).any(|bytes| bytes == [0, 0, 0, 0]);
        assert!(!(resumes && answer), "a resumed session answers the name");
        if resumes {
            // RFC 9846 §4.7.1: the name that the application hears is that of the new hello.
            second.play(&[Step::ChangeCipherSpec, Step::Message(HandshakeType::FINISHED)]);
            let agreed = second.connection().negotiated().expect("connected");
            assert_eq!((agreed.resumed, agreed.server_name.as_deref()), (true, now));
        }
    }
}

#[test] // RFC 5077 §3.4
fn beside_a_ticket_the_id_names_nothing() {
    let stores = Stores::new(Some(Resumption::Id));
    let server = Arc::new(server(2, &stores, |builder| builder).expect("a server"));
    let mut first = Scene::server(Arc::clone(&server), 1);
    first.connect();
    let id = first.peer.received()[0].body[35..67].to_vec();
    for (ticket, resumes) in [(None, true), (Some(&b""[..]), true), (Some(b"what another server made"), false)] {
        let mut second = Scene::server(Arc::clone(&server), 2);
        second.peer.resume(&first.peer);
        second.peer.set_session_id(&id);
        if let Some(ticket) = ticket {
            second.peer.set_session_ticket(ticket);
        }
        say_hello(&mut second, None);
        assert_eq!(answered_with_a_session(&second.peer), resumes, "{ticket:?}");
    }
}
