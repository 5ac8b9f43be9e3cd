//! Early data that somebody sends again, or late (RFC 9846 §8).

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::ServerConfig;
use gramseal_proto::wire::{MessageSeq, SequenceNumber};
use gramseal_proto::{Connection, FirstHello, Instant};
use gramseal_testkit::sessions::Resumption;
use gramseal_testkit::sim::{Side, Sim};

use super::{Acquainted, KINDS, TAKEN, acquainted, come, same, server};

const NOW: Instant = Instant::from_micros(1_000_000);

/// What a server that asks for no cookie takes from these datagrams.
pub(super) fn taken(config: &Arc<ServerConfig>, datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    let mut connection = Connection::server(Arc::clone(config), first, NOW);
    let mut datagram = Vec::new();
    for arrived in datagrams {
        drop(connection.handle_datagram(NOW, &mut arrived.clone()));
        while connection.poll_transmit(NOW, &mut datagram) {}
    }
    assert_eq!(connection.poll_event(), None, "the handshake goes on");
    std::iter::from_fn(|| connection.poll_early_data()).collect()
}

/// The hello and the early data that a client sends.
pub(super) fn first_flight(acquainted: &Acquainted) -> Vec<Vec<u8>> {
    let mut sim = Sim::new(3);
    let pair = sim.connect(Arc::clone(&acquainted.client), Arc::clone(&acquainted.server));
    sim.send_early(pair, b"early").expect("the session allows it");
    sim.sent_by(pair, Side::Client).map(|sent| sent.bytes.clone()).collect()
}

#[test] // RFC 9846 §8
fn the_same_early_data_is_taken_once() {
    for kind in KINDS {
        let acquainted = acquainted(kind);
        let flight = first_flight(&acquainted);
        assert_eq!(taken(&acquainted.server, &flight), [b"early"], "{kind:?}");
        for _ in 0..3 {
            assert!(taken(&acquainted.server, &flight).is_empty(), "{kind:?}");
        }
        // The client has another ticket.
        let mut sim = Sim::new(5).without_cookies();
        let (_, came) = come(&mut sim, &acquainted.client, &acquainted.server);
        assert_eq!(came, TAKEN);
    }
}

#[test] // RFC 9846 §8
fn each_host_that_keeps_its_own_memory_takes_it_once() {
    let acquainted = acquainted(Resumption::Ticket);
    let flight = first_flight(&acquainted);
    let other = server(8, &acquainted.stores, same);
    for config in [&acquainted.server, &other] {
        assert_eq!(taken(config, &flight).len(), 1);
        assert!(taken(config, &flight).is_empty());
    }
}

#[test] // RFC 9846 §8.3, §4.3.10
fn a_hello_that_comes_late_has_its_early_data_rejected() {
    for (late, expected) in [(0, 1), (10, 1), (11, 0), (3600, 0)] {
        let acquainted = acquainted(Resumption::Ticket);
        acquainted.stores.clock.advance(Duration::from_secs(100));
        let flight = first_flight(&acquainted);
        acquainted.stores.clock.advance(Duration::from_secs(late));
        assert_eq!(taken(&acquainted.server, &flight).len(), expected, "{late} seconds");
    }
}

#[test] // RFC 9846 §8.2
fn a_server_that_has_just_begun_takes_none_with_older_tickets() {
    let acquainted = acquainted(Resumption::Ticket);
    let Acquainted { stores, client, .. } = &acquainted;
    stores.clock.advance(Duration::from_secs(100));
    let anew = server(8, stores, same);
    assert!(taken(&anew, &first_flight(&acquainted)).is_empty());
    // Its own are younger.
    let mut sim = Sim::new(5).without_cookies();
    let pair = sim.connect(Arc::clone(client), Arc::clone(&anew));
    sim.run_until(|sim| sim.connected(pair), super::PATIENCE).expect("both sides connect");
    sim.run_for(Duration::from_secs(1));
    let (_, came) = come(&mut sim, client, &anew);
    assert_eq!(came, TAKEN);
}

#[test] // RFC 9147 §5.6
fn early_data_that_overtakes_its_hello_is_taken() {
    let acquainted = acquainted(Resumption::Ticket);
    let mut flight = first_flight(&acquainted);
    flight.reverse();
    assert!(super::is_early_record(&flight[0]));
    assert_eq!(taken(&acquainted.server, &flight), [b"early"]);
}

#[test]
fn early_data_may_come_in_one_datagram_with_its_hello() {
    let acquainted = acquainted(Resumption::Ticket);
    let flight = first_flight(&acquainted).concat();
    assert_eq!(taken(&acquainted.server, &[flight]), [b"early"]);
}
