//! Peers that move to another address.

use core::ops::RangeInclusive;

use super::super::AddCidError;
use super::cids::{assert_routed, cid, endpoint};
use super::routing::connected;
use super::*;

#[test] // RFC 9146 §6
fn a_connection_moves_with_its_ids() {
    let mut endpoint = endpoint();
    endpoint.add_cid(peer(1), 1, cid(&[1])).expect("nobody else has it");
    assert!(endpoint.move_peer(peer(1), peer(9), 1));
    assert_eq!((endpoint.connection(peer(1)), endpoint.connection(peer(9))), (None, Some(1)));
    assert_eq!(endpoint.entries(), 2);
    assert_routed(&mut endpoint, &[1], peer(5), &Outcome::Connection(1));
    assert_eq!(endpoint.add_cid(peer(1), 1, cid(&[7])), Err(AddCidError::NoConnection));
    endpoint.add_cid(peer(9), 1, cid(&[7])).expect("it is there");
    endpoint.remove_cid(peer(9), 1, &[1]);
    assert_routed(&mut endpoint, &[7], peer(5), &Outcome::Connection(1));
    assert_routed(&mut endpoint, &[1], peer(5), &Outcome::Discard(Discard::UnknownCid));
    endpoint.remove(peer(9), 1);
    assert_eq!((endpoint.connection(peer(9)), endpoint.entries()), (None, 1));
    assert_routed(&mut endpoint, &[7], peer(5), &Outcome::Discard(Discard::UnknownCid));
}

#[test]
fn whoever_is_not_there_does_not_move() {
    let mut endpoint = endpoint();
    assert!(!endpoint.move_peer(peer(1), peer(9), 2));
    assert!(!endpoint.move_peer(peer(8), peer(9), 1));
    assert!(endpoint.move_peer(peer(1), peer(1), 1));
    assert_eq!((endpoint.connection(peer(1)), endpoint.connection(peer(9))), (Some(1), None));
}

#[test]
fn who_moves_to_an_address_that_has_a_connection_takes_nothing_from_it() {
    let mut endpoint = endpoint();
    for (key, id) in [(1, 1), (2, 2)] {
        endpoint.add_cid(peer(key), key, cid(&[id])).expect("nobody else has it");
    }
    assert!(endpoint.move_peer(peer(1), peer(2), 1));
    assert_eq!((endpoint.connection(peer(1)), endpoint.connection(peer(2))), (None, Some(2)));
    assert_eq!(endpoint.entries(), 2);
    for (key, id) in [(1, 1), (2, 2)] {
        assert_routed(&mut endpoint, &[id], peer(5), &Outcome::Connection(key));
    }
    endpoint.add_cid(peer(2), 1, cid(&[7])).expect("it is there");
    // It goes on when the other one ends, and may move on.
    endpoint.remove(peer(2), 2);
    assert_routed(&mut endpoint, &[7], peer(5), &Outcome::Connection(1));
    assert_eq!((endpoint.connection(peer(2)), endpoint.entries()), (None, 1));
    assert!(endpoint.move_peer(peer(2), peer(3), 1));
    assert_eq!((endpoint.connection(peer(3)), endpoint.entries()), (Some(1), 1));
    endpoint.insert(peer(4), 4);
    assert!(endpoint.move_peer(peer(3), peer(4), 1));
    endpoint.remove(peer(4), 1);
    assert_eq!((endpoint.connection(peer(4)), endpoint.entries()), (Some(4), 1));
    assert_routed(&mut endpoint, &[7], peer(5), &Outcome::Discard(Discard::UnknownCid));
}

#[test] // RFC 6347 §4.2.8: only a client at the same address begins anew
fn a_client_that_begins_where_another_one_was_replaces_nobody() {
    let (mut endpoint, _) = connected();
    let second = proved(&mut endpoint, seconds(5), peer(1), &hello(8));
    offered(&mut endpoint, seconds(5), peer(1), &second);
    assert_eq!(endpoint.insert(peer(1), 2).replaced, None);
    assert!(endpoint.move_peer(peer(1), peer(9), 1));
    assert_eq!(endpoint.establish(peer(1), 2), None);
    assert_eq!((endpoint.connection(peer(1)), endpoint.connection(peer(9))), (Some(2), Some(1)));
    assert_eq!((endpoint.entries(), endpoint.half_open()), (2, 0));
}

#[test]
fn who_moves_before_it_is_told_to_be_established_is() {
    let mut endpoint = server();
    let first = proved(&mut endpoint, seconds(1), peer(1), &hello(7));
    offered(&mut endpoint, seconds(1), peer(1), &first);
    assert_eq!(endpoint.insert(peer(1), 1).replaced, None);
    assert_eq!(endpoint.half_open(), 1);
    assert!(endpoint.move_peer(peer(1), peer(9), 1));
    assert_eq!((endpoint.half_open(), endpoint.establish(peer(9), 1)), (0, None));
    endpoint.remove(peer(9), 1);
    assert_eq!((endpoint.entries(), endpoint.half_open()), (0, 0));
}

