//! What an endpoint takes on at most.

use super::super::{HandshakeRate, LimitCounts};
use super::*;

#[test]
fn what_waits_is_bounded_and_expires() {
    let config = server_config().with_limits(Limits {
        incoming: 3,
        incoming_expiry: Duration::from_secs(10),
        ..Limits::default()
    });
    let mut endpoint = Endpoint::new(config);
    let seconds_hello: Vec<_> = (0..5).map(|n| proved(&mut endpoint, seconds(0), peer(n), &hello(7))).collect();
    for (n, shape) in (0..3).zip(&seconds_hello) {
        offered(&mut endpoint, seconds(u64::from(n)), peer(n), shape);
    }
    let full = outcome(&mut endpoint, seconds(9), peer(3), &seconds_hello[3]);
    assert_eq!(full, Outcome::Discard(Discard::LimitReached));
    assert_eq!((endpoint.stats().limits.incoming, endpoint.entries()), (1, 3));

    offered(&mut endpoint, seconds(11), peer(3), &seconds_hello[3]);
    assert_eq!((endpoint.stats().incoming_expired, endpoint.entries()), (2, 2));
    assert_eq!(endpoint.insert(peer(3), 9).replaced, None);
    assert_eq!(outcome(&mut endpoint, seconds(60), peer(3), &seconds_hello[3]), Outcome::Connection(9));
    assert_eq!((endpoint.stats().incoming_expired, endpoint.entries()), (3, 1));
}

#[test]
fn what_waits_is_bounded_in_bytes() {
    let mut endpoint = Endpoint::new(server_config().with_limits(Limits { incoming_bytes: 1000, ..Limits::default() }));
    let large = HelloShape { rest: 600, ..hello(7) };
    let one = proved(&mut endpoint, seconds(0), peer(1), &large);
    let two = proved(&mut endpoint, seconds(0), peer(2), &large);
    let waiting = incoming(&mut endpoint, seconds(0), peer(1), &one);
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(2), &two), Outcome::Discard(Discard::LimitReached));
    endpoint.ignore(waiting);
    offered(&mut endpoint, seconds(0), peer(2), &two);
}

/// An endpoint with these limits.
fn limited(limits: Limits) -> Endpoint<u32> {
    Endpoint::new(server_config().with_limits(limits))
}

/// What comes of a whole cookie exchange.
fn begin(endpoint: &mut Endpoint<u32>, now: Instant, peer: SocketAddr) -> Outcome {
    let second = proved(endpoint, now, peer, &hello(7));
    outcome(endpoint, now, peer, &second)
}

/// What was turned away since the last call.
fn turned_away(endpoint: &Endpoint<u32>, before: &mut LimitCounts) -> [u64; 5] {
    let now = endpoint.stats().limits;
    let earlier = core::mem::replace(before, now);
    assert_eq!(u64::from(endpoint.stats().discards.get(Discard::LimitReached)), now.total());
    [
        now.incoming - earlier.incoming,
        now.half_open - earlier.half_open,
        now.half_open_of_prefix - earlier.half_open_of_prefix,
        now.handshake_rate - earlier.handshake_rate,
        now.connections - earlier.connections,
    ]
}

/// In a network of its own.
fn elsewhere(number: u32) -> SocketAddr {
    peer(number << 8)
}

const LIMITED: Outcome = Outcome::Discard(Discard::LimitReached);

#[test]
fn handshakes_that_are_not_done_are_bounded() {
    let mut endpoint = limited(Limits { half_open: 3, ..Limits::default() });
    let mut counts = LimitCounts::default();
    for number in 0..3 {
        assert_eq!(begin(&mut endpoint, seconds(0), elsewhere(number)), Outcome::Incoming);
    }
    endpoint.insert(elsewhere(0), 0);
    endpoint.insert(elsewhere(1), 1);
    assert_eq!((endpoint.half_open(), endpoint.entries()), (3, 3), "to be accepted changes nothing");
    assert_eq!(begin(&mut endpoint, seconds(0), elsewhere(3)), LIMITED);
    assert_eq!(turned_away(&endpoint, &mut counts), [0, 1, 0, 0, 0]);
    // Done, given up, expired.
    assert_eq!(endpoint.establish(elsewhere(0), 0), None);
    assert_eq!(begin(&mut endpoint, seconds(0), elsewhere(3)), Outcome::Incoming);
    endpoint.remove(elsewhere(1), 1);
    assert_eq!(begin(&mut endpoint, seconds(29), elsewhere(4)), Outcome::Incoming);
    assert_eq!(begin(&mut endpoint, seconds(29), elsewhere(5)), LIMITED);
    assert_eq!(begin(&mut endpoint, seconds(31), elsewhere(5)), Outcome::Incoming);
    assert_eq!((endpoint.half_open(), turned_away(&endpoint, &mut counts)), (2, [0, 1, 0, 0, 0]));
}

