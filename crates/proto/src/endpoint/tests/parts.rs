//! Hellos in several datagrams, from honest and hostile senders (RFC 9147 §5.5).

use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use gramseal_wire::{AlertDescription, ExtensionType, HandshakeType};

use super::super::{CookiePolicy, EndpointConfig};
use super::cookies13::{Hello13, NEWER, OLDER, dual, hello13, incoming13, proved13, request_in};
use super::*;

/// Unknown to everybody, and as long as the share of a large group.
fn large() -> Hello13 {
    hello13().with(|hello| hello.more = vec![(ExtensionType(0xfe01), vec![5; 1300])])
}

/// The hello in `count` datagrams.
fn cut(hello: &Hello13, count: usize) -> Vec<Vec<u8>> {
    let body = hello.body();
    let at = |index: usize| index * body.len() / count;
    (0..count).map(|index| hello.fragment(&body, at(index), at(index + 1))).collect()
}

/// Delivers `parts` from `peer`, all but the last of which are kept; what comes of the last.
fn deliver<'p>(
    endpoint: &mut Endpoint<u32>,
    peer: SocketAddr,
    parts: impl IntoIterator<Item = &'p Vec<u8>>,
) -> (Outcome, Vec<u8>) {
    let mut last = None;
    for part in parts {
        let before = last.replace(route(endpoint, seconds(0), peer, part));
        assert!(before.is_none_or(|(outcome, _)| outcome == Outcome::Kept));
    }
    last.expect("parts")
}

/// The hello that comes back with the cookie.
fn returned(endpoint: &mut Endpoint<u32>, number: u32, first: &Hello13, count: usize) -> Hello13 {
    let (outcome, reply) = deliver(endpoint, peer(number), &cut(first, count));
    assert_eq!(outcome, Outcome::Reply);
    first.with_cookie(&request_in(&reply, first).cookie).with(|hello| hello.cookie_first = true)
}

#[test] // RFC 9147 §5.5
fn a_large_hello_may_come_in_any_number_of_datagrams_in_any_order() {
    for count in [2, 3, 10] {
        let mut endpoint = dual();
        let second = returned(&mut endpoint, 1, &large(), count);
        let mut parts = cut(&second, count);
        for turn in 0..count {
            parts.rotate_left(turn);
            assert_eq!(deliver(&mut endpoint, peer(1), &parts).0, Outcome::Incoming, "{count}, {turn}");
            endpoint.insert(peer(1), 1);
            endpoint.remove(peer(1), 1);
            parts.reverse();
        }
        assert_eq!((endpoint.stats().cookies_sent, endpoint.stats().cookies_refused.total()), (1, 0));
    }
}

#[test] // RFC 9147 §5.5, §5.8
fn parts_that_come_twice_or_again_after_a_loss_do_no_harm() {
    for count in [2, 3, 10] {
        for lost in 0..count {
            let mut endpoint = dual();
            let second = returned(&mut endpoint, 1, &large(), count);
            let parts = cut(&second, count);
            for (index, part) in parts.iter().enumerate() {
                if index != lost {
                    assert_eq!(route(&mut endpoint, seconds(0), peer(1), part).0, Outcome::Kept);
                    let again = route(&mut endpoint, seconds(0), peer(1), part).0;
                    assert_eq!(again, Outcome::Discard(Discard::FragmentOld));
                }
            }
            // All of them again, as a client sends them after its timeout.
            let outcomes: Vec<_> =
                parts[..=lost].iter().map(|part| route(&mut endpoint, seconds(1), peer(1), part).0).collect();
            assert_eq!(outcomes.last(), Some(&Outcome::Incoming), "{count}, {lost}");
        }
    }
}

#[test]
fn a_cookie_in_the_first_part_keeps_a_place_among_any_number_of_strangers() {
    let mut endpoint = dual();
    let second = returned(&mut endpoint, 1, &large(), 1);
    let parts = cut(&second, 2);
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &parts[0]).0, Outcome::Kept);
    // A cookie that was given to another, and one that is made up.
    let (stolen, forged) = (parts[0].clone(), cut(&large().with_cookie(&[7; 62]), 2).remove(0));
    for number in 2..3000 {
        let part = if number % 2 == 0 { &stolen } else { &forged };
        assert_eq!(route(&mut endpoint, seconds(0), peer(number), part).0, Outcome::Kept);
    }
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &parts[1]).0, Outcome::Incoming);
    assert_eq!((endpoint.entries(), endpoint.stats().cookies_accepted), (1, 1));
}

