//! Watching handshakes: one value per handshake message, ACK, alert or ChangeCipherSpec that moves.

use core::fmt;

use gramseal_wire::{AlertDescription, HandshakeType, MessageSeq, RecordNumber};

/// Which way something moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two directions")]
pub enum Direction {
    /// From this side to the peer.
    Sent,
    /// From the peer to this side.
    Received,
}

/// What moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Traced {
    /// A handshake message, or a fragment of one.
    Handshake {
        /// Its type.
        msg_type: HandshakeType,
        /// Its number.
        message_seq: MessageSeq,
        /// Where the fragment begins, in bytes.
        fragment_offset: u32,
        /// Bytes in the fragment.
        fragment_length: u32,
        /// Bytes in the whole message.
        message_length: u32,
    },
    /// ChangeCipherSpec, of 1 byte.
    ChangeCipherSpec,
    /// An alert, of 2 bytes.
    Alert(AlertDescription),
    /// An ACK of 1.3.
    Ack {
        /// How many records it says have arrived.
        records: usize,
    },
}

/// One line of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent {
    /// Which way.
    pub direction: Direction,
    /// What.
    pub traced: Traced,
    /// The record that carried it.
    pub record: RecordNumber,
    /// The flight it belongs to, counted from 1 over both sides; 0 for ACKs and alerts, and after the
    /// handshake.
    pub flight: u32,
    /// 0 when it is sent for the first time, then the number of the retransmission; always 0 for
    /// what was received.
    pub retransmission: u32,
}

impl TraceEvent {
    pub(crate) fn new(direction: Direction, traced: Traced, record: RecordNumber) -> Self {
        Self { direction, traced, record, flight: 0, retransmission: 0 }
    }

    pub(crate) fn in_flight(mut self, flight: u32, retransmission: u32) -> Self {
        self.flight = flight;
        self.retransmission = retransmission;
        self
    }
}

/// Sees what a connection sends and receives besides application data.
pub trait Trace: Send + Sync + fmt::Debug {
    /// Something moved. Called from inside the connection: be quick, do not call back.
    fn trace(&self, event: &TraceEvent);
}
