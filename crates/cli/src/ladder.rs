//! The handshake as a ladder: one rung per handshake message and ChangeCipherSpec.
//!
//! Built from what both sides saw ([`Recorder`]), so that its order is the protocol's whatever the
//! network lost or swapped; how often something was sent is a column, not a line.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gramseal::proto::wire::{HandshakeType, RecordNumber};
use gramseal::proto::{Direction, Trace, TraceEvent, Traced};
use serde::Serialize;

/// Who sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Client,
    Server,
}

/// One rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Rung {
    /// Counted from 1 over both sides.
    pub(crate) flight: u32,
    pub(crate) from: Side,
    /// The message's name in the RFCs.
    pub(crate) message: String,
    /// ChangeCipherSpec has none.
    pub(crate) message_seq: Option<u16>,
    pub(crate) epoch: u64,
    /// Of the first record that carried any of it.
    pub(crate) sequence_number: u64,
    /// Without headers.
    pub(crate) bytes: u32,
    /// Into how many the message was cut when first sent.
    pub(crate) fragments: usize,
    /// How many times.
    pub(crate) sent: u64,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.from {
            Side::Client => "client --> server",
            Side::Server => "client <-- server",
        };
        write!(f, "{:2}  {arrow}  {:<19}", self.flight, self.message)?;
        match self.message_seq {
            Some(seq) => write!(f, "  message_seq {seq:2}")?,
            None => write!(f, "  {:14}", "")?,
        }
        write!(f, "  epoch {}  {:5} bytes", self.epoch, self.bytes)?;
        let plural = if self.fragments == 1 { ' ' } else { 's' };
        write!(f, "  {:2} fragment{plural}  sent {}x", self.fragments, self.sent)
    }
}

/// What a side saw: a [`TraceEvent`], which only the library can make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    direction: Direction,
    traced: Traced,
    record: RecordNumber,
    /// As that side counts.
    flight: u32,
    retransmission: u32,
}

impl Seen {
    fn new(event: &TraceEvent) -> Self {
        Self {
            direction: event.direction,
            traced: event.traced,
            record: event.record,
            flight: event.flight,
            retransmission: event.retransmission,
        }
    }
}

/// Keeps everything that one side traces.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<Seen>>,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn events(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        // A list is whole even if a thread died while it held the lock.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trace for Recorder {
    fn trace(&self, event: &TraceEvent) {
        self.lock().push(Seen::new(event));
    }
}

/// Shows everything to several.
#[derive(Debug)]
pub(crate) struct Both(pub(crate) Arc<dyn Trace>, pub(crate) Arc<dyn Trace>);

impl Trace for Both {
    fn trace(&self, event: &TraceEvent) {
        self.0.trace(event);
        self.1.trace(event);
    }
}

/// The ladder of one handshake. The server answers the first ClientHello without state and so
/// without tracing it: its HelloVerifyRequest or HelloRetryRequest is taken from what the client saw,
/// and `cookies_sent` says how many there were.
pub(crate) fn ladder(client: &[Seen], server: &[Seen], cookies_sent: u64) -> Vec<Rung> {
    let mut client_flights = flights(Side::Client, client.iter().filter(|event| event.direction == Direction::Sent));
    let mut server_flights = flights(Side::Server, server.iter().filter(|event| event.direction == Direction::Sent));
    let request = client.iter().find(|event| is_stateless(event, server));
    for mut flight in flights(Side::Server, request) {
        for line in &mut flight {
            line.rung.sent = cookies_sent.max(1);
        }
        server_flights.insert(0, flight);
    }
    name_retry_request(&mut server_flights);

    // The sides take turns; the client begins.
    let mut rungs = Vec::new();
    let (mut from_client, mut from_server) = (client_flights.drain(..), server_flights.drain(..));
    let mut number = 0;
    loop {
        let turn = if number % 2 == 0 { from_client.next() } else { from_server.next() };
        number += 1;
        let Some(flight) = turn else { return rungs };
        rungs.extend(flight.into_iter().map(|line| Rung { flight: number, ..line.rung }));
    }
}

