//! New connection ids after a handshake of 1.3: given, asked for, used and forgotten (RFC 9147 §9).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::ConnectionIds;
use gramseal_proto::wire::handshake::ConnectionIdUsage::{Immediate, Spare};
use gramseal_proto::wire::{
    AlertDescription, ContentType, DecodeError, Epoch, HandshakeHeader, HandshakeType, MessageSeq, ProtocolVersion,
};
use gramseal_proto::{Cid, CloseReason, Connection, Discard, Error, Event, NewCidsError, PeerFault};
use gramseal_testkit::decode::fragments;
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::Wiretap;
use gramseal_testkit::sim::{Pair, Side, Sim};

/// How long ids are taken after they were replaced, unless configured.
const KEPT: Duration = Duration::from_secs(60);

fn connect(version: ProtocolVersion, client: ConnectionIds, server: ConnectionIds) -> (Sim, Pair, Arc<Wiretap>) {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let tap = Arc::new(Wiretap::default());
    let client = null::client_config(2).with_versions(&[version]).with_connection_ids(client);
    let client = client.with_key_log(tap.clone());
    let server = null::server_config(3, identity).with_versions(&[version]).with_connection_ids(server);
    let mut sim = Sim::new(1);
    let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.run_for(Duration::from_secs(1));
    (sim, pair, tap)
}

/// Both sides have ids, of 1.3.
fn both() -> (Sim, Pair, Arc<Wiretap>) {
    connect(ProtocolVersion::DTLS1_3, ConnectionIds::random(), ConnectionIds::random())
}

fn connection(sim: &Sim, pair: Pair, side: Side) -> &Connection {
    sim.connection(pair, side).expect("there is one")
}

fn own(sim: &Sim, pair: Pair, side: Side) -> Vec<Cid> {
    connection(sim, pair, side).own_cids().to_vec()
}

fn used(sim: &Sim, pair: Pair, side: Side) -> Vec<u8> {
    connection(sim, pair, side).peer_cid().to_vec()
}

fn changes(sim: &Sim, pair: Pair, side: Side) -> (Vec<Cid>, Vec<Cid>) {
    let events = || sim.events(pair, side).iter();
    let issued = events().filter_map(|event| if let Event::CidIssued(cid) = event { Some(cid.clone()) } else { None });
    let retired =
        events().filter_map(|event| if let Event::CidRetired(cid) = event { Some(cid.clone()) } else { None });
    (issued.collect(), retired.collect())
}

#[test] // RFC 9147 §9
fn an_immediate_id_is_used_at_once_and_the_ones_before_it_are_forgotten_later() {
    for side in Side::BOTH {
        let (mut sim, pair, _) = both();
        let before = own(&sim, pair, side);
        // A record that is late has the old one.
        let late = {
            sim.drop_nth(side.peer(), sim.sent_by(pair, side.peer()).count());
            sim.send(pair, side.peer(), b"late").expect("connected");
            sim.sent_by(pair, side.peer()).last().expect("just sent").bytes.clone()
        };
        sim.act(pair, side, |connection| connection.issue_cids(2, Immediate)).expect("there is room");
        let all = own(&sim, pair, side);
        assert_eq!((all.len(), &all[..1]), (3, &before[..]));
        sim.run_for(Duration::from_secs(1));
        assert_eq!(used(&sim, pair, side.peer()), *all[1], "the first of the new ones");
        assert_eq!(connection(&sim, pair, side.peer()).spare_cids(), 1);
        sim.exchange(pair, b"with the new id");
        sim.inject(pair, side, late.clone());
        assert!(sim.received(pair, side).iter().any(|received| received == b"late"));

        sim.run_for(KEPT);
        assert_eq!(own(&sim, pair, side), all[1..], "{side:?}");
        assert_eq!(changes(&sim, pair, side), (all.clone(), before));
        sim.inject(pair, side, late);
        assert_eq!(connection(&sim, pair, side).stats().discards.get(Discard::UnknownCid), 1);
        sim.exchange(pair, b"and on");
        assert_eq!(connection(&sim, pair, side).stats().cids_issued, 2);
        assert_eq!(connection(&sim, pair, side.peer()).stats().cids_received, 2);
    }
}

