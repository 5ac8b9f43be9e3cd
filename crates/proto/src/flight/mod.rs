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
mod piece;
mod post;
mod ranges;
mod retransmit;
mod work;

pub(crate) use ack::Acks;
pub(crate) use inbound::{Inbound, InboundLimits, Inserted};
pub(crate) use outbound::{Acknowledged, Outbound, Resend};
pub(crate) use piece::{Piece, Pieces};
pub(crate) use post::{Behind, PostFlights, Waits};
pub(crate) use retransmit::{Retransmit, first_wait};

/// After how many records of a flight the peer hears what came, where there are ACKs, since it may wait for that: no
/// more should be on their way (RFC 9147 §5.8.3).
const RECORDS_AT_ONCE: usize = 10;
