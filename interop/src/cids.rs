//! Connection ids with a peer that prints `CIDS own/peer's` (`peers/README.md`).

use std::sync::Arc;

use gramseal_proto::config::ConnectionIds;
use gramseal_proto::{Discard, RandomCids};

use crate::compiled;
use crate::{Node, Process};

/// Ids of ours of so many bytes, or none.
#[must_use]
pub fn ours(len: Option<u8>) -> ConnectionIds {
    len.map_or(ConnectionIds::Peers, |len| ConnectionIds::Both(Arc::new(RandomCids::new(len))))
}

/// Waits for the connection and checks that data passes both ways with ids of ours of `ours` bytes, and with `theirs`, in
/// hexadecimal digits or `none`.
///
/// # Panics
/// If not.
pub fn check(node: &mut Node, peer: &mut Process, ours: Option<u8>, theirs: &str) {
    compiled::check(node, peer);
    let theirs = if theirs == "none" { "" } else { theirs };
    let own = node.connection().own_cids().first().map(ToString::to_string).unwrap_or_default();
    assert_eq!(peer.value("CIDS "), Some(format!("{theirs}/{own}")), "{}", peer.transcript());
    assert_eq!(own.len(), 2 * usize::from(ours.unwrap_or(0)));
    let lengths = node.agreed().cids.map(|cids| (usize::from(cids.own), usize::from(cids.peer)));
    let expected = (own.len() / 2, theirs.len() / 2);
    assert_eq!(lengths, (expected != (0, 0)).then_some(expected));
    for round in 0..3 {
        compiled::exchange(node, peer, &format!("round {round}"));
    }
    assert_eq!(node.endpoint_stats().named > 0, ours.is_some(), "{}", node.state());
    let discards = &node.connection().stats().discards;
    for reason in [Discard::UnknownCid, Discard::UnnegotiatedCid, Discard::MissingCid] {
        assert_eq!(discards.get(reason), 0, "{}", node.state());
    }
}
