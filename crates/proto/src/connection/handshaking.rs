//! Everything that a connection needs for its handshake and for nothing else: one box, freed when
//! the handshake is confirmed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::{AlertDescription, Epoch, MessageSeq, RecordNumber, SequenceNumber};

use super::allowance::Allowance;
use super::deferred::Deferral;
use crate::config::Common;
use crate::error::{AlertReceived, Error};
use crate::flight::{Acks, Inbound, InboundLimits, Outbound, Pieces, Retransmit};
use crate::handshake::{Action, State};
use crate::record::RecordsAhead;
use crate::time::Instant;
use crate::trace::Direction;

pub(super) struct Handshaking {
    pub(super) state: State,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    pub(super) retransmit: Retransmit,
    pub(super) ahead: RecordsAhead,
    pub(super) flights: Flights,
    /// When the handshake fails, or, once it is done, when our last flight is forgotten.
    pub(super) deadline: Instant,
    pub(super) last_flight: LastFlight,
    /// What came of the peer's present flight.
    pub(super) acks: Acks,
    pub(super) suspicion: Option<Suspicion>,
    pub(super) deferral: Option<Deferral>,
    /// The record that brought the latest part of a message.
    pub(super) latest: RecordNumber,
    /// Whether the hellos have agreed on return routability checks.
    pub(super) rrc: bool,
    /// Whether anything came that fits into this handshake.
    pub(super) heard: bool,
    /// The record number with which our present ClientHello went out first.
    pub(super) hello_record: SequenceNumber,
    /// Empty: the room for one record on its way out.
    pub(super) record: Pieces,
    /// What may be sent to a client that has not shown that it is at its address.
    pub(super) budget: Option<Allowance>,
    /// Empty: the list for what the next step decides.
    pub(super) actions: Vec<Action>,
}

/// Who speaks last in a handshake, and how that flight is known to have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastFlight {
    /// The peer does.
    Theirs,
    /// We do, and nobody answers: it is kept for a peer that repeats its own (1.2).
    Kept,
    /// We do, and the peer acknowledges it (1.3).
    Acknowledged,
}

/// An alert that may be forged: believed when the peer stays silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Suspicion {
    pub(super) description: AlertDescription,
    /// How many of our timeouts must still pass without a word from the peer.
    pub(super) patience: u8,
}

impl Suspicion {
    pub(super) fn of(description: AlertDescription) -> Self {
        Self { description, patience: 3 }
    }

    /// It was no forgery, then.
    pub(super) fn error(&self) -> Error {
        Error::AlertReceived(AlertReceived { description: self.description, authenticated: false })
    }
}

impl Handshaking {
    /// `longest` bounds the peer's messages, in bytes.
    pub(super) fn new(common: &Common, state: State, first: MessageSeq, longest: u32, now: Instant) -> Box<Self> {
        let transport = &common.transport;
        let max_ahead = InboundLimits::default().max_ahead.min(longest as usize);
        let limits = InboundLimits { max_message_len: longest, max_ahead, ..InboundLimits::default() };
        Box::new(Self {
            state,
            inbound: Inbound::new(first, limits),
            outbound: Outbound::new(),
            retransmit: Retransmit::new(transport.initial_timeout, transport.max_timeout),
            ahead: RecordsAhead::new(),
            flights: Flights::after(first),
            deadline: now + transport.handshake_timeout,
            last_flight: LastFlight::Theirs,
            acks: Acks::new(),
            suspicion: None,
            deferral: None,
            latest: RecordNumber { epoch: Epoch::UNPROTECTED, sequence_number: SequenceNumber(0) },
            rrc: false,
            heard: false,
            hello_record: SequenceNumber(0),
            record: Pieces::new(),
            budget: None,
            actions: Vec::new(),
        })
    }

    /// The peer, or somebody who could know what it would say, takes part in the handshake.
    pub(super) fn hear(&mut self) {
        self.suspicion = None;
        self.heard = true;
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Connected)
    }
}

/// Counts flights over both sides, for traces, and knows when ours begins and ends.
#[derive(Debug)]
pub(super) struct Flights {
    count: u32,
    last: Option<Direction>,
    /// Whether the flight we sent is complete, so that the next message begins another.
    complete: bool,
}

impl Flights {
    /// Each hello before the one with number `first` was a flight, and so was its answer.
    fn after(first: MessageSeq) -> Self {
        Self { count: u32::from(first.0) * 2, last: None, complete: true }
    }

    /// The flight that a message in `direction` belongs to.
    pub(super) fn number(&mut self, direction: Direction) -> u32 {
        if self.last != Some(direction) {
            self.last = Some(direction);
            self.count += 1;
        }
        self.count
    }

    /// The flight of the latest message.
    pub(super) fn current(&self) -> u32 {
        self.count
    }

    /// Whether a message to send now is the first of a flight of ours.
    pub(super) fn begins(&mut self) -> bool {
        core::mem::take(&mut self.complete)
    }

    pub(super) fn end(&mut self) {
        self.complete = true;
    }
}
