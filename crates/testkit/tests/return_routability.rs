//! Return routability checks: who agrees on them, and who answers where (RFC 9853).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gramseal_proto::config::ConnectionIds;
use gramseal_proto::crypto::{CryptoError, SecureRandom};
use gramseal_proto::wire::{ContentType, HandshakeType, ProtocolVersion};
use gramseal_proto::{Cid, CidGenerator, Connection, Discard, Instant, RandomCids};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Scene, Step, Wiretap};
use gramseal_testkit::sim::{Pair, Side, Sim};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];
const RRC: ContentType = ContentType::RETURN_ROUTABILITY_CHECK;

const CHALLENGE: [u8; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const RESPONSE: [u8; 9] = [1, 1, 2, 3, 4, 5, 6, 7, 8];
const DROP: [u8; 9] = [2, 1, 2, 3, 4, 5, 6, 7, 8];

/// What a side says of connection ids, and of checks.
type Choice = (ConnectionIds, bool);

fn connect(version: ProtocolVersion, [client, server]: [Choice; 2]) -> (Sim, Pair, Arc<Wiretap>) {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let tap = Arc::new(Wiretap::default());
    let of_client = null::client_config(2).with_versions(&[version]).with_key_log(tap.clone());
    let of_client = of_client.with_connection_ids(client.0).with_return_routability_check(client.1);
    let of_server = null::server_config(3, identity).with_versions(&[version]);
    let of_server = of_server.with_connection_ids(server.0).with_return_routability_check(server.1);
    let mut sim = Sim::new(1);
    let pair = sim.connect(of_client.build().expect("a client"), of_server.build().expect("a server"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.run_for(Duration::from_secs(1));
    (sim, pair, tap)
}

/// Both sides of 1.3 have ids and answer. Records with numbers below 60 are not the newest, so that they begin no
/// check of this side.
fn both() -> (Sim, Pair, Arc<Wiretap>) {
    let (mut sim, pair, tap) =
        connect(ProtocolVersion::DTLS1_3, [(ConnectionIds::random(), true), (ConnectionIds::random(), true)]);
    for side in Side::BOTH {
        // Something newer, which is ignored.
        let newest = record(&sim, pair, &tap, side, 60, &[3]);
        sim.inject(pair, side, newest);
    }
    (sim, pair, tap)
}

fn agreed(sim: &Sim, pair: Pair, side: Side) -> bool {
    let connection = sim.connection(pair, side).expect("there is one");
    connection.negotiated().expect("connected").return_routability_check
}

/// A record of 1.3 with this number and content to `side`.
fn record(sim: &Sim, pair: Pair, tap: &Wiretap, side: Side, number: u64, content: &[u8]) -> Vec<u8> {
    let cid = sim.connection(pair, side).and_then(|connection| connection.own_cids().first()).cloned();
    tap.seal_named(side.peer(), cid.as_deref().unwrap_or_default(), (3, number), RRC, content)
}

fn take(connection: &mut Connection, now: Instant, from: SocketAddr, mut datagram: Vec<u8>) {
    assert_eq!(connection.handle_datagram_from(now, from, &mut datagram).count(), 0);
}

/// What waits to be sent to where the peer is.
fn to_peer(connection: &mut Connection, now: Instant) -> Vec<Vec<u8>> {
    let mut datagram = Vec::new();
    std::iter::from_fn(|| connection.poll_transmit(now, &mut datagram).then(|| datagram.clone())).collect()
}

/// What waits to be sent elsewhere.
fn elsewhere(connection: &mut Connection) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut datagram = Vec::new();
    std::iter::from_fn(|| connection.poll_transmit_to(&mut datagram).map(|to| (to, datagram.clone()))).collect()
}

fn address(port: u16) -> SocketAddr {
    ([203, 0, 113, 9], port).into()
}

#[test] // RFC 9853 §3
fn checks_are_agreed_on_where_both_sides_want_them_and_speak_of_ids() {
    for version in VERSIONS {
        for choices in 0..16 {
            let choice = |bits: u8| {
                let cids = if bits & 1 == 0 { ConnectionIds::Off } else { ConnectionIds::Peers };
                (cids, bits & 2 != 0)
            };
            let (sim, pair, _) = connect(version, [choice(choices), choice(choices >> 2)]);
            for side in Side::BOTH {
                assert_eq!(agreed(&sim, pair, side), choices == 0b1111, "{version} {side:?} {choices:#b}");
            }
        }
    }
}

#[test] // RFC 9853 §3
fn who_speaks_of_ids_speaks_of_checks_unless_told_not_to() {
    for version in VERSIONS {
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let (client, server) = (null::client_config(2), null::server_config(3, identity));
        let (client, server) = (client.with_versions(&[version]), server.with_versions(&[version]));
        let mut sim = Sim::new(1);
        let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
        assert!(agreed(&sim, pair, Side::Client) && agreed(&sim, pair, Side::Server), "{version}");

        let quiet = (ConnectionIds::random(), false);
        for choices in [[quiet.clone(), (ConnectionIds::random(), true)], [(ConnectionIds::random(), true), quiet]] {
            let (sim, pair, _) = connect(version, choices);
            assert!(!agreed(&sim, pair, Side::Client) && !agreed(&sim, pair, Side::Server), "{version}");
        }
    }
}

#[test] // RFC 9853 §5.4
fn a_challenge_is_answered_where_it_came_from_and_nowhere_else() {
    for side in Side::BOTH {
        let (mut sim, pair, tap) = both();
        let now = sim.now();
        let records = [30, 31, 32].map(|number| record(&sim, pair, &tap, side, number, &CHALLENGE));
        let cid_len = sim.connection(pair, side).expect("there is one").peer_cid().len();
        let answer = |datagram: &[u8]| {
            let seen = tap.open_named(side, datagram, cid_len);
            assert_eq!(seen.len(), 1);
            (seen[0].content_type, seen[0].content.clone()) == (RRC, RESPONSE.to_vec())
        };
        sim.act(pair, side, |connection| {
            let home = connection.peer().expect("the simulator has said where");
            let [first, second, third] = records;
            take(connection, now, address(1), first.clone());
            let sent = elsewhere(connection);
            assert!(sent.len() == 1 && sent[0].0 == address(1) && answer(&sent[0].1), "{sent:?}");
            assert_eq!(to_peer(connection, now), [[0; 0]; 0], "it went elsewhere");

            take(connection, now, home, second);
            assert_eq!(elsewhere(connection), []);
            let sent = to_peer(connection, now);
            assert!(sent.len() == 1 && answer(&sent[0]), "{sent:?}");

            // Once only, and not for who cannot make one.
            take(connection, now, address(2), first);
            let mut damaged = third;
            *damaged.last_mut().expect("not empty") ^= 1;
            take(connection, now, address(2), damaged);
            assert_eq!((elsewhere(connection), to_peer(connection, now)), (Vec::new(), Vec::new()));
            let discards = &connection.stats().discards;
            assert_eq!((discards.get(Discard::Replayed), discards.get(Discard::BadTag)), (1, 1));
            assert_eq!(connection.peer(), Some(home), "who asks moves nobody");
        });
        sim.exchange(pair, b"and on");
    }
}

#[test] // RFC 9853 §4: the type is in clear where no id is in the record
fn a_challenge_of_1_2_without_an_id_is_answered() {
    let client = null::client_config(2).with_versions(&[ProtocolVersion::DTLS1_2]).with_return_routability_check(true);
    let mut scene = Scene::client(client.build().expect("a client"), 1);
    let mut hello = scene.peer.body_of(HandshakeType::SERVER_HELLO);
    // connection_id with no id, and rrc.
    add_extensions(&mut hello, &[0, 54, 0, 1, 0, 0, 61, 0, 0]);
    let message = scene.peer.message_of(HandshakeType::SERVER_HELLO, &hello);
    let hello = scene.peer.record(ContentType::HANDSHAKE, &message);
    // Nothing protects it yet.
    let early = scene.peer.record(RRC, &CHALLENGE);
    scene.deliver([hello, early]);
    let rest: Vec<Step> = [&scene.first_flight(false)[1..], &scene.last_flight(false)].concat();
    scene.play(&rest);
    assert!(scene.connection().is_connected());
    assert!(scene.connection().negotiated().expect("connected").return_routability_check);
    assert_eq!(scene.connection().stats().discards.get(Discard::UnknownContentType), 1);

    scene.take_sent();
    let challenge = scene.peer.record(RRC, &CHALLENGE);
    scene.deliver([challenge]);
    let sent = scene.take_sent();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0][0], scene.connection().stats().discards.total()), (27, 1));

    scene.connection().set_peer(address(1));
    let now = Instant::from_micros(2_000_000);
    let challenge = scene.peer.record(RRC, &CHALLENGE);
    take(scene.connection(), now, address(2), challenge);
    let sent = elsewhere(scene.connection());
    assert!(sent.len() == 1 && sent[0].0 == address(2) && sent[0].1[0] == 27, "{sent:?}");
}