/// Whether the client received this from a server that kept nothing: a HelloVerifyRequest, or a
/// ServerHello that the server's connection did not send, which is a HelloRetryRequest.
fn is_stateless(event: &Seen, server: &[Seen]) -> bool {
    let Some(key) = Key::of(&event.traced).filter(|_| event.direction == Direction::Received) else { return false };
    match key {
        Key::Handshake(HandshakeType::HELLO_VERIFY_REQUEST, _) => true,
        Key::Handshake(HandshakeType::SERVER_HELLO, _) => !server.iter().any(|sent| Key::of(&sent.traced) == Some(key)),
        _ => false,
    }
}

/// Of two ServerHellos the first is a HelloRetryRequest (RFC 9846 §4.2.4).
fn name_retry_request(flights: &mut [Vec<Line>]) {
    let is_hello = |line: &&mut Line| matches!(line.key, Key::Handshake(HandshakeType::SERVER_HELLO, _));
    let mut hellos = flights.iter_mut().flatten().filter(is_hello);
    if let (Some(first), Some(_)) = (hellos.next(), hellos.next()) {
        "HelloRetryRequest".clone_into(&mut first.rung.message);
    }
}

/// What tells messages of one side apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// The first, and the one with a cookie. A late second cookie makes the client send the latter
    /// once more under another number: still the same step of the protocol.
    ClientHello {
        with_cookie: bool,
    },
    Handshake(HandshakeType, u16),
    ChangeCipherSpec,
}

impl Key {
    fn of(traced: &Traced) -> Option<Self> {
        match *traced {
            Traced::Handshake { msg_type: HandshakeType::CLIENT_HELLO, message_seq, .. } => {
                Some(Self::ClientHello { with_cookie: message_seq.0 > 0 })
            }
            Traced::Handshake { msg_type, message_seq, .. } => Some(Self::Handshake(msg_type, message_seq.0)),
            Traced::ChangeCipherSpec => Some(Self::ChangeCipherSpec),
            _ => None,
        }
    }
}

/// A rung in the making.
struct Line {
    key: Key,
    /// As that side counts.
    flight: u32,
    /// Each transmission: `message_seq` and the number of the retransmission.
    transmissions: BTreeSet<(Option<u16>, u32)>,
    rung: Rung,
}

/// One side's flights, in the order in which it first sent their messages.
fn flights<'a>(from: Side, events: impl IntoIterator<Item = &'a Seen>) -> Vec<Vec<Line>> {
    let mut flights: Vec<Vec<Line>> = Vec::new();
    for event in events {
        let Some(key) = Key::of(&event.traced) else { continue };
        let known = flights.iter_mut().flatten().find(|line| line.key == key);
        if let Some(line) = known {
            line.add(event);
            continue;
        }
        let mut line = Line::new(key, from, event);
        line.add(event);
        match flights.last_mut().filter(|flight| flight.first().is_some_and(|first| first.flight == event.flight)) {
            Some(flight) => flight.push(line),
            None => flights.push(vec![line]),
        }
    }
    flights
}

impl Line {
    fn new(key: Key, from: Side, event: &Seen) -> Self {
        let (message, message_seq, bytes) = match event.traced {
            Traced::Handshake { msg_type, message_seq, message_length, .. } => {
                (msg_type.to_string(), Some(message_seq.0), message_length)
            }
            _ => ("ChangeCipherSpec".to_owned(), None, 1),
        };
        let rung = Rung {
            flight: 0,
            from,
            message,
            message_seq,
            epoch: event.record.epoch.0,
            sequence_number: event.record.sequence_number.0,
            bytes,
            fragments: 0,
            sent: 0,
        };
        Self { key, flight: event.flight, transmissions: BTreeSet::new(), rung }
    }

    /// Counts one more fragment.
    fn add(&mut self, event: &Seen) {
        let seq = match event.traced {
            Traced::Handshake { message_seq, .. } => Some(message_seq.0),
            _ => None,
        };
        if event.retransmission == 0 && seq == self.rung.message_seq {
            self.rung.fragments += 1;
        }
        if self.transmissions.insert((seq, event.retransmission)) {
            self.rung.sent += 1;
        }
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
