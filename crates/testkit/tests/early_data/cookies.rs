//! Early data and cookies (RFC 9147 §5.1): whom an endpoint lets in, what it keeps, and what it sends to an address
//! that is not proved.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::endpoint::{CookiePolicy, Endpoint, EndpointConfig, Handover, Route};
use gramseal_proto::wire::ContentType;
use gramseal_proto::{Connection, Discard, Instant};
use gramseal_testkit::decode::{Item, items};
use gramseal_testkit::peer::Wiretap;
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Side, Sim};

use super::replays::first_flight;
use super::{
    Acquainted, KINDS, MAX, PATIENCE, TAKEN, acquaint, acquainted, client, come, memory, same, server, server_builder,
};

const NOW: Instant = Instant::from_micros(1_000_000);

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

/// How many hellos a client says.
fn hellos(sim: &Sim, pair: gramseal_testkit::sim::Pair) -> usize {
    let is_hello = |item: &Item| matches!(item, Item::Handshake { .. });
    sim.sent_by(pair, Side::Client).flat_map(|sent| items(&sent.bytes)).filter(is_hello).count()
}

#[test] // RFC 9147 §5.1
fn early_data_takes_the_place_of_a_cookie_where_the_application_says_so() {
    for kind in KINDS {
        let stores = Stores::new(Some(kind));
        let (client, server) = (client(1, &stores, same), server(2, &stores, same));
        let mut sim = Sim::new(1).cookies(CookiePolicy::ExceptEarlyData);
        let first = sim.connect(Arc::clone(&client), Arc::clone(&server));
        sim.run_until(|sim| sim.connected(first), PATIENCE).expect("both sides connect");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(hellos(&sim, first), 2, "who is new is asked for a cookie");
        for _ in 0..3 {
            let (pair, came) = come(&mut sim, &client, &server);
            assert_eq!((came, hellos(&sim, pair)), (TAKEN, 1), "{kind:?}");
        }
    }
}

fn endpoint(acquainted: &Acquainted, policy: CookiePolicy) -> Endpoint<u8> {
    let config = EndpointConfig::server(Arc::clone(&acquainted.server)).expect("the null provider has all it takes");
    Endpoint::new(config.with_cookie_policy(policy))
}

fn accept(
    endpoint: &mut Endpoint<u8>,
    acquainted: &Acquainted,
    from: SocketAddr,
    datagram: &[u8],
) -> Option<Connection> {
    match endpoint.route(NOW, from, datagram, &mut Vec::new()) {
        Route::Incoming(incoming) => Some(incoming.accept(Arc::clone(&acquainted.server), NOW)),
        _ => None,
    }
}

#[test] // RFC 9846 §8, RFC 9147 §5.1
fn a_copy_of_a_hello_with_early_data_is_asked_for_a_cookie() {
    for kind in KINDS {
        let acquainted = acquainted(kind);
        let [hello, _] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
        let mut endpoint = endpoint(&acquainted, CookiePolicy::ExceptEarlyData);
        let mut reply = Vec::new();
        assert!(matches!(endpoint.route(NOW, peer(1), hello, &mut reply), Route::Incoming(_)));
        for port in 2..20 {
            assert!(matches!(endpoint.route(NOW, peer(port), hello, &mut reply), Route::Reply), "{kind:?}");
            assert!(reply.len() <= hello.len());
        }
        assert_eq!((endpoint.entries(), endpoint.stats().incoming), (1, 1));
    }
}

#[test] // RFC 9147 §5.1
fn a_hello_that_is_not_good_for_early_data_is_asked_for_a_cookie() {
    let acquainted = acquainted(Resumption::Ticket);
    let [hello, _] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
    let mut forged = hello.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let routed = |policy, datagram: &[u8]| {
        let mut endpoint = endpoint(&acquainted, policy);
        matches!(endpoint.route(NOW, peer(1), datagram, &mut Vec::new()), Route::Reply)
    };
    assert!(routed(CookiePolicy::ExceptEarlyData, &forged), "its binder is wrong");
    assert!(routed(CookiePolicy::Required, hello));
    assert!(!routed(CookiePolicy::ExceptEarlyData, hello), "a wrong one used nothing up");

    // An address that has a connection keeps it until another client has proved that it is there.
    let [hello, _] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
    let mut endpoint = endpoint(&acquainted, CookiePolicy::ExceptEarlyData);
    endpoint.insert(peer(1), 1);
    assert!(matches!(endpoint.route(NOW, peer(1), hello, &mut Vec::new()), Route::Reply));
}

