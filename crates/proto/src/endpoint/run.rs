//! Datagrams that came together from one address: which of them go where the first goes.
//!
//! Owns a comparison of their first bytes, and says yes only where a look at the tables would say so too.

use gramseal_wire::{Codec, DatagramKind, Epoch, PlaintextHeader, Reader, UnifiedHeader};

use super::cid_in;
use crate::Cid;

/// What tells that a datagram goes where the one before it went.
#[derive(Debug)]
pub(super) enum Alike<'a> {
    /// Both name this id.
    Named(&'a Cid),
    /// Both are protected and name none. A second connection of the address, which a client begins anew, would have
    /// got a copy of the first.
    Protected,
    /// Nothing but a look at the tables tells.
    No,
}

impl<'a> Alike<'a> {
    /// Of a datagram that went to one connection; `cid` finds the id that some bytes begin with.
    pub(super) fn of(first: &[u8], cid: impl FnOnce(&[u8]) -> Option<&'a Cid>) -> Self {
        match cid_in(first) {
            // One that is unknown went by the address, and the next may be known.
            Some(bytes) => cid(bytes).map_or(Self::No, Self::Named),
            None if is_protected(first) => Self::Protected,
            None => Self::No,
        }
    }

    pub(super) const fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    pub(super) fn goes_with(&self, next: &[u8]) -> bool {
        match self {
            // No id begins with another, so that these bytes are all that there is to compare.
            Self::Named(cid) => cid_in(next).is_some_and(|bytes| bytes.starts_with(cid)),
            Self::Protected => cid_in(next).is_none() && is_protected(next),
            Self::No => false,
        }
    }
}

/// Whether `datagram` begins with a record that keys protect.
fn is_protected(datagram: &[u8]) -> bool {
    let Some(first) = datagram.first() else { return false };
    // Other protocols on the same socket may look like a record behind their first byte.
    DatagramKind::of(*first) == DatagramKind::Dtls
        && (UnifiedHeader::starts_with(*first)
            || PlaintextHeader::read(&mut Reader::new(datagram))
                .is_ok_and(|header| header.version.is_dtls() && header.epoch != Epoch::UNPROTECTED))
}