/// Appends extensions to a ServerHello, whose last field is the list of them.
fn add_extensions(hello: &mut Vec<u8>, extensions: &[u8]) {
    // Version, random, an empty session id, suite and compression stand before it.
    const LENGTH_AT: usize = 2 + 32 + 1 + 2 + 1;
    hello.extend_from_slice(extensions);
    let len = u16::try_from(hello.len() - LENGTH_AT - 2).expect("short");
    hello[LENGTH_AT..LENGTH_AT + 2].copy_from_slice(&len.to_be_bytes());
}

#[test] // RFC 9853 §4, §5.4
fn messages_that_nobody_asked_for_are_dropped_in_silence() {
    for side in Side::BOTH {
        let (mut sim, pair, tap) = both();
        let now = sim.now();
        for (number, (content, reason)) in (30..).zip([
            (&RESPONSE[..], Discard::UnaskedPathAnswer),
            (&DROP, Discard::UnaskedPathAnswer),
            // Something newer.
            (&[3, 1, 2], Discard::UnexpectedContent),
            (&[255], Discard::UnexpectedContent),
            (&[], Discard::Malformed),
            (&CHALLENGE[..8], Discard::Malformed),
            (&[0; 10], Discard::Malformed),
        ]) {
            let record = record(&sim, pair, &tap, side, number, content);
            sim.act(pair, side, |connection| {
                let before = connection.stats().discards.clone();
                take(connection, now, address(1), record);
                let discards = &connection.stats().discards;
                assert_eq!(discards.total(), before.total() + 1, "{content:?}");
                assert_eq!(discards.get(reason), before.get(reason) + 1, "{content:?}");
                assert_eq!((elsewhere(connection), to_peer(connection, now)), (Vec::new(), Vec::new()));
            });
        }
        sim.exchange(pair, b"and on");
    }
}

