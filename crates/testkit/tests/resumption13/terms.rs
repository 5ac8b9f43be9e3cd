//! Sessions that fit the new connection no more: a full handshake follows, and never an alert.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfigBuilder, Identity};
use gramseal_proto::session::{ClientSessionStore, Session, TicketKeys};
use gramseal_proto::wire::{CipherSuite, NamedGroup, ProtocolVersion};
use gramseal_testkit::null::{self, NullKey, ToyKind};
use gramseal_testkit::sessions::{Resumption, Settings, Stores, requiring, with_identity};
use gramseal_testkit::sim::Sim;
use pki_types::UnixTime;

use super::{KINDS, PLAIN, client, connect, is_resumed, negotiated, resumes, server};

const SHA256: [CipherSuite; 2] = [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_CHACHA20_POLY1305_SHA256];
const OTHER_SHA256: [CipherSuite; 1] = [CipherSuite::TLS_CHACHA20_POLY1305_SHA256];
const SHA384: [CipherSuite; 1] = [CipherSuite::TLS_AES_256_GCM_SHA384];

/// What must be the same in 1.3, and settings in which it is not.
const CHANGES: [(&str, Settings, Settings); 3] = [
    ("the hash of the server", PLAIN, Settings { server: |builder| builder.with_cipher_suites(&SHA384), ..PLAIN }),
    ("the hash of the client", PLAIN, Settings { client: |builder| builder.with_cipher_suites(&SHA384), ..PLAIN }),
    (
        "the version",
        PLAIN,
        Settings {
            client: |builder| builder.with_versions(&[ProtocolVersion::DTLS1_2]),
            server: |builder| builder.with_versions(&[ProtocolVersion::DTLS1_2]),
        },
    ),
];

#[test] // RFC 9846 §4.3.11, §4.7.1
fn a_session_of_1_3_is_resumed_only_where_nothing_changed() {
    for kind in KINDS {
        for (what, then, now) in Settings::CHANGES.into_iter().chain(CHANGES) {
            assert!(resumes(&Stores::new(Some(kind)), then, then), "{kind:?}: {what} is the same");
            assert!(resumes(&Stores::new(Some(kind)), now, now), "{kind:?}: {what} is the same");
            assert!(!resumes(&Stores::new(Some(kind)), then, now), "{kind:?}: {what} changed");
        }
    }
}

#[test] // RFC 9846 §4.7.1
fn another_suite_with_the_same_hash_and_another_group_will_do() {
    let then = Settings {
        client: |builder| builder.with_cipher_suites(&SHA256),
        server: |builder| builder.with_cipher_suites(&SHA256),
    };
    let now = Settings {
        client: |builder| builder.with_cipher_suites(&OTHER_SHA256).with_groups(&[NamedGroup::SECP256R1]),
        server: |builder| builder.with_cipher_suites(&SHA256),
    };
    for kind in KINDS {
        assert!(resumes(&Stores::new(Some(kind)), then, now));
    }
}

#[test] // RFC 9846 §2.2
fn a_resumed_server_still_knows_its_client() {
    for kind in KINDS {
        let stores = Stores::new(Some(kind));
        let (client, server) = (client(1, &stores, with_identity), server(2, &stores, requiring));
        let mut sim = Sim::new(1).without_cookies();
        let [first, second] = [(); 2].map(|()| {
            let pair = connect(&mut sim, &client, &server);
            negotiated(&sim, pair)
        });
        assert_eq!([first[1].resumed, second[1].resumed], [false, true]);
        assert_eq!(first[1].peer_certificates, second[1].peer_certificates);
        assert_eq!(second[1].peer_certificates.len(), 1);
        assert_eq!(first[1].peer_signature_scheme, second[1].peer_signature_scheme);
    }
}

#[test]
fn a_ticket_stands_for_the_first_certificate_of_a_chain() {
    for kind in KINDS {
        let stores = Stores::new(Some(kind));
        let of_three = |builder: ClientConfigBuilder| {
            let key = NullKey::new(ToyKind::EcdsaP256, 1);
            let chain = vec![null::certificate("client", &key, 0); 3];
            builder.with_identity(Identity::new(chain, Arc::new(key)).expect("a chain"))
        };
        let (client, server) = (client(1, &stores, of_three), server(2, &stores, requiring));
        let mut sim = Sim::new(1).without_cookies();
        let certificates = [(); 2].map(|()| {
            let pair = connect(&mut sim, &client, &server);
            negotiated(&sim, pair)[1].peer_certificates.len()
        });
        assert_eq!(certificates, [3, 1], "{kind:?}");
    }
}

#[test] // RFC 9846 §4.3.11.1, §4.7.1
fn an_expired_ticket_is_neither_offered_nor_taken() {
    for (kind, hours) in [(Resumption::Id, 24), (Resumption::Ticket, 12)] {
        for (early, resumed) in [(2, true), (0, false)] {
            let stores = Stores::new(Some(kind));
            let (client, server) = (client(1, &stores, PLAIN.client), server(2, &stores, PLAIN.server));
            let mut sim = Sim::new(1).without_cookies();
            connect(&mut sim, &client, &server);
            stores.clock.advance(Duration::from_secs(hours * 3600 - early));
            let pair = connect(&mut sim, &client, &server);
            assert_eq!(is_resumed(&sim, pair), resumed, "{kind:?}");
        }
    }
}

