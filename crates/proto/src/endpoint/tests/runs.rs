//! Datagrams that came together.

use super::super::Route;
use super::routing::connected;
use super::*;
use crate::Cid;

/// Protected records of 1.2 and 1.3, as short as those with ids below.
const DATA12: [u8; 14] = [23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0];
const DATA13: [u8; 14] = [0x2f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

fn named(cid: [u8; 3]) -> [u8; 14] {
    let [a, b, c] = cid;
    [0x3f, a, b, c, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
}

/// Where each datagram goes, and how many go together.
fn routes(endpoint: &mut Endpoint<u32>, from: SocketAddr, datagrams: &[&[u8]]) -> Vec<(Outcome, usize)> {
    let buffer = datagrams.concat();
    let mut rest = &buffer[..];
    let mut found = Vec::new();
    let mut reply = Vec::new();
    while !rest.is_empty() {
        let (route, len) = endpoint.route_run(seconds(1), from, rest, 14, &mut reply);
        let outcome = match route {
            Route::Connection(key) => Outcome::Connection(key),
            Route::Either { current, successor } => Outcome::Either(current, successor),
            Route::Reply => Outcome::Reply,
            Route::Kept => Outcome::Kept,
            Route::Discard(reason) => Outcome::Discard(reason),
            Route::Incoming(_) => panic!("nobody begins anything"),
        };
        found.push((outcome, len));
        rest = &rest[len..];
    }
    found
}

#[test]
fn protected_datagrams_of_an_address_go_together() {
    let (mut endpoint, _) = connected();
    let together = [&DATA12[..], &DATA13, &DATA13, &DATA12, &DATA13[..5]];
    assert_eq!(routes(&mut endpoint, peer(1), &together), [(Outcome::Connection(1), 4 * 14 + 5)]);
    let unknown = Outcome::Discard(Discard::UnknownPeer);
    assert_eq!(
        routes(&mut endpoint, peer(2), &[&DATA13, &DATA13]),
        [(unknown, 14), (Outcome::Discard(Discard::UnknownPeer), 14)],
        "what is nobody's is counted one by one"
    );
    assert_eq!(endpoint.stats().discards.total(), 2);
}

#[test]
fn what_no_key_protects_goes_alone() {
    let (mut endpoint, _) = connected();
    let mut plaintext = DATA12;
    plaintext[4] = 0;
    let mut foreign = DATA12;
    foreign[0] = 0x80;
    assert_eq!(
        routes(&mut endpoint, peer(1), &[&DATA12, &plaintext, &plaintext, &DATA13, &foreign]),
        [
            (Outcome::Connection(1), 14),
            (Outcome::Connection(1), 14),
            (Outcome::Connection(1), 14),
            (Outcome::Connection(1), 14),
            (Outcome::Discard(Discard::Foreign), 14)
        ]
    );
}

#[test] // RFC 9146 §3
fn ids_part_datagrams_of_one_address() {
    let (mut endpoint, _) = connected();
    assert_eq!(endpoint.insert(peer(2), 2).replaced, None);
    for (key, cid) in [(1, &[1, 1][..]), (2, &[2])] {
        endpoint.add_cid(peer(key), key, Cid::new(cid).expect("short")).expect("nobody else has it");
    }
    let (one, two, unknown) = (named([1, 1, 0]), named([2, 0, 0]), named([9, 9, 9]));
    assert_eq!(
        routes(&mut endpoint, peer(1), &[&one, &named([1, 1, 7]), &two, &two, &two, &unknown, &unknown, &DATA13, &one]),
        [
            (Outcome::Connection(1), 28),
            (Outcome::Connection(2), 42),
            (Outcome::Connection(1), 14),
            (Outcome::Connection(1), 14),
            (Outcome::Connection(1), 14),
            (Outcome::Connection(1), 14),
        ]
    );
    assert_eq!(endpoint.stats().named, 6);
    assert!(endpoint.knows_cid_in(&one) && !endpoint.knows_cid_in(&unknown) && !endpoint.knows_cid_in(&DATA13));
}

#[test] // RFC 6347 §4.2.8
fn while_a_client_begins_anew_each_datagram_is_looked_at() {
    let (mut endpoint, _) = connected();
    let anew = proved(&mut endpoint, seconds(1), peer(1), &hello(8));
    offered(&mut endpoint, seconds(1), peer(1), &anew);
    assert_eq!(endpoint.insert(peer(1), 2).replaced, None);
    assert_eq!(
        routes(&mut endpoint, peer(1), &[&DATA12, &DATA13]),
        [(Outcome::Either(1, 2), 14), (Outcome::Either(1, 2), 14)]
    );
}
