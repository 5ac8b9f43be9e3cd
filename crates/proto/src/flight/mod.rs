//! Reliable, ordered handshake messages over datagrams that get lost.
//!
//! Owns: putting fragments together, cutting messages into fragments, keeping the last flight, and
//! the retransmission timer. Never does: protect a record, read a clock, or ask what a message
//! means. RFC 6347 §4.2.2 to §4.2.4, RFC 9147 §5.2, §5.5, §5.8 and §7.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod ack;
mod inbound;
mod outbound;
mod partial;
mod post;
mod ranges;
mod retransmit;

pub(crate) use ack::Acks;
pub(crate) use inbound::{Inbound, InboundLimits, Inserted};
pub(crate) use outbound::{Acknowledged, Fresh, Outbound, Piece, Resend};
pub(crate) use post::{Behind, PostFlights, Waits};
pub(crate) use retransmit::Retransmit;

/// How many records of a flight are on their way at most before the first is known to have arrived, where there are
/// ACKs (RFC 9147 §5.8.3), and after how many the peer hears what came, since it may wait for that.
const RECORDS_AT_ONCE: usize = 10;