#[test] // RFC 9147 §9
fn spare_ids_are_used_in_order_when_the_application_says_so() {
    for side in Side::BOTH {
        let (mut sim, pair, _) = both();
        sim.act(pair, side, |connection| connection.request_cids(3)).expect("nothing was asked before");
        sim.run_for(Duration::from_secs(1));
        let theirs = own(&sim, pair, side.peer());
        assert_eq!((theirs.len(), connection(&sim, pair, side).spare_cids()), (4, 3));
        let mut seen = HashSet::new();
        for (n, id) in theirs.iter().enumerate() {
            assert_eq!(used(&sim, pair, side), **id, "{n}");
            assert!(seen.insert(id.clone()));
            sim.exchange(pair, format!("with id {n}").as_bytes());
            let more = sim.act(pair, side, Connection::use_next_cid);
            assert_eq!(more, n < 3);
        }
        // None of them is forgotten: the peer may go back to any path.
        sim.run_for(2 * KEPT);
        assert_eq!(own(&sim, pair, side.peer()), theirs);
        assert_eq!(sim.act(pair, side, |connection| connection.request_cids(1)), Ok(()));
        sim.run_for(Duration::from_secs(1));
        assert_eq!(connection(&sim, pair, side).spare_cids(), 1);
    }
}

#[test] // RFC 9147 §9: a new id for a new path
fn a_client_that_moves_can_take_an_id_that_nobody_has_seen() {
    let (mut sim, pair, _) = both();
    sim.act(pair, Side::Client, |connection| connection.request_cids(1)).expect("nothing was asked before");
    sim.run_for(Duration::from_secs(1));
    assert!(sim.act(pair, Side::Client, Connection::use_next_cid));
    let moved = "203.0.113.9:4444".parse().expect("an address");
    sim.move_client(pair, moved);
    sim.send(pair, Side::Client, b"from elsewhere").expect("connected");
    let told = |sim: &Sim| sim.events(pair, Side::Server).contains(&Event::PeerMoved(moved));
    sim.run_until(told, Duration::from_secs(10)).expect("the server follows");
    sim.exchange(pair, b"and on");
    assert_eq!(sim.endpoint_stats(pair).discards.total(), 0);
}

#[test] // RFC 9147 §9
fn the_peer_gets_as_many_as_there_is_room_for() {
    let (mut sim, pair, _) = both();
    for (asked, has) in [(5, 6), (200, 8), (3, 8)] {
        sim.act(pair, Side::Client, |connection| connection.request_cids(asked)).expect("the last one was answered");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(own(&sim, pair, Side::Server).len(), has);
        assert_eq!(connection(&sim, pair, Side::Client).spare_cids(), 4, "no more are kept");
    }
    let full = sim.act(pair, Side::Server, |connection| connection.issue_cids(1, Spare));
    assert_eq!(full, Err(NewCidsError::TooMany));
    assert!(sim.connected(pair));
}

#[test] // RFC 9147 §9
fn one_message_of_a_kind_at_a_time() {
    let (mut sim, pair, _) = both();
    sim.drop_if(|sent| sent.from == Side::Server);
    let mut ask = |what: fn(&mut Connection) -> Result<(), NewCidsError>| sim.act(pair, Side::Client, what);
    assert_eq!(ask(|connection| connection.issue_cids(0, Spare)), Err(NewCidsError::TooMany));
    assert_eq!(ask(|connection| connection.issue_cids(8, Spare)), Err(NewCidsError::TooMany));
    assert_eq!(ask(|connection| connection.issue_cids(1, Spare)), Ok(()));
    assert_eq!(ask(|connection| connection.issue_cids(1, Immediate)), Err(NewCidsError::OnItsWay));
    assert_eq!(ask(|connection| connection.request_cids(1)), Ok(()));
    assert_eq!(ask(|connection| connection.request_cids(1)), Err(NewCidsError::OnItsWay));
}