#[test]
fn handshakes_that_are_not_done_are_bounded_for_each_network() {
    let mut endpoint = limited(Limits { half_open_of_prefix: 2, ..Limits::default() });
    let mut counts = LimitCounts::default();
    assert_eq!(begin(&mut endpoint, seconds(0), peer(1)), Outcome::Incoming);
    assert_eq!(begin(&mut endpoint, seconds(0), peer(2)), Outcome::Incoming);
    assert_eq!(begin(&mut endpoint, seconds(0), peer(3)), LIMITED);
    assert_eq!(begin(&mut endpoint, seconds(0), elsewhere(1)), Outcome::Incoming);
    endpoint.insert(peer(1), 1);
    endpoint.establish(peer(1), 1);
    assert_eq!(begin(&mut endpoint, seconds(0), peer(3)), Outcome::Incoming);
    assert_eq!(turned_away(&endpoint, &mut counts), [0, 0, 1, 0, 0]);
}

#[test]
fn the_rate_of_handshakes_is_bounded_for_each_network() {
    let rate = HandshakeRate { per_second: 1, burst: 3 };
    let mut endpoint = limited(Limits { handshake_rate: Some(rate), ..Limits::default() });
    let mut counts = LimitCounts::default();
    for number in 0..3 {
        assert_eq!(begin(&mut endpoint, seconds(0), peer(number)), Outcome::Incoming);
        endpoint.insert(peer(number), number);
        endpoint.establish(peer(number), number);
    }
    assert_eq!(begin(&mut endpoint, seconds(0), peer(3)), LIMITED);
    assert_eq!(begin(&mut endpoint, seconds(0), elsewhere(1)), Outcome::Incoming);
    assert_eq!(begin(&mut endpoint, seconds(1), peer(3)), Outcome::Incoming);
    assert_eq!(begin(&mut endpoint, seconds(1), peer(4)), LIMITED);
    assert_eq!(turned_away(&endpoint, &mut counts), [0, 0, 0, 2, 0]);
}

#[test]
fn connections_are_bounded_but_ours_are_our_own_affair() {
    let mut endpoint = limited(Limits { connections: 2, ..Limits::default() });
    let mut counts = LimitCounts::default();
    assert_eq!(begin(&mut endpoint, seconds(0), peer(1)), Outcome::Incoming);
    endpoint.insert(peer(1), 1);
    endpoint.establish(peer(1), 1);
    endpoint.insert(peer(2), 2);
    assert_eq!(begin(&mut endpoint, seconds(0), peer(3)), LIMITED);
    endpoint.insert(peer(4), 4);
    assert_eq!(endpoint.entries(), 3);
    endpoint.remove(peer(2), 2);
    endpoint.remove(peer(4), 4);
    assert_eq!(begin(&mut endpoint, seconds(0), peer(3)), Outcome::Incoming);
    assert_eq!(turned_away(&endpoint, &mut counts), [0, 0, 0, 0, 1]);
}

#[test] // RFC 6347 §4.2.1
fn strangers_without_a_cookie_use_up_no_limit() {
    let rate = HandshakeRate { per_second: 1, burst: 1 };
    let mut endpoint =
        limited(Limits { half_open_of_prefix: 1, half_open: 1, handshake_rate: Some(rate), ..Limits::default() });
    for number in 0..100 {
        assert_eq!(outcome(&mut endpoint, seconds(0), peer(number), &hello(7)), Outcome::Reply);
    }
    assert_eq!(begin(&mut endpoint, seconds(0), peer(1)), Outcome::Incoming);
    assert_eq!(endpoint.stats().limits, LimitCounts::default());
}

#[test]
fn a_client_is_refused_with_an_alert_or_ignored() {
    let mut endpoint = server();
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    let refused = incoming(&mut endpoint, seconds(0), peer(1), &second);
    let mut reply = vec![0xee; 3];
    endpoint.refuse(refused, AlertDescription::ACCESS_DENIED, &mut reply);
    // A fatal alert under the number of the hello, which nothing else has.
    assert_eq!(reply, [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 49]);
    let ignored = incoming(&mut endpoint, seconds(0), peer(1), &second);
    endpoint.ignore(ignored);
    assert_eq!((endpoint.entries(), endpoint.half_open()), (0, 0));
    assert_eq!((endpoint.stats().incoming_refused, endpoint.stats().incoming_ignored), (1, 1));
}