#[test]
fn without_a_cookie_the_oldest_hello_gives_way_and_comes_again() {
    let mut endpoint = dual();
    let parts = cut(&large(), 2);
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &parts[0]).0, Outcome::Kept);
    for number in 2..100 {
        assert_eq!(route(&mut endpoint, seconds(0), peer(number), &parts[0]).0, Outcome::Kept);
    }
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &parts[1]).0, Outcome::Kept);
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &parts[0]).0, Outcome::Reply);
}

#[test] // RFC 9147 §5.1
fn whatever_number_of_parts_a_request_is_no_longer_than_all_of_them() {
    for count in [1, 2, 10] {
        let mut endpoint = dual();
        let parts = cut(&large(), count);
        let (_, reply) = deliver(&mut endpoint, peer(1), &parts);
        assert!(reply.len() < parts.iter().map(Vec::len).sum());
        assert_eq!(endpoint.stats().cookies_sent, 1);
    }
}

#[test] // RFC 9846 §4.2.2
fn a_second_hello_in_parts_is_checked_like_any_other() {
    let mut endpoint = dual();
    let second = returned(&mut endpoint, 1, &large(), 2).with(|hello| hello.more[0].1[1000] ^= 1);
    let (outcome, reply) = deliver(&mut endpoint, peer(1), &cut(&second, 2));
    assert_eq!((outcome, reply.last()), (Outcome::Reply, Some(&AlertDescription::ILLEGAL_PARAMETER.0)));
    assert_eq!((endpoint.entries(), endpoint.stats().cookies_refused.mismatch), (0, 1));
}

#[test]
fn a_hello_that_is_too_long_is_not_kept() {
    let huge = large().with(|hello| hello.more[0].1 = vec![5; 4096]);
    let mut endpoint = dual();
    for part in cut(&huge, 4) {
        let outcome = route(&mut endpoint, seconds(0), peer(1), &part).0;
        assert_eq!(outcome, Outcome::Discard(Discard::MessageTooLong));
    }
}

#[test] // RFC 9147 §5.5
fn parts_of_a_hello_of_1_3_are_put_together() {
    let mut endpoint = dual();
    let first = hello13().with(|hello| hello.more = vec![(ExtensionType::SERVER_NAME, vec![7; 300])]);
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let reply = gathered(&mut endpoint, &first, order).expect("an answer");
        let second = first.with_cookie(&request_in(&reply, &first).cookie);
        assert_eq!(gathered(&mut endpoint, &second, order), None);
        assert_eq!(endpoint.entries(), 1);
        endpoint.insert(peer(1), 1);
        endpoint.remove(peer(1), 1);
    }
    assert_eq!((endpoint.stats().incoming, endpoint.stats().hello_parts), (3, 12));
}