#[test] // RFC 9853 §3
fn a_challenge_is_not_answered_where_none_was_agreed_on() {
    for side in Side::BOTH {
        let ids = (ConnectionIds::random(), false);
        let (mut sim, pair, tap) = connect(ProtocolVersion::DTLS1_3, [ids.clone(), ids]);
        let now = sim.now();
        let challenge = record(&sim, pair, &tap, side, 100, &CHALLENGE);
        sim.act(pair, side, |connection| {
            take(connection, now, address(1), challenge);
            assert_eq!((elsewhere(connection), to_peer(connection, now)), (Vec::new(), Vec::new()));
            assert_eq!(connection.stats().discards.get(Discard::UnexpectedContent), 1);
        });
    }
}

#[test] // RFC 9853 §2, §5.4: who forges an address has little sent there, whichever id is in it
fn answers_elsewhere_are_at_most_three_times_as_long_as_what_came_from_there() {
    for id_len in [8, 60, 255] {
        let of_server = ConnectionIds::Both(Arc::new(RandomCids::new(id_len)));
        let choices = [(ConnectionIds::random(), true), (of_server, true)];
        let (mut sim, pair, tap) = connect(ProtocolVersion::DTLS1_3, choices);
        let now = sim.now();
        let newest = record(&sim, pair, &tap, Side::Client, 200, &[3]);
        sim.inject(pair, Side::Client, newest);
        let many = (150..182).flat_map(|number| record(&sim, pair, &tap, Side::Client, number, &CHALLENGE));
        let datagram: Vec<u8> = many.collect();
        let one = record(&sim, pair, &tap, Side::Client, 190, &CHALLENGE);
        sim.act(pair, Side::Client, |connection| {
            let before = connection.stats().discards.get(Discard::PathChallengesFull);
            take(connection, now, address(1), datagram);
            let sent = elsewhere(connection);
            let answers = if id_len < 255 { 2 } else { 0 };
            assert_eq!(sent.len(), answers, "{id_len}: two of each datagram, if they are short enough");
            let discarded = connection.stats().discards.get(Discard::PathChallengesFull) - before;
            assert_eq!(discarded as usize, 32 - answers, "{id_len}");
            // The next datagram allows others.
            let bytes = one.len();
            take(connection, now, address(1), one);
            let sent: usize = elsewhere(connection).iter().map(|(_, datagram)| datagram.len()).sum();
            assert!(sent <= 3 * bytes && (sent > 0) == (id_len < 255), "{id_len}: {sent} for {bytes}");
        });
    }
}