#[test]
fn an_address_has_few_guests_and_who_finds_no_room_stays_where_it_was() {
    let mut endpoint = endpoint();
    for key in 2..=20 {
        if key > 2 {
            assert_eq!(endpoint.insert(peer(key), key).replaced, None);
        }
        endpoint.add_cid(peer(key), key, cid(&[u8::try_from(key).expect("small")])).expect("nobody else has it");
    }
    let entries = endpoint.entries();
    for key in 2..=20 {
        assert_eq!(endpoint.move_peer(peer(key), peer(1), key), key < 18, "{key}");
    }
    assert_eq!((endpoint.entries(), endpoint.connection(peer(1))), (entries, Some(1)));
    assert_eq!((endpoint.connection(peer(17)), endpoint.connection(peer(18))), (None, Some(18)));
    for key in 2..=20 {
        assert_routed(&mut endpoint, &[u8::try_from(key).expect("small")], peer(50), &Outcome::Connection(key));
    }
    // It is in its old place for everything.
    endpoint.add_cid(peer(18), 18, cid(&[99])).expect("it is there");
    endpoint.remove(peer(2), 2);
    endpoint.remove(peer(1), 2);
    assert!(endpoint.move_peer(peer(18), peer(1), 18), "there is room again");
    assert_routed(&mut endpoint, &[99], peer(50), &Outcome::Connection(18));
    endpoint.remove(peer(19), 19);
    assert_routed(&mut endpoint, &[19], peer(50), &Outcome::Discard(Discard::UnknownCid));
    assert_eq!(endpoint.entries(), entries - 2);
}

/// Another client begins where the first connection is, and is done.
fn begin_anew(endpoint: &mut Endpoint<u32>, at: SocketAddr) -> Option<u32> {
    let second = proved(endpoint, seconds(5), at, &hello(8));
    offered(endpoint, seconds(5), at, &second);
    assert_eq!(endpoint.insert(at, 2).replaced, None);
    endpoint.establish(at, 2)
}

#[test] // RFC 6347 §4.2.8: it replaces an association of its own, and nobody else's
fn who_begins_anew_ends_no_connection_that_moved_there() {
    let (mut endpoint, _) = connected();
    endpoint.add_cid(peer(1), 1, cid(&[1])).expect("nobody else has it");
    assert!(endpoint.move_peer(peer(1), peer(9), 1));
    assert_eq!(begin_anew(&mut endpoint, peer(9)), None);
    assert_eq!((endpoint.connection(peer(9)), endpoint.entries()), (Some(2), 2));
    assert_routed(&mut endpoint, &[1], peer(50), &Outcome::Connection(1));
    endpoint.remove(peer(9), 1);
    assert_eq!((endpoint.connection(peer(9)), endpoint.entries()), (Some(2), 1));
}

/// Lets these connections, each with an id of one byte, begin at addresses of their own and move to `to` while there is
/// room. Gives how many did.
fn crowd(endpoint: &mut Endpoint<u32>, keys: RangeInclusive<u8>, to: SocketAddr) -> usize {
    let moves = keys.map(u32::from).filter(|key| {
        assert_eq!(endpoint.insert(peer(*key), *key).replaced, None);
        endpoint.add_cid(peer(*key), *key, cid(&key.to_be_bytes()[3..])).expect("nobody else has it");
        endpoint.move_peer(peer(*key), to, *key)
    });
    moves.count()
}

#[test]
fn who_begins_anew_finds_room_for_the_connection_that_has_its_place() {
    let (mut endpoint, _) = connected();
    // The first that moves there has the place, fifteen others are found by their ids.
    assert_eq!(crowd(&mut endpoint, 11..=30, peer(9)), 16);
    let entries = endpoint.entries();
    assert_eq!(begin_anew(&mut endpoint, peer(9)), None);
    assert_eq!((endpoint.connection(peer(9)), endpoint.entries()), (Some(2), entries + 1));
    for id in 11..=30 {
        assert_routed(&mut endpoint, &[id], peer(50), &Outcome::Connection(id.into()));
    }
    // Nobody takes the place who would find no room without it.
    endpoint.remove(peer(9), 2);
    assert!(!endpoint.move_peer(peer(27), peer(9), 27));
    assert_eq!((endpoint.connection(peer(9)), endpoint.connection(peer(27))), (None, Some(27)));
    assert_routed(&mut endpoint, &[27], peer(50), &Outcome::Connection(27));
}

#[test]
fn who_finds_no_room_where_it_is_and_none_where_it_was_may_be_replaced() {
    let (mut endpoint, _) = connected();
    endpoint.add_cid(peer(1), 1, cid(&[1])).expect("nobody else has it");
    assert_eq!(endpoint.insert(peer(9), 9).replaced, None);
    assert_eq!(crowd(&mut endpoint, 11..=30, peer(9)), 16);
    assert_eq!(crowd(&mut endpoint, 31..=50, peer(1)), 16);
    assert!(!endpoint.move_peer(peer(1), peer(9), 1));
    assert_eq!(begin_anew(&mut endpoint, peer(1)), Some(1));
    assert_routed(&mut endpoint, &[31], peer(60), &Outcome::Connection(31));
}

#[test] // RFC 6347 §4.2.8
fn who_begins_anew_ends_the_connection_that_began_there_also_if_it_has_ids() {
    let (mut endpoint, _) = connected();
    endpoint.add_cid(peer(1), 1, cid(&[1])).expect("nobody else has it");
    assert_eq!(begin_anew(&mut endpoint, peer(1)), Some(1));
    // Nothing leads to one that has no ids.
    let (mut endpoint, _) = connected();
    assert!(endpoint.move_peer(peer(1), peer(9), 1));
    assert_eq!(begin_anew(&mut endpoint, peer(9)), Some(1));
}
