//! Which datagram goes where once something is kept for an address.

use core::net::{Ipv6Addr, SocketAddrV6};

use super::super::CookiePolicy;
use super::*;

/// An endpoint with the established connection 1 for peer 1, begun by the hello that is returned.
pub(super) fn connected() -> (Endpoint<u32>, HelloShape) {
    let mut endpoint = server();
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    offered(&mut endpoint, seconds(0), peer(1), &second);
    assert_eq!(endpoint.insert(peer(1), 1).replaced, None);
    assert_eq!(endpoint.establish(peer(1), 1), None);
    (endpoint, second)
}

#[test]
fn an_address_belongs_to_its_connection_until_it_is_removed() {
    let (mut endpoint, second) = connected();
    let application_data = [23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0];
    let ciphertext13 = [0x2f, 1, 2, 3];
    for datagram in [&application_data[..], &ciphertext13, &[22], &[20]] {
        assert_eq!(route(&mut endpoint, seconds(1), peer(1), datagram).0, Outcome::Connection(1));
        let unknown = route(&mut endpoint, seconds(1), peer(2), datagram).0;
        assert!(matches!(unknown, Outcome::Discard(Discard::UnknownPeer | Discard::Malformed)), "{unknown:?}");
    }
    endpoint.remove(peer(1), 2);
    assert_eq!(route(&mut endpoint, seconds(1), peer(1), &application_data).0, Outcome::Connection(1));
    endpoint.remove(peer(1), 1);
    assert_eq!(endpoint.entries(), 0);
    assert_eq!(route(&mut endpoint, seconds(1), peer(1), &application_data).0, Outcome::Discard(Discard::UnknownPeer));
    offered(&mut endpoint, seconds(1), peer(1), &second);
}

#[test] // RFC 6347 §4.2.4: the server answers a repeated hello by repeating its flight
fn a_repeated_hello_goes_to_the_connection_it_began() {
    let (mut endpoint, second) = connected();
    assert_eq!(outcome(&mut endpoint, seconds(1), peer(1), &second), Outcome::Connection(1));
    assert_eq!(outcome(&mut endpoint, seconds(1), peer(1), &hello(7)), Outcome::Connection(1));
    assert_eq!(endpoint.stats().incoming, 1);
}

#[test]
fn a_hello_is_offered_once() {
    let mut endpoint = server();
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    let waiting = incoming(&mut endpoint, seconds(0), peer(1), &second);
    for shape in [&second, &hello(7), &second] {
        let again = outcome(&mut endpoint, seconds(1), peer(1), shape);
        assert_eq!(again, Outcome::Discard(Discard::AlreadyWaiting));
    }
    assert_eq!((endpoint.stats().incoming, endpoint.stats().incoming_repeated), (1, 3));
    endpoint.ignore(waiting);
    assert_eq!(endpoint.entries(), 0);
    offered(&mut endpoint, seconds(1), peer(1), &second);
}

#[test]
fn one_handshake_waits_per_address() {
    let mut endpoint = server();
    let one = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    let two = proved(&mut endpoint, seconds(0), peer(1), &hello(8));
    let waiting = incoming(&mut endpoint, seconds(0), peer(1), &one);
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &two), Outcome::Discard(Discard::AlreadyWaiting));
    endpoint.ignore(waiting);
    offered(&mut endpoint, seconds(0), peer(1), &two);
}

#[test]
fn with_cookies_off_the_first_hello_begins_a_handshake() {
    let mut endpoint = Endpoint::new(server_config().with_cookie_policy(CookiePolicy::Off));
    offered(&mut endpoint, seconds(0), peer(1), &hello(7));
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &hello(7)), Outcome::Discard(Discard::AlreadyWaiting));
    assert_eq!(endpoint.insert(peer(1), 1).replaced, None);
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &hello(7)), Outcome::Connection(1));
}

#[test]
fn a_client_endpoint_accepts_no_hello() {
    let mut endpoint = Endpoint::new(EndpointConfig::client());
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &hello(7)), Outcome::Discard(Discard::UnknownPeer));
    endpoint.insert(peer(1), 1);
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &hello(7)), Outcome::Connection(1));
    assert!(endpoint.cookie_secrets().is_none());
}

#[test] // RFC 7983 §7, RFC 9443 §3
fn bytes_of_other_protocols_are_foreign_even_from_a_known_address() {
    let (mut endpoint, _) = connected();
    for byte in (0..20).chain(64..=255) {
        for peer in [peer(1), peer(2)] {
            let foreign = route(&mut endpoint, seconds(0), peer, &[byte, 0, 0]).0;
            assert_eq!(foreign, Outcome::Discard(Discard::Foreign), "{byte}");
        }
    }
    assert_eq!(endpoint.stats().discards.get(Discard::Foreign), 2 * (20 + 192));
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &[]).0, Outcome::Discard(Discard::Malformed));
}

#[test] // RFC 6437 §2
fn a_changed_flow_label_is_still_the_same_peer() {
    let mut endpoint = Endpoint::<u32>::new(EndpointConfig::client());
    let labelled = |label| SocketAddrV6::new(Ipv6Addr::LOCALHOST, 5000, label, 0).into();
    endpoint.insert(labelled(1), 1);
    assert_eq!(route(&mut endpoint, seconds(0), labelled(2), &[23]).0, Outcome::Connection(1));
}