/// The first id is short, as are those of others; all that follow are as long as can be.
#[derive(Debug, Default)]
struct Growing(AtomicBool);

impl CidGenerator for Growing {
    fn generate(&self, random: &dyn SecureRandom) -> Result<Cid, CryptoError> {
        let len = if self.0.swap(true, Ordering::Relaxed) { 255 } else { 8 };
        RandomCids::new(len).generate(random)
    }
}

#[test] // RFC 9853 §5.4, §9
fn answers_elsewhere_have_an_id_of_their_own_and_its_length_counts() {
    for (of_server, answers) in [(ConnectionIds::random(), 1), (ConnectionIds::Both(Arc::<Growing>::default()), 0)] {
        let (mut sim, pair, tap) =
            connect(ProtocolVersion::DTLS1_3, [(ConnectionIds::random(), true), (of_server, true)]);
        sim.act(pair, Side::Client, |client| client.request_cids(1)).expect("ids are spoken of");
        sim.run_for(Duration::from_secs(1));
        let given = sim.connection(pair, Side::Server).expect("there is one").own_cids().to_vec();
        let now = sim.now();
        let challenge = record(&sim, pair, &tap, Side::Client, 60, &CHALLENGE);
        sim.act(pair, Side::Client, |connection| {
            take(connection, now, address(1), challenge);
            let sent = elsewhere(connection);
            assert_eq!(sent.len(), answers);
            assert!(sent.iter().all(|(to, sent)| *to == address(1) && sent[1..].starts_with(&given[1])));
            assert_eq!(connection.peer_cid(), &*given[0], "and what goes to the peer has the one before");
        });
    }
}

#[test] // RFC 9853 §5.4
fn challenges_that_nobody_fetches_the_answers_of_do_not_pile_up() {
    let (mut sim, pair, tap) = both();
    let now = sim.now();
    let records: Vec<_> = (100..140).map(|number| record(&sim, pair, &tap, Side::Client, number, &CHALLENGE)).collect();
    sim.act(pair, Side::Client, |connection| {
        for record in records {
            take(connection, now, address(1), record);
        }
        assert_eq!(connection.stats().discards.get(Discard::PathChallengesFull), 8);
        assert_eq!(elsewhere(connection).len(), 32);
        assert_eq!(elsewhere(connection), []);
    });
    // Nothing follows the end of the association.
    let last = record(&sim, pair, &tap, Side::Client, 140, &CHALLENGE);
    sim.act(pair, Side::Client, |connection| {
        take(connection, now, address(1), last);
        connection.close();
        assert_eq!(elsewhere(connection), []);
    });
}