/// Changes the bytes of a session.
type Change = fn(&mut Vec<u8>);

/// Gives every session whose ticket was changed to its client.
#[derive(Debug)]
struct Forger {
    stores: Stores,
    change: Change,
}

impl ClientSessionStore for Forger {
    fn now(&self) -> UnixTime {
        self.stores.client.now()
    }

    fn take(&self, server_name: &str, context: &[u8; 32]) -> Option<Session> {
        let session = self.stores.client.take(server_name, context)?;
        // The ticket is the last field of the session's bytes.
        let mut bytes = session.to_bytes().to_vec();
        (self.change)(&mut bytes);
        Some(Session::from_bytes(&bytes).expect("it can still be read"))
    }

    fn put(&self, session: Session) {
        self.stores.client.put(session);
    }
}

#[test] // RFC 9846 §4.3.11
fn a_ticket_that_was_changed_or_is_unknown_means_a_full_handshake() {
    for kind in KINDS {
        let changes: [(Change, bool); 2] = [(|_| {}, true), (|bytes| *bytes.last_mut().expect("a ticket") ^= 1, false)];
        for (change, resumed) in changes {
            let stores = Stores::new(Some(kind));
            let forger = Arc::new(Forger { stores: stores.clone(), change });
            let builder = null::client_config(1).with_versions(&super::VERSIONS).with_session_store(forger);
            let client = Arc::new(builder.build().expect("a client"));
            let server = server(2, &stores, PLAIN.server);
            let mut sim = Sim::new(1).without_cookies();
            connect(&mut sim, &client, &server);
            let pair = connect(&mut sim, &client, &server);
            assert_eq!(is_resumed(&sim, pair), resumed, "{kind:?}");
        }
    }
}

#[test] // RFC 5077 §5.5
fn a_ticket_of_forgotten_keys_means_a_full_handshake() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let mut sim = Sim::new(1).without_cookies();
    let client = client(1, &stores, PLAIN.client);
    connect(&mut sim, &client, &server(2, &stores, PLAIN.server));
    let tickets = TicketKeys::random(null::provider(99), stores.clock.reader()).expect("the null provider has all");
    let stores = Stores { tickets: Arc::new(tickets), ..stores };
    let pair = connect(&mut sim, &client, &server(3, &stores, PLAIN.server));
    assert!(!is_resumed(&sim, pair));
    assert_eq!(stores.client.len(), 2, "the old ones are forgotten with it (RFC 9149 §3)");
}

#[test] // RFC 9149 §3
fn tickets_of_a_declined_session_are_forgotten_and_others_are_not() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let mut sim = Sim::new(1).without_cookies();
    let client = client(1, &stores, |builder| builder.with_ticket_request(2, 1));
    let (server, before) = (server(2, &stores, PLAIN.server), stores.client.len());
    connect(&mut sim, &client, &server);
    stores.clock.advance(Duration::from_secs(60));
    let tickets = TicketKeys::random(null::provider(99), stores.clock.reader()).expect("the null provider has all");
    let elsewhere = Stores { tickets: Arc::new(tickets), ..stores.clone() };
    let other = super::server(3, &elsewhere, PLAIN.server);
    connect(&mut sim, &client, &other);
    assert_eq!((before, stores.client.len()), (0, 2));
    let pair = connect(&mut sim, &client, &other);
    assert!(is_resumed(&sim, pair));
    assert_eq!(stores.client.len(), 2);
}

#[test] // RFC 9846 §C.4
fn a_ticket_that_is_an_id_serves_once() {
    let stores = Stores::new(Some(Resumption::Id));
    let server = server(2, &stores, PLAIN.server);
    let client = client(1, &stores, PLAIN.client);
    let mut sim = Sim::new(1).without_cookies();
    connect(&mut sim, &client, &server);
    assert_eq!(stores.server.len(), 2);
    let pair = connect(&mut sim, &client, &server);
    assert!(is_resumed(&sim, pair));
    assert_eq!(stores.server.len(), 2, "the one that was used is gone, another came");
}

#[test]
fn a_client_whose_certificate_is_too_long_for_a_ticket_gets_an_id_if_there_is_a_store() {
    for with_store in [false, true] {
        let stores = Stores::new(Some(Resumption::Ticket));
        let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 1500);
        let builder = stores.client(null::client_config(1)).with_versions(&super::VERSIONS).with_identity(identity);
        let client = Arc::new(builder.build().expect("a client"));
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let mut builder = requiring(stores.server(null::server_config(2, identity)).with_versions(&super::VERSIONS));
        if with_store {
            builder = builder.with_session_store(stores.server.clone());
        }
        let server = Arc::new(builder.build().expect("a server"));
        let mut sim = Sim::new(1).without_cookies();
        connect(&mut sim, &client, &server);
        assert_eq!(stores.server.len(), if with_store { 2 } else { 0 });
        let pair = connect(&mut sim, &client, &server);
        assert_eq!(is_resumed(&sim, pair), with_store);
        assert_eq!(negotiated(&sim, pair)[1].peer_certificates.len(), 1);
    }
}
