//! What a cookie proves, and for how long.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV6};
use core::time::Duration;

use gramseal_wire::ProtocolVersion;

use super::super::CookieSecrets;
use super::*;

const BITS: [u8; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

#[test] // RFC 6347 §4.2.1
fn a_returned_cookie_begins_a_handshake() {
    let mut endpoint = server();
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    assert_eq!(endpoint.entries(), 0);
    offered(&mut endpoint, seconds(1), peer(1), &second);
    let stats = endpoint.stats();
    assert_eq!((stats.cookies_sent, stats.cookies_accepted, stats.incoming), (1, 1, 1));
    assert_eq!((stats.cookies_refused.total(), endpoint.entries()), (0, 1));
}

#[test] // RFC 6347 §4.2.1, RFC 8996: the connection refuses 1.0, after its address is proved
fn a_client_of_dtls_1_0_gets_a_cookie() {
    let mut endpoint = server();
    let first = HelloShape { version: ProtocolVersion::DTLS1_0, ..hello(7) };
    let second = proved(&mut endpoint, seconds(0), peer(1), &first);
    offered(&mut endpoint, seconds(0), peer(1), &second);
}

#[test]
fn a_cookie_is_for_one_address() {
    let mut endpoint = server();
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    let mut other_port = peer(1);
    other_port.set_port(5001);
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(2), &second), Outcome::Reply);
    assert_eq!(outcome(&mut endpoint, seconds(0), other_port, &second), Outcome::Reply);
    assert_eq!((endpoint.stats().cookies_refused.mismatch, endpoint.entries()), (2, 0));
}

#[test]
fn an_ipv4_address_is_the_same_through_a_socket_of_either_family() {
    let mut endpoint = server();
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    let mapped = SocketAddrV6::new(Ipv4Addr::from(0x0a00_0001).to_ipv6_mapped(), 5000, 0, 0);
    offered(&mut endpoint, seconds(0), SocketAddr::V6(mapped), &second);
}

#[test] // RFC 6347 §4.2.1
fn a_cookie_is_for_one_hello() {
    let mut endpoint = server();
    let first = HelloShape { session_id: Vec::from([1, 2]), ..hello(7) };
    let second = proved(&mut endpoint, seconds(0), peer(1), &first);
    let others = [
        HelloShape { random: [8; 32], ..second.clone() },
        HelloShape { version: ProtocolVersion::DTLS1_0, ..second.clone() },
    ];
    for other in &others {
        assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), other), Outcome::Reply);
    }
    assert_eq!((endpoint.stats().cookies_refused.mismatch, endpoint.entries()), (2, 0));
    offered(&mut endpoint, seconds(0), peer(1), &second);
}

#[test] // Mbed TLS 2.28 draws one for each hello that has a ticket.
fn a_client_may_bring_a_cookie_with_another_session_id() {
    let mut endpoint = server();
    let first = HelloShape { session_id: Vec::from([1; 32]), ..hello(7) };
    let second = proved(&mut endpoint, seconds(0), peer(1), &first);
    offered(&mut endpoint, seconds(0), peer(1), &HelloShape { session_id: Vec::from([2; 32]), ..second });
}

#[test]
fn a_cookie_expires() {
    // Made at the end and at the beginning of a time step: good for 60 seconds, not for 75.
    for made in [1014, 1005] {
        let mut endpoint = server();
        let second = proved(&mut endpoint, seconds(made), peer(1), &hello(7));
        assert_eq!(outcome(&mut endpoint, seconds(made + 76), peer(1), &second), Outcome::Reply);
        assert_eq!(endpoint.stats().cookies_refused.expired, 1);
        offered(&mut endpoint, seconds(made + 60), peer(1), &second);
    }
}

#[test] // The step's low byte repeats after 256 steps of 15 seconds; the MAC covers all of it.
fn a_cookie_does_not_come_back_to_life() {
    let mut endpoint = Endpoint::new(server_config().with_cookie_secrets(secrets(1)));
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    assert_eq!(outcome(&mut endpoint, seconds(256 * 15), peer(1), &second), Outcome::Reply);
    assert_eq!(endpoint.stats().cookies_refused.mismatch, 1);
}

#[test]
fn the_lifetime_can_be_chosen() {
    let config = server_config().with_cookie_lifetime(Duration::from_secs(4));
    let mut endpoint = Endpoint::new(config);
    let second = proved(&mut endpoint, seconds(100), peer(1), &hello(7));
    assert_eq!(outcome(&mut endpoint, seconds(106), peer(1), &second), Outcome::Reply);
    offered(&mut endpoint, seconds(104), peer(1), &second);
}