#[test]
fn early_data_waits_with_its_hello_for_the_application() {
    for policy in [CookiePolicy::ExceptEarlyData, CookiePolicy::Off] {
        let acquainted = acquainted(Resumption::Ticket);
        let [hello, early] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
        let mut endpoint = endpoint(&acquainted, policy);
        let mut reply = Vec::new();
        let stranger = |endpoint: &mut Endpoint<u8>, port| {
            let route = endpoint.route(NOW, peer(port), early, &mut Vec::new());
            assert!(matches!(route, Route::Discard(Discard::UnknownPeer)), "{route:?}");
        };
        stranger(&mut endpoint, 1);
        let Route::Incoming(incoming) = endpoint.route(NOW, peer(1), hello, &mut reply) else {
            panic!("{policy:?}: it is let in")
        };
        stranger(&mut endpoint, 2);
        for _ in 0..16 {
            assert!(matches!(endpoint.route(NOW, peer(1), early, &mut reply), Route::Kept));
        }
        stranger(&mut endpoint, 1);
        assert_eq!(endpoint.stats().early_datagrams, 16);
        let mut connection = incoming.accept(Arc::clone(&acquainted.server), NOW);
        let Handover { replaced, early_data, .. } = endpoint.insert(peer(1), 1);
        assert_eq!((replaced, &early_data), (None, &vec![early.clone(); 16]));
        for mut datagram in early_data {
            drop(connection.handle_datagram(NOW, &mut datagram));
        }
        let again = endpoint.insert(peer(1), 2);
        assert_eq!((again.replaced, again.early_data.len()), (Some(1), 0));
        assert_eq!(connection.poll_early_data().as_deref(), Some(&b"early"[..]));
        assert_eq!(connection.poll_early_data(), None, "the others are copies");
    }
}

#[test]
fn what_waits_is_bounded_in_bytes_too() {
    let acquainted = acquainted(Resumption::Ticket);
    let [hello, _] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
    let mut endpoint = endpoint(&acquainted, CookiePolicy::Off);
    let incoming = endpoint.route(NOW, peer(1), hello, &mut Vec::new());
    assert!(matches!(incoming, Route::Incoming(_)));
    let large = [&[0x2D, 0, 0, 3, 0xE8][..], &[0; 1000]].concat();
    let kept = (0..16).filter(|_| matches!(endpoint.route(NOW, peer(1), &large, &mut Vec::new()), Route::Kept));
    assert_eq!(kept.count(), 2, "1000 bytes of payload, and what 16 records have beyond theirs");
}

/// Bytes that a server sends within two minutes to somebody who says nothing more.
fn sent_to_silence(connection: &mut Connection) -> usize {
    let (mut bytes, mut datagram, mut now) = (0, Vec::new(), NOW);
    let end = NOW + Duration::from_secs(120);
    while now < end {
        while connection.poll_transmit(now, &mut datagram) {
            bytes += datagram.len();
        }
        let Some((at, _)) = connection.poll_timeout() else { break };
        now = now.max(at);
        connection.handle_timeout(now);
    }
    bytes
}

#[test] // RFC 9147 §5.1
fn at_most_three_times_as_much_goes_to_an_address_that_is_not_proved() {
    let acquainted = acquainted(Resumption::Ticket);
    let [hello, early] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
    let mut endpoint = endpoint(&acquainted, CookiePolicy::ExceptEarlyData);
    let mut connection = accept(&mut endpoint, &acquainted, peer(1), hello).expect("it is let in");
    drop(connection.handle_datagram(NOW, &mut early.clone()));
    let sent = sent_to_silence(&mut connection);
    let came = hello.len() + early.len();
    assert!(sent > came / 2 && sent <= 3 * came, "{sent} for {came}");

    let acquainted = super::acquainted(Resumption::Ticket);
    let [hello, _] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
    let mut trusting = self::endpoint(&acquainted, CookiePolicy::Off);
    let mut connection = accept(&mut trusting, &acquainted, peer(1), hello).expect("it is let in");
    assert!(sent_to_silence(&mut connection) > 3 * hello.len(), "where addresses are trusted nothing is held back");
}

#[test] // RFC 9147 §5.1
fn a_client_that_answers_has_proved_its_address() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let tap = Arc::new(Wiretap::default());
    let server = server_builder(2, &stores).with_early_data(MAX, memory(&stores)).with_key_log(tap.clone());
    let server = Arc::new(server.build().expect("a server"));
    let acquainted = acquaint(stores, same, server);
    for epoch in [1, 2] {
        let [hello, _] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
        let mut endpoint = endpoint(&acquainted, CookiePolicy::ExceptEarlyData);
        let mut connection = accept(&mut endpoint, &acquainted, peer(1), hello).expect("it is let in");
        // An acknowledgement of nothing: only whoever got our hello can make one in epoch 2.
        let mut ack = tap.seal(Side::Client, epoch, 0, ContentType::ACK, &[0, 0]);
        let came = hello.len() + ack.len();
        drop(connection.handle_datagram(NOW, &mut ack));
        let sent = sent_to_silence(&mut connection);
        assert_eq!(sent > 3 * came, epoch == 2, "{sent} for {came}");
    }
}

#[test]
fn a_repeated_hello_after_a_refusal_goes_the_long_way() {
    let acquainted = acquainted(Resumption::Ticket);
    let [hello, _] = &first_flight(&acquainted)[..] else { panic!("a hello and early data") };
    let mut endpoint = endpoint(&acquainted, CookiePolicy::ExceptEarlyData);
    let Route::Incoming(incoming) = endpoint.route(NOW, peer(1), hello, &mut Vec::new()) else { panic!("let in") };
    endpoint.ignore(incoming);
    assert!(matches!(endpoint.route(NOW, peer(1), hello, &mut Vec::new()), Route::Reply));
}