/// Sends the hello in three parts; gives the reply, or nothing if it is offered.
fn gathered(endpoint: &mut Endpoint<u32>, hello: &Hello13, order: [usize; 3]) -> Option<Vec<u8>> {
    let body = hello.body();
    let parts: Vec<Vec<u8>> = [(0, 200), (200, 350), (350, body.len())]
        .map(|(start, end)| hello.fragment(&body, start, end))
        .into_iter()
        .collect();
    for index in &order[..2] {
        assert_eq!(route(endpoint, seconds(0), peer(1), &parts[*index]).0, Outcome::Kept);
    }
    match route(endpoint, seconds(0), peer(1), &parts[order[2]]) {
        (Outcome::Reply, reply) => Some(reply),
        (Outcome::Incoming, _) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_who_may_speak_1_3_keeps_parts_of_hellos() {
    let hello = hello13();
    let body = hello.body();
    let fragment = hello.fragment(&body, 0, body.len() - 1);
    assert_eq!(route(&mut dual(), seconds(0), peer(1), &fragment).0, Outcome::Kept);
    assert_eq!(route(&mut server(), seconds(0), peer(1), &fragment).0, Outcome::Reply);
    let mut client = Endpoint::new(EndpointConfig::client());
    assert_eq!(route(&mut client, seconds(0), peer(1), &fragment).0, Outcome::Discard(Discard::UnknownPeer));
    // 1.2 in parts: with its cookie the first part is enough.
    let mut endpoint = dual();
    let old = hello13().with(|hello| {
        hello.versions = vec![OLDER];
        hello.more = vec![(ExtensionType::SERVER_NAME, vec![7; 300])];
    });
    let reply = gathered(&mut endpoint, &old, [0, 1, 2]).expect("an answer");
    assert_eq!(reply[13], HandshakeType::HELLO_VERIFY_REQUEST.0);
    let second = old.with(|hello| {
        hello.legacy_cookie = reply[28..].to_vec();
        hello.message_seq = 1;
    });
    assert_eq!(
        route(&mut endpoint, seconds(0), peer(1), &second.fragment(&second.body(), 0, 100)).0,
        Outcome::Incoming
    );
}

#[test]
fn with_cookies_off_a_handshake_begins_with_all_of_its_hello() {
    for turned in [false, true] {
        let mut endpoint = Endpoint::new(config_for(&[NEWER, OLDER]).with_cookie_policy(CookiePolicy::Off));
        let hello = large();
        let mut parts = cut(&hello, 2);
        if turned {
            parts.reverse();
        }
        assert_eq!(route(&mut endpoint, seconds(0), peer(1), &parts[0]).0, Outcome::Kept);
        match endpoint.route(seconds(0), peer(1), &parts[1], &mut Vec::new()) {
            Route::Incoming(incoming) => assert_eq!(incoming.datagram.len(), hello.datagram().len()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_connection_gets_the_parts_of_its_own_hello() {
    let mut endpoint = Endpoint::new(config_for(&[NEWER, OLDER]).with_cookie_policy(CookiePolicy::Off));
    let hello = hello13();
    let body = hello.body();
    let (front, rest) = (hello.fragment(&body, 0, 100), hello.fragment(&body, 100, body.len()));
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &rest).0, Outcome::Kept);
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &front).0, Outcome::Incoming);
    endpoint.insert(peer(1), 1);
    for part in [&rest, &front] {
        assert_eq!(route(&mut endpoint, seconds(0), peer(1), part).0, Outcome::Connection(1));
    }
}

/// Whoever forges the beginning of another hello, even one that the peer's own parts make whole.
#[test] // RFC 6347 §4.2.8
fn forged_parts_divert_nothing_from_a_connection() {
    let mut endpoint = dual();
    let old = hello13().with(|hello| {
        hello.versions = vec![OLDER];
        hello.more = vec![(ExtensionType::SERVER_NAME, vec![7; 300])];
    });
    let reply = gathered(&mut endpoint, &old, [0, 1, 2]).expect("an answer");
    let own = old.with(|hello| {
        hello.legacy_cookie = reply[28..].to_vec();
        hello.message_seq = 1;
    });
    let forged = own.with(|hello| {
        hello.random = [66; 32];
        hello.more = vec![(ExtensionType::SERVER_NAME, vec![7; 300 + hello.legacy_cookie.len()])];
        hello.legacy_cookie.clear();
    });
    let (body, forged) = (own.body(), forged.body());
    assert_eq!(body.len(), forged.len());
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &own.fragment(&body, 0, 200)).0, Outcome::Incoming);
    endpoint.insert(peer(1), 1);
    for (front, from, whole) in [(200, 200, true), (100, 300, false), (200, 200, true)] {
        let forged = route(&mut endpoint, seconds(0), peer(1), &own.fragment(&forged, 0, front));
        assert_eq!(forged, (Outcome::Connection(1), vec![]));
        let (outcome, reply) = route(&mut endpoint, seconds(0), peer(1), &own.fragment(&body, from, body.len()));
        assert_eq!((outcome, reply.is_empty()), (Outcome::Connection(1), !whole));
    }
}

#[test] // RFC 9147 §5.11
fn a_client_that_restarts_in_parts_replaces_its_connection_with_a_cookie_alone() {
    let mut endpoint = dual();
    let proved = proved13(&mut endpoint, seconds(0), &hello13());
    let _connection = incoming13(&mut endpoint, seconds(0), &proved);
    endpoint.insert(peer(1), 1);
    endpoint.establish(peer(1), 1);
    let first = hello13().with(|hello| {
        hello.random = [9; 32];
        hello.more = vec![(ExtensionType::SERVER_NAME, vec![7; 300])];
    });
    let parts = |hello: &Hello13| {
        let body = hello.body();
        [(0, 200), (200, 350), (350, body.len())].map(|(start, end)| hello.fragment(&body, start, end))
    };
    let replies = parts(&first).map(|part| {
        let (outcome, reply) = route(&mut endpoint, seconds(0), peer(1), &part);
        assert_eq!(outcome, Outcome::Connection(1), "nothing is proved yet");
        reply
    });
    assert!(replies[0].is_empty() && replies[1].is_empty());
    let second = first.with_cookie(&request_in(&replies[2], &first).cookie);
    let [one, two, three] = parts(&second).map(|part| route(&mut endpoint, seconds(0), peer(1), &part).0);
    assert_eq!([one, two], [Outcome::Connection(1), Outcome::Connection(1)]);
    assert_eq!(three, Outcome::Incoming);
    assert_eq!(endpoint.insert(peer(1), 2).replaced, None);
    assert_eq!(endpoint.establish(peer(1), 2), Some(1));
}