#[test] // RFC 9147 §9
fn who_has_agreed_on_none_says_nothing_of_new_ones() {
    let what = |sim: &mut Sim, pair, side| {
        let issued = sim.act(pair, side, |connection: &mut Connection| connection.issue_cids(1, Spare));
        (issued, sim.act(pair, side, |connection| connection.request_cids(1)))
    };
    let none = Err(NewCidsError::NotAgreedOn);
    let (mut sim, pair, _) = connect(ProtocolVersion::DTLS1_3, ConnectionIds::Off, ConnectionIds::random());
    assert_eq!(what(&mut sim, pair, Side::Client), (none, none));
    // Only the server wants to see some.
    let (mut sim, pair, _) = connect(ProtocolVersion::DTLS1_3, ConnectionIds::Peers, ConnectionIds::random());
    assert_eq!(what(&mut sim, pair, Side::Client), (none, Ok(())));
    assert_eq!(what(&mut sim, pair, Side::Server), (Ok(()), none));
    sim.run_for(Duration::from_secs(1));
    assert!(sim.connected(pair));
    let (mut sim, pair, _) = connect(ProtocolVersion::DTLS1_2, ConnectionIds::random(), ConnectionIds::random());
    let older = Err(NewCidsError::NotInThisVersion);
    assert_eq!(what(&mut sim, pair, Side::Server), (older, older));
}

#[test] // RFC 9147 §5.8.4, §9
fn any_single_datagram_of_the_exchange_may_get_lost() {
    for side in Side::BOTH {
        for (from, dropped) in [(side, 0), (side.peer(), 0), (side, 1)] {
            let (mut sim, pair, _) = both();
            sim.drop_nth(from, sim.sent_by(pair, from).count() + dropped);
            sim.act(pair, side, |connection| {
                connection.issue_cids(1, Immediate).expect("there is room");
                connection.request_cids(2).expect("nothing was asked before");
            });
            sim.run_for(Duration::from_secs(10));
            let case = format!("{side:?}: {dropped} of the {from:?}");
            assert_eq!(connection(&sim, pair, side).spare_cids(), 2, "{case}");
            assert_eq!(used(&sim, pair, side.peer()), *own(&sim, pair, side)[1], "{case}");
            sim.exchange(pair, b"payload");
        }
    }
}

#[test]
fn both_sides_may_change_theirs_at_the_same_time_and_with_keys() {
    let (mut sim, pair, _) = both();
    for round in 0..5 {
        for side in Side::BOTH {
            sim.act(pair, side, |connection| connection.issue_cids(1, Immediate)).expect("the last one has arrived");
            sim.update_keys(pair, side, gramseal_proto::wire::KeyUpdateRequest::NotRequested).expect("connected");
        }
        sim.run_for(Duration::from_secs(5));
        sim.exchange(pair, format!("round {round}").as_bytes());
        for side in Side::BOTH {
            assert_eq!(used(&sim, pair, side.peer()), **own(&sim, pair, side).last().expect("some"));
        }
    }
    sim.run_for(2 * KEPT);
    assert_eq!(Side::BOTH.map(|side| own(&sim, pair, side).len()), [1, 1]);
}

/// What a peer of `side` says that knows the keys: handshake messages, in order.
fn says(sim: &mut Sim, pair: Pair, tap: &Wiretap, side: Side, messages: &[(HandshakeType, &[u8])]) {
    let from = side.peer();
    let cid = used(sim, pair, from);
    let numbers = sim.sent_by(pair, from).flat_map(|sent| tap.open_named(from, &sent.bytes, cid.len()));
    let said = numbers.filter(|seen| seen.content_type == ContentType::HANDSHAKE);
    let next = said.flat_map(|seen| fragments(&seen.content).iter().map(|f| f.message_seq.0).collect::<Vec<_>>()).max();
    for (n, (msg_type, body)) in (0..).zip(messages) {
        let seq = MessageSeq(next.map_or(0, |last| last + 1) + n);
        let header = HandshakeHeader::whole(*msg_type, u32::try_from(body.len()).expect("short"), seq);
        let content = [&header.to_bytes()[..], body].concat();
        let number = (Epoch::APPLICATION.0, 1000 + u64::from(n));
        let record = tap.seal_named(from, &cid, number, ContentType::HANDSHAKE, &content);
        sim.inject(pair, side, record);
    }
}

