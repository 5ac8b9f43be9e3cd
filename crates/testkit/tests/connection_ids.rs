//! Connection ids: who agrees on which, what records look like, and peers whose address changes (RFC 9146, RFC 9147 §9).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::config::{ConnectionIds, Padding};
use gramseal_proto::crypto::{CryptoError, SecureRandom};
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{Cid, CidGenerator, CloseReason, Connection, Discard, Error, Event, LocalFault};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];

/// Gives ids of these lengths, in turn.
#[derive(Debug)]
struct Lengths(Mutex<Vec<u8>>);

impl CidGenerator for Lengths {
    fn generate(&self, _: &dyn SecureRandom) -> Result<Cid, CryptoError> {
        let len = self.0.lock().expect("not poisoned").pop().ok_or(CryptoError::new())?;
        Cid::new(&vec![len; usize::from(len)]).ok_or(CryptoError::new())
    }
}

fn of_length(len: u8) -> ConnectionIds {
    ConnectionIds::Both(Arc::new(Lengths(Mutex::new(vec![len]))))
}

fn begin(version: ProtocolVersion, cids: [ConnectionIds; 2], padding: Padding) -> (Sim, Pair) {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let [client, server] = cids;
    let client = null::client_config(2).with_versions(&[version]).with_connection_ids(client).with_padding(padding);
    let server = null::server_config(3, identity).with_versions(&[version]).with_connection_ids(server);
    let mut sim = Sim::new(1);
    let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
    (sim, pair)
}

fn connect(version: ProtocolVersion, client: ConnectionIds, server: ConnectionIds) -> (Sim, Pair) {
    let (mut sim, pair) = begin(version, [client, server], Padding::None);
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    (sim, pair)
}

fn connection(sim: &Sim, pair: Pair, side: Side) -> &Connection {
    sim.connection(pair, side).expect("there is one")
}

fn lengths(sim: &Sim, pair: Pair, side: Side) -> Option<(u8, u8)> {
    let negotiated = connection(sim, pair, side).negotiated().expect("connected");
    negotiated.cids.map(|cids| (cids.own, cids.peer))
}

/// The last datagram of a side.
fn last(sim: &Sim, pair: Pair, side: Side) -> Vec<u8> {
    sim.sent_by(pair, side).last().expect("some were sent").bytes.clone()
}

/// Whether it begins with a record that carries `cid`, at its place in this version.
fn carries(version: ProtocolVersion, datagram: &[u8], cid: &[u8]) -> bool {
    match version {
        ProtocolVersion::DTLS1_3 => datagram[0] & 0b0011_0000 == 0b0011_0000 && datagram[1..].starts_with(cid),
        _ => datagram[0] == 25 && datagram[11..].starts_with(cid),
    }
}

#[test] // RFC 9146 §3, RFC 9147 §5.1
fn each_side_says_what_it_wants_to_see() {
    let all = [ConnectionIds::Off, ConnectionIds::Peers, of_length(5)];
    for version in VERSIONS {
        for client in 0..3 {
            for server in 0..3 {
                let own = |choice: usize, len| if choice == 2 { of_length(len) } else { all[choice].clone() };
                let (mut sim, pair) = connect(version, own(client, 5), own(server, 7));
                let spoken = client > 0 && server > 0;
                let [of_client, of_server] =
                    [(client, 5), (server, 7)].map(|(choice, len)| if spoken && choice == 2 { len } else { 0 });
                let agreed = (of_client, of_server) != (0, 0);
                let case = format!("{version} {client} {server}");
                assert_eq!(lengths(&sim, pair, Side::Client), agreed.then_some((of_client, of_server)), "{case}");
                assert_eq!(lengths(&sim, pair, Side::Server), agreed.then_some((of_server, of_client)), "{case}");
                sim.exchange(pair, b"payload");
                for (side, len) in [(Side::Client, of_server), (Side::Server, of_client)] {
                    let id = vec![len; usize::from(len)];
                    assert_eq!(connection(&sim, pair, side).peer_cid(), id);
                    let sent = last(&sim, pair, side);
                    assert_eq!(carries(version, &sent, &id), len > 0, "{case} {side:?}");
                    let own: Vec<&[u8]> =
                        connection(&sim, pair, side.peer()).own_cids().iter().map(|c| &c[..]).collect();
                    assert_eq!(own, if len > 0 { vec![&id[..]] } else { Vec::new() }, "{case}");
                }
            }
        }
    }
}

#[test] // RFC 9146 §3
fn ids_of_any_length_serve() {
    for version in VERSIONS {
        for (client, server) in [(1, 255), (255, 1), (22, 23), (100, 100)] {
            let (mut sim, pair) = connect(version, of_length(client), of_length(server));
            assert_eq!(lengths(&sim, pair, Side::Client), Some((client, server)));
            for side in Side::BOTH {
                let most = connection(&sim, pair, side).max_payload();
                sim.exchange(pair, &vec![7; most.min(900)]);
                sim.send(pair, side, &vec![8; most]).expect("fits");
                assert_eq!(last(&sim, pair, side).len(), 1200, "{version} {side:?}");
            }
        }
    }
}

