//! A connection with its caller: what must hold of it whatever arrives.

use std::net::SocketAddr;
use std::time::Duration;

use gramseal_proto::{CloseReason, Connection, Event, Instant};

/// When everything begins.
pub const START: Instant = Instant::from_micros(1_000_000);

/// More datagrams than anybody answers one event with.
const MOST_ANSWERS: usize = 2000;

/// A connection, what it has received, and what it wants to send.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "targets look at all of it")]
pub struct Host {
    /// The connection.
    pub connection: Connection,
    /// Application data, early data included.
    pub received: Vec<Vec<u8>>,
    /// Datagrams to send to the peer.
    pub outgoing: Vec<Vec<u8>>,
    /// Datagrams to send elsewhere.
    pub elsewhere: Vec<(SocketAddr, Vec<u8>)>,
    /// What it said.
    pub events: Vec<Event>,
}

impl Host {
    /// Takes care of `connection`.
    #[must_use]
    pub fn new(connection: Connection, now: Instant) -> Self {
        let mut host =
            Self { connection, received: Vec::new(), outgoing: Vec::new(), elsewhere: Vec::new(), events: Vec::new() };
        host.drain(now);
        host
    }

    /// Hands over a datagram.
    ///
    /// # Panics
    /// If application data comes before or after it may.
    pub fn deliver(&mut self, now: Instant, from: Option<SocketAddr>, mut datagram: Vec<u8>) {
        let was_closed = self.connection.is_closed();
        let before = self.received.len();
        let payloads = match from {
            Some(from) => self.connection.handle_datagram_from(now, from, &mut datagram),
            None => self.connection.handle_datagram(now, &mut datagram),
        };
        self.received.extend(payloads.map(|payload| payload.to_vec()));
        let came = self.received.len() > before;
        assert!(!came || !was_closed, "a closed connection gives out application data");
        assert!(!came || self.connection.negotiated().is_some(), "application data before the handshake is done");
        self.drain(now);
    }

    /// Lets time go by until `end`; what is due happens when it is due.
    ///
    /// # Panics
    /// If a timer does not move on.
    pub fn advance(&mut self, from: Instant, end: Instant) {
        let mut now = from;
        while let Some((at, timer)) = self.connection.poll_timeout().filter(|(at, _)| *at <= end) {
            now = now.max(at);
            self.connection.handle_timeout(now);
            self.drain(now);
            let next = self.connection.poll_timeout();
            assert!(next.is_none_or(|(next, _)| next > now), "{timer:?} does not move on");
        }
    }

    /// Collects what there is to send and to say.
    ///
    /// # Panics
    /// If that has no end.
    pub fn drain(&mut self, now: Instant) {
        let mut datagram = Vec::new();
        let before = self.outgoing.len();
        while self.connection.poll_transmit(now, &mut datagram) {
            assert!(!datagram.is_empty(), "an empty datagram");
            self.outgoing.push(std::mem::take(&mut datagram));
            assert!(self.outgoing.len() - before < MOST_ANSWERS, "it sends without end");
        }
        while let Some(to) = self.connection.poll_transmit_to(&mut datagram) {
            self.elsewhere.push((to, std::mem::take(&mut datagram)));
            assert!(self.elsewhere.len() < MOST_ANSWERS, "it sends elsewhere without end");
        }
        self.events.extend(std::iter::from_fn(|| self.connection.poll_event()));
        self.received.extend(std::iter::from_fn(|| self.connection.poll_early_data()));
        assert!(self.connection.poll_deferred().is_none(), "nobody is slow here");
    }

    /// Seals application data, if that can be sent now.
    #[must_use]
    pub fn seal(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut datagram = vec![0; self.connection.sealed_len(payload.len())];
        let len = self.connection.seal(payload, &mut datagram).ok()?;
        datagram.truncate(len);
        Some(datagram)
    }

    /// Why it closed, if it did.
    #[must_use]
    pub fn closed(&self) -> Option<&CloseReason> {
        self.events.iter().find_map(|event| if let Event::Closed(reason) = event { Some(reason) } else { None })
    }

    /// Connected for good or closed.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.connection.is_connected() || self.connection.is_closed()
    }
}

/// A time that a fuzzer chose, up to some two minutes; short ones are as likely as long ones.
#[must_use]
pub const fn time(byte: u8) -> Duration {
    Duration::from_millis(1 << (byte % 18))
}
