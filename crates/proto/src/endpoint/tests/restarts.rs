//! Clients that begin anew at their address (RFC 6347 §4.2.8, RFC 9147 §5.11).

use super::super::CookiePolicy;
use super::routing::connected;
use super::*;

/// A record of 1.2 with application data, and one of 1.3.
const PROTECTED: [&[u8]; 2] =
    [&[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0], &[0x2f, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]];

/// A plaintext record with what follows a ClientHello in 1.2.
const UNPROTECTED: &[u8] = &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0];

/// The connection 2 of the client that has the connection 1, and its hello.
fn begun_anew() -> (Endpoint<u32>, HelloShape) {
    let (mut endpoint, _) = connected();
    let second = proved(&mut endpoint, seconds(5), peer(1), &hello(8));
    offered(&mut endpoint, seconds(5), peer(1), &second);
    assert_eq!(endpoint.insert(peer(1), 2).replaced, None);
    (endpoint, second)
}

fn to(endpoint: &mut Endpoint<u32>, datagram: &[u8]) -> Outcome {
    route(endpoint, seconds(6), peer(1), datagram).0
}

#[test]
fn a_restart_leaves_the_connection_alone_until_its_handshake_is_done() {
    let (mut endpoint, _) = connected();
    let second = proved(&mut endpoint, seconds(5), peer(1), &hello(8));
    assert_eq!(to(&mut endpoint, PROTECTED[0]), Outcome::Connection(1));
    offered(&mut endpoint, seconds(5), peer(1), &second);
    assert_eq!(to(&mut endpoint, PROTECTED[0]), Outcome::Connection(1));
    assert_eq!(endpoint.insert(peer(1), 2).replaced, None);
    for datagram in PROTECTED {
        assert_eq!(to(&mut endpoint, datagram), Outcome::Either(1, 2));
    }
    assert_eq!(to(&mut endpoint, UNPROTECTED), Outcome::Connection(2));
    assert_eq!(outcome(&mut endpoint, seconds(6), peer(1), &second), Outcome::Connection(2));
    assert_eq!((endpoint.connection(peer(1)), endpoint.entries()), (Some(1), 2));

    assert_eq!(endpoint.establish(peer(1), 2), Some(1));
    assert_eq!(to(&mut endpoint, PROTECTED[0]), Outcome::Connection(2));
    assert_eq!(outcome(&mut endpoint, seconds(6), peer(1), &second), Outcome::Connection(2));
    endpoint.remove(peer(1), 1);
    assert_eq!((endpoint.connection(peer(1)), endpoint.entries(), endpoint.half_open()), (Some(2), 1, 0));
    assert_eq!((endpoint.establish(peer(1), 2), endpoint.stats().restarts), (None, 1), "only once");
}

#[test]
fn a_restart_that_fails_leaves_the_connection_alone() {
    let (mut endpoint, _) = begun_anew();
    endpoint.remove(peer(1), 2);
    assert_eq!(to(&mut endpoint, PROTECTED[0]), Outcome::Connection(1));
    assert_eq!((endpoint.entries(), endpoint.half_open(), endpoint.stats().restarts), (1, 0, 0));
}

#[test]
fn a_connection_that_ends_leaves_its_place_to_the_one_that_begins() {
    let (mut endpoint, second) = begun_anew();
    endpoint.remove(peer(1), 1);
    assert_eq!(to(&mut endpoint, PROTECTED[0]), Outcome::Connection(2));
    assert_eq!(outcome(&mut endpoint, seconds(6), peer(1), &second), Outcome::Connection(2));
    assert_eq!((endpoint.establish(peer(1), 2), endpoint.half_open(), endpoint.entries()), (None, 0, 1));
}

#[test]
fn of_several_restarts_the_last_one_counts() {
    let (mut endpoint, _) = begun_anew();
    let third = proved(&mut endpoint, seconds(6), peer(1), &hello(9));
    offered(&mut endpoint, seconds(6), peer(1), &third);
    assert_eq!(endpoint.insert(peer(1), 3).replaced, Some(2));
    assert_eq!(to(&mut endpoint, PROTECTED[0]), Outcome::Either(1, 3));
    endpoint.remove(peer(1), 2);
    assert_eq!((endpoint.establish(peer(1), 2), endpoint.half_open()), (None, 1), "it is gone");
    assert_eq!((endpoint.establish(peer(1), 3), endpoint.half_open()), (Some(1), 0));
}

#[test]
fn a_handshake_that_is_not_done_gives_way_to_another_one_with_a_cookie() {
    let mut endpoint = server();
    for (key, replaced) in [(1, None), (2, Some(1))] {
        let second = proved(&mut endpoint, seconds(0), peer(1), &hello(u8::try_from(key).unwrap()));
        offered(&mut endpoint, seconds(0), peer(1), &second);
        assert_eq!(endpoint.insert(peer(1), key).replaced, replaced);
    }
    assert_eq!((endpoint.half_open(), endpoint.entries()), (1, 1));
}

#[test]
fn a_refused_restart_leaves_the_connection_alone() {
    let (mut endpoint, first) = connected();
    let second = proved(&mut endpoint, seconds(5), peer(1), &hello(8));
    let waiting = incoming(&mut endpoint, seconds(5), peer(1), &second);
    endpoint.ignore(waiting);
    assert_eq!(outcome(&mut endpoint, seconds(5), peer(1), &first), Outcome::Connection(1));
}

#[test]
fn a_restart_that_is_accepted_late_is_one_all_the_same() {
    let (mut endpoint, _) = connected();
    let second = proved(&mut endpoint, seconds(5), peer(1), &hello(8));
    offered(&mut endpoint, seconds(5), peer(1), &second);
    // Some other hello comes when the first one has expired.
    assert_eq!(outcome(&mut endpoint, seconds(100), peer(2), &hello(9)), Outcome::Reply);
    assert_eq!((endpoint.half_open(), endpoint.insert(peer(1), 2).replaced), (0, None));
    assert_eq!(to(&mut endpoint, PROTECTED[0]), Outcome::Either(1, 2));
    assert_eq!((endpoint.establish(peer(1), 2), endpoint.half_open()), (Some(1), 0));
}

#[test]
fn a_connection_of_ours_gives_way_only_to_a_handshake_that_is_done() {
    let mut endpoint = server();
    endpoint.insert(peer(1), 1);
    let second = proved(&mut endpoint, seconds(5), peer(1), &hello(8));
    offered(&mut endpoint, seconds(5), peer(1), &second);
    assert_eq!(endpoint.insert(peer(1), 2).replaced, None);
    // The server's first flight to us has no protection either.
    assert_eq!(to(&mut endpoint, UNPROTECTED), Outcome::Either(1, 2));
    assert_eq!(endpoint.establish(peer(1), 1), None);
    assert_eq!(to(&mut endpoint, UNPROTECTED), Outcome::Connection(2));
    assert_eq!(endpoint.establish(peer(1), 2), Some(1));
}

#[test] // RFC 6347 §4.2.8
fn with_cookies_off_a_forged_hello_cannot_replace_a_connection() {
    let mut endpoint = Endpoint::new(server_config().with_cookie_policy(CookiePolicy::Off));
    offered(&mut endpoint, seconds(0), peer(1), &hello(7));
    endpoint.insert(peer(1), 1);
    endpoint.establish(peer(1), 1);
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(8));
    offered(&mut endpoint, seconds(0), peer(1), &second);
    assert_eq!(endpoint.insert(peer(1), 2).replaced, None);
    assert_eq!(endpoint.establish(peer(1), 2), Some(1));
}