#[test] // RFC 9146 §3, RFC 9147 §4: with what the hellos say, and never before
fn handshakes_carry_ids_as_soon_as_they_are_protected() {
    for version in VERSIONS {
        let (sim, pair) = connect(version, of_length(5), of_length(7));
        for (side, len) in [(Side::Client, 7), (Side::Server, 5)] {
            let id = vec![len; usize::from(len)];
            let count = |is: &dyn Fn(&[u8]) -> bool| sim.sent_by(pair, side).filter(|sent| is(&sent.bytes)).count();
            // In 1.2 Finished is behind others in its datagram.
            let inside = |datagram: &[u8]| datagram.windows(id.len()).any(|part| part == id);
            assert!(count(&inside) > 0, "{version} {side:?}");
            assert!(count(&|datagram| !inside(datagram)) > 0, "{version} {side:?}: the hellos have none");
        }
        let discards = connection(&sim, pair, Side::Client).stats().discards.total();
        assert_eq!(discards + connection(&sim, pair, Side::Server).stats().discards.total(), 0, "{version}");
    }
}

#[test] // RFC 9146 §3, §6
fn a_client_that_moves_is_found_by_its_id() {
    for version in VERSIONS {
        let (mut sim, pair) = connect(version, ConnectionIds::Peers, ConnectionIds::random());
        sim.exchange(pair, b"from home");
        sim.move_client(pair, "203.0.113.9:4444".parse().expect("an address"));
        sim.send(pair, Side::Client, b"from elsewhere").expect("connected");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(sim.received(pair, Side::Server).last().expect("some"), b"from elsewhere", "{version}");
        assert!(sim.endpoint_stats(pair).named > 0);
        assert_eq!(sim.endpoint_stats(pair).discards.total(), 0);
    }
}

#[test]
fn without_ids_a_client_that_moves_is_a_stranger() {
    for version in VERSIONS {
        let (mut sim, pair) = connect(version, ConnectionIds::random(), ConnectionIds::Peers);
        sim.run_for(Duration::from_secs(1));
        sim.move_client(pair, "203.0.113.9:4444".parse().expect("an address"));
        sim.send(pair, Side::Client, b"payload").expect("connected");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(sim.received(pair, Side::Server).len(), 0);
        assert_eq!(sim.endpoint_stats(pair).discards.total(), 1);
    }
}

#[test] // RFC 9147 §9.1
fn events_say_which_ids_to_route() {
    for version in VERSIONS {
        for (server, kept) in [(ConnectionIds::Off, false), (ConnectionIds::Peers, true)] {
            let (sim, pair) = connect(version, of_length(5), server);
            let id = Cid::new(&[5; 5]).expect("short");
            let mut expected = vec![Event::CidIssued(id.clone())];
            // Only the client has told of it before the server has said that it wants none.
            expected.extend((!kept).then_some(Event::CidRetired(id)));
            let events: Vec<_> = sim.events(pair, Side::Client).iter().filter(|e| **e != Event::Connected).collect();
            assert_eq!(events, expected.iter().collect::<Vec<_>>(), "{version}");
        }
    }
}

#[test] // RFC 9146 §4
fn padding_hides_lengths_in_1_2_too() {
    let (mut sim, pair) =
        begin(ProtocolVersion::DTLS1_2, [ConnectionIds::Peers, ConnectionIds::random()], Padding::Block(64));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    let lengths = [1, 30, 64].map(|len| {
        sim.exchange(pair, &vec![len; usize::from(len)]);
        last(&sim, pair, Side::Client).len()
    });
    assert_eq!(lengths, [lengths[0]; 3]);
}

#[test]
fn a_generator_that_fails_fails_its_association_alone() {
    for version in VERSIONS {
        for (len, error) in [(Some(0), LocalFault::UnusableCid), (None, LocalFault::Crypto)] {
            let generator = Arc::new(Lengths(Mutex::new(len.into_iter().collect())));
            let cids = [ConnectionIds::Peers, ConnectionIds::Both(generator)];
            let (mut sim, pair) = begin(version, cids, Padding::None);
            sim.run_until(|sim| sim.closed(pair, Side::Server).is_some(), Duration::from_secs(10)).expect("it fails");
            let closed = sim.closed(pair, Side::Server);
            assert_eq!(closed, Some(&CloseReason::Failed(Error::Local(error))), "{version}");
        }
    }
}

#[test] // RFC 9146 §3: the server's records may overtake its hello
fn an_id_that_comes_before_the_answer_does_no_harm() {
    for version in VERSIONS {
        let (mut sim, pair) = begin(version, [of_length(5), ConnectionIds::Peers], Padding::None);
        let id = [5; 5];
        let record12 = [&[25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0][..], &id, &[0, 40], &[7; 40]].concat();
        let record13 = [&[0x3e][..], &id, &[0, 0, 0, 40], &[7; 40]].concat();
        for record in [record12, record13] {
            sim.inject(pair, Side::Client, record);
        }
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
        let discards = &connection(&sim, pair, Side::Client).stats().discards;
        assert_eq!(discards.get(Discard::UnnegotiatedCid) + discards.get(Discard::UnknownCid), 0, "{version}");
        assert!(discards.total() > 0, "{version}");
        sim.exchange(pair, b"payload");
    }
}