#[track_caller]
fn assert_refused(sim: &Sim, pair: Pair, side: Side, error: impl Into<Error>, alert: AlertDescription) {
    let error = error.into();
    assert_eq!(error.alert(), Some(alert));
    assert_eq!(sim.closed(pair, side), Some(&CloseReason::Failed(error)));
}

const NEW: HandshakeType = HandshakeType::NEW_CONNECTION_ID;
const REQUEST: HandshakeType = HandshakeType::REQUEST_CONNECTION_ID;

#[test] // RFC 9147 §9
fn messages_about_ids_that_make_no_sense() {
    let bad = |fault: PeerFault| (Error::from(fault), AlertDescription::ILLEGAL_PARAMETER);
    let cut = |error: DecodeError| (Error::from(error), AlertDescription::DECODE_ERROR);
    for side in Side::BOTH {
        for (msg_type, body, (error, alert)) in [
            (NEW, &[0, 0, 0][..], bad(PeerFault::BadConnectionIds)),
            (NEW, &[0, 2, 1, 7, 2], bad(PeerFault::BadConnectionIds)),
            (NEW, &[0, 2, 2, 7, 0], cut(DecodeError::Truncated)),
            (NEW, &[0, 2, 1, 7], cut(DecodeError::Truncated)),
            (NEW, &[0, 2, 1, 7, 1, 0], cut(DecodeError::TrailingBytes)),
            (REQUEST, &[], cut(DecodeError::Truncated)),
            (REQUEST, &[1, 0], cut(DecodeError::TrailingBytes)),
        ] {
            let (mut sim, pair, tap) = both();
            says(&mut sim, pair, &tap, side, &[(msg_type, body)]);
            assert_refused(&sim, pair, side, error, alert);
        }
    }
}

#[test] // RFC 9147 §9
fn who_wants_to_see_none_is_given_none_and_who_sends_none_is_asked_for_none() {
    // Only the server wants to see ids.
    for (side, msg_type, body) in [(Side::Server, NEW, &[0, 2, 1, 7, 1][..]), (Side::Client, REQUEST, &[1])] {
        let (mut sim, pair, tap) = connect(ProtocolVersion::DTLS1_3, ConnectionIds::Peers, ConnectionIds::random());
        says(&mut sim, pair, &tap, side, &[(msg_type, body)]);
        let error = PeerFault::UnexpectedMessage(msg_type);
        assert_refused(&sim, pair, side, error, AlertDescription::UNEXPECTED_MESSAGE);
    }
}

#[test] // RFC 9147 §9
fn who_asks_again_and_again_is_sent_away() {
    for side in Side::BOTH {
        let (mut sim, pair, tap) = both();
        // Before it has acknowledged the first answer, the others wait together; many are too much.
        sim.drop_if(move |sent| sent.from == side);
        says(&mut sim, pair, &tap, side, &[(REQUEST, &[1][..]); 3]);
        assert!(sim.connected(pair));
        let (mut sim, pair, tap) = both();
        sim.drop_if(move |sent| sent.from == side);
        says(&mut sim, pair, &tap, side, &[(REQUEST, &[1][..]); 19]);
        let alert = AlertDescription::TOO_MANY_CIDS_REQUESTED;
        assert_refused(&sim, pair, side, PeerFault::TooManyCidsRequested, alert);
    }
    let (mut sim, pair, _) = both();
    for asked in 0..30 {
        if sim.act(pair, Side::Client, |connection| connection.request_cids(255)).is_err() {
            break;
        }
        sim.run_for(Duration::from_secs(1));
        assert!(asked < 20, "each gets an answer, most of them an empty one");
    }
    let closed = sim.closed(pair, Side::Server);
    assert_eq!(closed, Some(&CloseReason::Failed(PeerFault::TooManyCidsRequested.into())));
}
