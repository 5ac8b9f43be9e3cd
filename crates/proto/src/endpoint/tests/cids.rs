//! Datagrams that are routed by connection ids.

use super::super::AddCidError;
use super::*;
use crate::Cid;

pub(super) fn cid(bytes: &[u8]) -> Cid {
    Cid::new(bytes).expect("short enough")
}

/// Records with this id, of 1.2 and of 1.3.
fn records(cid: &[u8]) -> [Vec<u8>; 2] {
    let record12 = [&[25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1][..], cid, &[0, 1, 0]].concat();
    let record13 = [&[0x3f][..], cid, &[1, 2, 0, 1, 0]].concat();
    [record12, record13]
}

/// Connections 1 and 2 of peers 1 and 2.
pub(super) fn endpoint() -> Endpoint<u32> {
    let mut endpoint = Endpoint::new(EndpointConfig::client());
    for n in [1, 2] {
        assert_eq!(endpoint.insert(peer(n), n).replaced, None);
    }
    endpoint
}

#[track_caller]
pub(super) fn assert_routed(endpoint: &mut Endpoint<u32>, cid: &[u8], from: SocketAddr, expected: &Outcome) {
    for datagram in records(cid) {
        assert_eq!(route(endpoint, seconds(1), from, &datagram).0, *expected, "{cid:?}");
    }
}

#[test] // RFC 9146 §3
fn an_id_leads_to_its_connection_from_any_address() {
    let mut endpoint = endpoint();
    for (key, id) in [(1, &[1, 1, 1][..]), (1, &[2; 255]), (2, &[3])] {
        endpoint.add_cid(peer(key), key, cid(id)).expect("nobody else has it");
        for from in [peer(1), peer(2), peer(9)] {
            assert_routed(&mut endpoint, id, from, &Outcome::Connection(key));
        }
    }
    // What follows the id does not matter, nor that the datagram is cut behind it.
    assert_eq!(route(&mut endpoint, seconds(1), peer(9), &[0x30, 3]).0, Outcome::Connection(2));
    assert_eq!(endpoint.stats().named, 19);
}

#[test] // RFC 9146 §3
fn an_unknown_id_is_for_whom_the_address_has() {
    let mut endpoint = endpoint();
    endpoint.add_cid(peer(1), 1, cid(&[1, 1, 1])).expect("nobody else has it");
    for id in [&[1, 1, 0][..], &[1, 1, 2], &[0], &[9; 40]] {
        assert_routed(&mut endpoint, id, peer(2), &Outcome::Connection(2));
        assert_routed(&mut endpoint, id, peer(9), &Outcome::Discard(Discard::UnknownCid));
    }
    for cut in [&[0x30][..], &[0x3f, 1, 1], &[25, 0xfe, 0xfd]] {
        assert_eq!(route(&mut endpoint, seconds(1), peer(9), cut).0, Outcome::Discard(Discard::UnknownCid));
    }
    assert_eq!(endpoint.stats().discards.get(Discard::UnknownCid), 11);
}

#[test] // RFC 9146 §3
fn no_id_begins_with_another() {
    let mut endpoint = endpoint();
    endpoint.add_cid(peer(1), 1, cid(&[1, 1, 1])).expect("nobody else has it");
    for taken in [&[1, 1, 1][..], &[1, 1, 1, 0], &[1, 1], &[1], &[]] {
        assert_eq!(endpoint.add_cid(peer(2), 2, cid(taken)), Err(AddCidError::Taken), "{taken:?}");
    }
    for free in [&[1, 1, 0][..], &[1, 1, 2], &[0xff; 9]] {
        assert_eq!(endpoint.add_cid(peer(2), 2, cid(free)), Ok(()), "{free:?}");
    }
    assert_routed(&mut endpoint, &[1, 1, 1], peer(9), &Outcome::Connection(1));
    // Whoever is not there has none.
    for (at, key) in [(peer(1), 2), (peer(9), 1)] {
        assert_eq!(endpoint.add_cid(at, key, cid(&[5])), Err(AddCidError::NoConnection));
    }
}

#[test]
fn an_id_ends_by_itself_or_with_its_connection() {
    let mut endpoint = endpoint();
    for id in [[1], [2]] {
        endpoint.add_cid(peer(1), 1, cid(&id)).expect("nobody else has it");
    }
    endpoint.add_cid(peer(2), 2, cid(&[3])).expect("nobody else has it");
    let gone = Outcome::Discard(Discard::UnknownCid);
    // Of another connection, it stays.
    endpoint.remove_cid(peer(1), 1, &[3]);
    endpoint.remove_cid(peer(2), 1, &[3]);
    assert_routed(&mut endpoint, &[3], peer(9), &Outcome::Connection(2));
    endpoint.remove_cid(peer(1), 1, &[1]);
    assert_routed(&mut endpoint, &[1], peer(9), &gone);
    assert_routed(&mut endpoint, &[2], peer(9), &Outcome::Connection(1));
    endpoint.remove(peer(1), 1);
    assert_routed(&mut endpoint, &[2], peer(9), &gone);
    // One that takes its place at the same address has its own, from the beginning, and inherits none.
    assert_eq!(endpoint.insert(peer(2), 3).replaced, None);
    endpoint.add_cid(peer(2), 3, cid(&[4])).expect("nobody else has it");
    for (id, key) in [(3, 2), (4, 3)] {
        assert_routed(&mut endpoint, &[id], peer(9), &Outcome::Connection(key));
    }
    assert_eq!(endpoint.establish(peer(2), 3), Some(2));
    assert_routed(&mut endpoint, &[3], peer(9), &gone);
    assert_routed(&mut endpoint, &[4], peer(9), &Outcome::Connection(3));
    assert_eq!(endpoint.add_cid(peer(2), 3, cid(&[3])), Ok(()), "it is free again");
    endpoint.remove(peer(2), 3);
    assert_routed(&mut endpoint, &[3], peer(9), &gone);
    assert_routed(&mut endpoint, &[4], peer(9), &gone);
}
