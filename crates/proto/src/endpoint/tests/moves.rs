//! Peers that move to another address.

use super::super::AddCidError;
use super::cids::{assert_routed, cid, endpoint};
use super::routing::connected;
use super::*;

#[test] // RFC 9146 §6
fn a_connection_moves_with_its_ids() {
    let mut endpoint = endpoint();
    endpoint.add_cid(peer(1), 1, cid(&[1])).expect("nobody else has it");
    endpoint.move_peer(peer(1), peer(9), 1);
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
    endpoint.move_peer(peer(1), peer(9), 2);
    endpoint.move_peer(peer(8), peer(9), 1);
    endpoint.move_peer(peer(1), peer(1), 1);
    assert_eq!((endpoint.connection(peer(1)), endpoint.connection(peer(9))), (Some(1), None));
}

#[test]
fn who_moves_to_an_address_that_has_a_connection_takes_nothing_from_it() {
    let mut endpoint = endpoint();
    for (key, id) in [(1, 1), (2, 2)] {
        endpoint.add_cid(peer(key), key, cid(&[id])).expect("nobody else has it");
    }
    endpoint.move_peer(peer(1), peer(2), 1);
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
    endpoint.move_peer(peer(2), peer(3), 1);
    assert_eq!((endpoint.connection(peer(3)), endpoint.entries()), (Some(1), 1));
    endpoint.insert(peer(4), 4);
    endpoint.move_peer(peer(3), peer(4), 1);
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
    endpoint.move_peer(peer(1), peer(9), 1);
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
    endpoint.move_peer(peer(1), peer(9), 1);
    assert_eq!((endpoint.half_open(), endpoint.establish(peer(9), 1)), (0, None));
    endpoint.remove(peer(9), 1);
    assert_eq!((endpoint.entries(), endpoint.half_open()), (0, 0));
}
