//! Why a server takes no early data, and what becomes of the connection then (RFC 9846 §4.3.10).

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::wire::{CipherSuite, NamedGroup, ProtocolVersion};
use gramseal_proto::{CloseReason, Discard, Error, Event, Incompatible, SendEarlyError};
use gramseal_testkit::sessions::{ChangeServer, Resumption, Stores};
use gramseal_testkit::sim::{Pair, Side, Sim};

use super::{
    Acquainted, Came, KINDS, MAX, PATIENCE, REJECTED, TAKEN, acquainted, acquainted_with, client, come, discards,
    memory, same, server, server_builder,
};

/// What a server with other settings makes of early data, which the client then sends again.
fn rejected(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> (Sim, Pair, Came) {
    let mut sim = Sim::new(9).without_cookies();
    let (pair, came) = come(&mut sim, client, server);
    sim.exchange(pair, b"early");
    assert_eq!(sim.send_early(pair, b"early"), Err(SendEarlyError::Over));
    (sim, pair, came)
}

#[test] // RFC 9846 §4.3.10
fn a_server_whose_settings_changed_takes_none_and_resumes_as_far_as_it_can() {
    const NEW: Came = Came { resumed: false, ..REJECTED };
    let chacha: ChangeServer = |builder| builder.with_cipher_suites(&[CipherSuite::TLS_CHACHA20_POLY1305_SHA256]);
    let protocol: ChangeServer = |builder| builder.with_alpn(["other"]);
    for (max, change, expected) in [
        (Some(MAX), same as ChangeServer, TAKEN),
        (Some(5 * MAX), same, TAKEN),
        (None, same, REJECTED),
        (Some(MAX - 1), same, REJECTED),
        (Some(MAX), chacha, REJECTED),
        (Some(MAX), protocol, NEW),
    ] {
        let Acquainted { stores, client, .. } = acquainted_with(
            Resumption::Ticket,
            |builder| builder.with_alpn(["some", "other"]),
            |builder| builder.with_alpn(["some", "other"]),
        );
        let mut builder = server_builder(7, &stores).with_alpn(["some", "other"]);
        if let Some(max) = max {
            builder = builder.with_early_data(max, memory(&stores));
        }
        let server = Arc::new(change(builder).build().expect("a server"));
        let mut sim = Sim::new(9).without_cookies();
        let (pair, came) = come(&mut sim, &client, &server);
        assert_eq!(came, expected);
        let unread = if expected == TAKEN { 0 } else { 1 };
        assert_eq!(discards(&sim, pair, Discard::UnknownEpoch), unread, "what is not taken is dropped and counted");
    }
}

#[test] // RFC 9846 §4.2.2, §4.3.10
fn a_hello_retry_request_rejects_early_data() {
    for kind in KINDS {
        let Acquainted { stores, client, .. } = acquainted(kind);
        let other = server(5, &stores, |builder| builder.with_groups(&[NamedGroup::SECP256R1]));
        let (sim, pair, came) = rejected(&client, &other);
        assert_eq!(came, REJECTED, "{kind:?}");
        let agreed = sim.connection(pair, Side::Server).and_then(|server| server.negotiated()).expect("connected");
        assert_eq!(agreed.group, Some(NamedGroup::SECP256R1));
        assert_eq!(discards(&sim, pair, Discard::UnknownEpoch), 1);
    }
}

#[test] // RFC 9846 §4.3.10
fn after_a_rejection_nothing_more_is_sent() {
    let Acquainted { stores, client, .. } = acquainted(Resumption::Ticket);
    let other = server(5, &stores, |builder| builder.with_groups(&[NamedGroup::SECP256R1]));
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client, other);
    sim.send_early(pair, b"early").expect("the session allows it");
    sim.run_for(Duration::from_millis(25));
    assert_eq!(super::answer(&sim, pair), REJECTED.answer);
    assert!(!sim.connected(pair));
    assert_eq!(sim.send_early(pair, b"early"), Err(SendEarlyError::Rejected));
    let connection = sim.connection(pair, Side::Client).expect("a client");
    assert_eq!(connection.max_early_payload(), 0);
    assert!(connection.export_early_keying_material(b"label", b"", &mut [0; 8]).is_err());
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
}

#[test] // RFC 9846 §E.3
fn a_client_with_early_data_takes_no_older_version() {
    for cookies in [false, true] {
        let stores = Stores::new(Some(Resumption::Ticket));
        let client =
            client(1, &stores, |builder| builder.with_versions(&[ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2]));
        let mut sim = Sim::new(1);
        if !cookies {
            sim = sim.without_cookies();
        }
        let pair = sim.connect(Arc::clone(&client), server(2, &stores, same));
        sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
        sim.run_for(Duration::from_secs(1));

        let older = server_builder(3, &stores).with_versions(&[ProtocolVersion::DTLS1_2]).build();
        let older = Arc::new(older.expect("a server"));
        let pair = sim.connect(Arc::clone(&client), Arc::clone(&older));
        sim.send_early(pair, b"early").expect("the session allows it");
        sim.run_until(|sim| sim.closed(pair, Side::Client).is_some(), PATIENCE).expect("the client gives up");
        let error = Error::Incompatible(Incompatible::OlderVersionAfterEarlyData);
        assert_eq!(sim.events(pair, Side::Client), [Event::Closed(CloseReason::Failed(error))]);

        // Another ticket is left, and then none.
        let again = sim.connect(Arc::clone(&client), Arc::clone(&older));
        sim.run_until(|sim| sim.closed(again, Side::Client).is_some(), PATIENCE).expect("the client gives up");
        let last = sim.connect(client, older);
        sim.run_until(|sim| sim.connected(last), PATIENCE).expect("both sides connect");
    }
}

#[test] // RFC 9147 §5.1
fn a_cookie_rejects_early_data() {
    let Acquainted { client, server, .. } = acquainted(Resumption::Ticket);
    let mut sim = Sim::new(1);
    let (_, came) = come(&mut sim, &client, &server);
    assert_eq!(came, REJECTED);
}