#[test] // RFC 9147 §5.1: a client of 1.3 is not asked twice
fn a_cookie_lives_as_long_as_a_handshake_may_take() {
    for (timeout, lifetime) in [(10, 60), (60, 60), (200, 200), (3600, 600)] {
        let mut config = ServerConfig::of_choices(
            provider(),
            &[ProtocolVersion::DTLS1_2],
            &[CipherSuite::TLS_AES_128_GCM_SHA256],
            &[NamedGroup::X25519],
        );
        config.common.transport.handshake_timeout = Duration::from_secs(timeout);
        let config = EndpointConfig::server(Arc::new(config)).expect("the toy provider never fails");
        let mut endpoint = Endpoint::new(config);
        let second = proved(&mut endpoint, seconds(1000), peer(1), &hello(7));
        let late = seconds(1000 + lifetime + lifetime / 4 + 1);
        assert_eq!(outcome(&mut endpoint, late, peer(1), &second), Outcome::Reply, "{timeout}");
        offered(&mut endpoint, seconds(1000 + lifetime), peer(1), &second);
    }
}

#[test]
fn a_damaged_cookie_is_as_good_as_none() {
    let mut endpoint = server();
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    for end in 1..second.cookie.len() {
        let cut = second.clone().with_cookie(&second.cookie[..end]);
        assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &cut), Outcome::Reply);
    }
    assert_eq!(endpoint.stats().cookies_refused.malformed, 17);
    let longer = second.clone().with_cookie(&[&second.cookie[..], &[0]].concat());
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &longer), Outcome::Reply);

    for (index, bit) in (0..second.cookie.len()).flat_map(|index| BITS.map(|bit| (index, bit))) {
        let mut flipped = second.clone();
        flipped.cookie[index] ^= bit;
        assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &flipped), Outcome::Reply, "{index} {bit}");
    }
    assert_eq!((endpoint.stats().cookies_accepted, endpoint.entries()), (0, 0));
    // Still answered in a way that lets the client go on: RFC 6347 §4.2.1.
    offered(&mut endpoint, seconds(0), peer(1), &second);
}

#[test]
fn a_cookie_survives_one_rotation_and_not_two() {
    let mut endpoint = Endpoint::new(server_config().with_cookie_secrets(secrets(1)));
    let second = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    let other = proved(&mut endpoint, seconds(0), peer(2), &hello(7));
    endpoint.cookie_secrets().unwrap().rotate(&[2; 32]);
    offered(&mut endpoint, seconds(0), peer(1), &second);
    endpoint.cookie_secrets().unwrap().rotate(&[3; 32]);
    assert_eq!(outcome(&mut endpoint, seconds(0), peer(2), &other), Outcome::Reply);
    assert_eq!(endpoint.stats().cookies_refused.unknown_secret, 1);
}

#[test]
fn a_random_secret_renews_itself() {
    let config = server_config().with_cookie_lifetime(Duration::from_secs(7200));
    let mut endpoint = Endpoint::new(config);
    let early = proved(&mut endpoint, seconds(0), peer(1), &hello(7));
    let late = proved(&mut endpoint, seconds(599), peer(2), &hello(7));
    assert_eq!(late.cookie[0], early.cookie[0]);
    let renewed = proved(&mut endpoint, seconds(600), peer(3), &hello(7));
    assert_ne!(renewed.cookie[0], early.cookie[0]);
    offered(&mut endpoint, seconds(600), peer(1), &early);
    assert_eq!(outcome(&mut endpoint, seconds(1200), peer(2), &late), Outcome::Reply);
    assert_eq!(endpoint.stats().cookies_refused.unknown_secret, 1);
}

#[test]
fn a_fleet_accepts_cookies_of_its_members() {
    // One host began to count time 1000 seconds after the other, and has rotated already.
    let older = server_config().with_cookie_secrets(secrets(1)).with_cookie_clock(Duration::from_secs(500));
    let newer = server_config()
        .with_cookie_secrets(CookieSecrets::from_bytes(&provider(), &[2; 32], Some(&[1; 32])).unwrap())
        .with_cookie_clock(Duration::from_secs(1500));
    let (mut older, mut newer) = (Endpoint::new(older), Endpoint::new(newer));
    let second = proved(&mut older, seconds(1100), peer(1), &hello(7));
    offered(&mut newer, seconds(101), peer(1), &second);
    // The clock of the second host is slow by one step.
    let second = proved(&mut older, seconds(1200), peer(2), &hello(7));
    offered(&mut newer, seconds(190), peer(2), &second);
}

#[test]
fn strangers_do_not_accept_each_others_cookies() {
    let config = ServerConfig::of_choices(provider(), &[ProtocolVersion::DTLS1_2], &[], &[]);
    let config = Arc::new(config);
    let mut one = Endpoint::<u32>::new(EndpointConfig::server(Arc::clone(&config)).unwrap());
    let mut two = Endpoint::new(EndpointConfig::server(config).unwrap());
    let second = proved(&mut one, seconds(0), peer(1), &hello(7));
    assert_eq!(outcome(&mut two, seconds(0), peer(1), &second), Outcome::Reply);
}

#[test]
fn secrets_stay_out_of_debug_output() {
    assert_eq!(alloc::format!("{:?}", secrets(0xab)), "CookieSecrets { previous: false, .. }");
}

fn secrets(byte: u8) -> CookieSecrets {
    CookieSecrets::from_bytes(&provider(), &[byte; 32], None).unwrap()
}
