//! Our messages after the handshake: each is repeated until the peer acknowledges it.
//!
//! RFC 9147 §5.8.4, §7.2 and §8. Every message is a flight of its own, with its own timer; it keeps
//! the epoch that it was first sent in. What a message means is not asked: whoever hands one over
//! says whether others may be sent behind it before it has arrived.
//!
//! Bounds: at most [`PostFlights::MAX_MESSAGES`] messages are kept, and none is sent that is
//! [`PostFlights::WINDOW`] or more ahead of the oldest that has not arrived, because a peer takes
//! only so many ahead of the one that is due.
//!
//! Messages are numbered, and a peer takes them in order: one that is given up would keep out all
//! later ones for ever. So none is, unless `Transport::max_retransmissions` ends the association over it. After [`PostFlights::MAX_TIMEOUTS`] timeouts it rests, and goes
//! out again when the peer is next heard from, and after that at most once per longest wait.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use gramseal_wire::{Epoch, MessageSeq, RecordNumber};

use super::outbound::{Acknowledged, Outbound, Resend};
use super::piece::{Piece, Pieces};
use super::retransmit::Retransmit;
use crate::message::Message;
use crate::time::Instant;

/// Whether other messages may be sent while one has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// They may.
    Others,
    /// They wait (RFC 9147 §8 and rfc9147bis: nothing comes behind a KeyUpdate in its epoch).
    Nothing,
}

/// How long to wait for an ACK.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) initial: Duration,
    pub(crate) max: Duration,
}

/// The messages of one side after its handshake that the peer is not known to have.
#[derive(Default)]
pub(crate) struct PostFlights {
    /// In the order of their numbers.
    in_flight: Vec<PostFlight>,
    /// Behind those.
    waiting: VecDeque<(Message, Behind)>,
    /// Nothing is sent behind the last one in flight.
    closed: bool,
}

/// One message on its way.
struct PostFlight {
    message_seq: MessageSeq,
    outbound: Outbound,
    retransmit: Retransmit,
}

impl PostFlight {
    fn begin(mut message: Message, epoch: Epoch, waits: Waits) -> Self {
        let message_seq = message.message_seq();
        message.epoch = epoch;
        let mut outbound = Outbound::new();
        outbound.push_message(message);
        Self { message_seq, outbound, retransmit: Retransmit::new(waits.initial, waits.max) }
    }

    fn rests(&self) -> bool {
        self.retransmit.deadline().is_none() && !self.outbound.has_pending()
    }
}

impl PostFlights {
    /// The most messages that are kept, sent or not.
    pub(crate) const MAX_MESSAGES: usize = 16;
    /// How many messages, counted from the oldest that has not arrived, may be on their way.
    pub(crate) const WINDOW: u16 = 7;
    /// After so many timeouts in a row a message is not sent again until the peer is heard from:
    /// with waits of 400 ms and more, after 102 s.
    pub(crate) const MAX_TIMEOUTS: u32 = 8;

    /// Whether so many messages may be pushed.
    pub(crate) fn has_room(&self, messages: usize) -> bool {
        self.in_flight.len() + self.waiting.len() + messages <= Self::MAX_MESSAGES
    }

    /// Takes a message, to be sent as soon as it may be. There must be room for it, for it has a number
    /// that no other message gets.
    pub(crate) fn push(&mut self, message: Message, behind: Behind) {
        debug_assert!(self.has_room(1), "whoever makes a message asks first");
        self.waiting.push_back((message, behind));
    }

    /// What is kept, in order: pushed once more elsewhere, it is sent once more from the start.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&Message, Behind)> {
        let count = self.in_flight.len();
        let sent = self.in_flight.iter().enumerate().flat_map(move |(index, flight)| {
            let last = self.closed && index + 1 == count;
            flight
                .outbound
                .messages()
                .map(move |message| (message, if last { Behind::Nothing } else { Behind::Others }))
        });
        sent.chain(self.waiting.iter().map(|(message, behind)| (message, *behind)))
    }

    /// Begins to send what waits and may be sent, in `epoch`.
    pub(crate) fn advance(&mut self, epoch: Epoch, waits: Waits) {
        while !self.closed {
            let oldest = self.in_flight.first().map(|flight| flight.message_seq);
            let fits = |message: &Message| {
                oldest.and_then(|oldest| message.message_seq().checked_sub(oldest)).is_none_or(|gap| gap < Self::WINDOW)
            };
            if !self.waiting.front().is_some_and(|(message, _)| fits(message)) {
                return;
            }
            let Some((message, behind)) = self.waiting.pop_front() else { return };
            self.in_flight.push(PostFlight::begin(message, epoch, waits));
            self.closed = behind == Behind::Nothing;
        }
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.waiting.is_empty()
    }

    /// The epoch of the next piece.
    pub(crate) fn pending_epoch(&self) -> Option<Epoch> {
        self.in_flight.iter().find_map(|flight| flight.outbound.pending_epoch())
    }

    /// Fills the next record, see [`Outbound::fill`]: messages share it.
    pub(crate) fn fill(&mut self, room: usize, record: &mut Pieces) {
        for flight in self.in_flight.iter_mut().filter(|flight| flight.outbound.has_pending()) {
            flight.outbound.fill(room, record);
            if flight.outbound.has_pending() {
                return;
            }
        }
    }

    /// Remembers which record carried `piece`. Returns how often its message had been sent before.
    pub(crate) fn sent(&mut self, piece: &Piece, number: RecordNumber, now: Instant) -> u32 {
        let Some(flight) = self.in_flight.iter_mut().find(|flight| flight.message_seq == piece.message_seq) else {
            return 0;
        };
        flight.outbound.sent(piece, number);
        if flight.retransmit.deadline().is_none() {
            flight.retransmit.arm(now);
        }
        flight.outbound.transmission()
    }

    /// Whether something is on its way.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// The peer has these records. Numbers that we know nothing of say nothing. What they lack is sent again if
    /// `repair` says when now is.
    pub(crate) fn acknowledge(
        &mut self,
        numbers: impl Iterator<Item = RecordNumber> + Clone,
        repair: Option<Instant>,
    ) -> PostAcknowledged {
        let mut told = PostAcknowledged::default();
        let news: Vec<_> =
            self.in_flight.iter_mut().map(|flight| flight.outbound.acknowledge(numbers.clone())).collect();
        let Some(latest) = numbers.max().filter(|_| news.iter().any(|news| *news != Acknowledged::Nothing)) else {
            return told;
        };
        for (flight, news, now) in self.in_flight.iter_mut().zip(news).filter_map(|(f, n)| Some((f, n, repair?))) {
            // RFC 9147 §7.2: what it lacks is sent again, as far as it can have arrived by now.
            let old = news == Acknowledged::Part && flight.retransmit.is_quarter_over(now);
            let what = if old { Resend::Missing } else { Resend::Overtaken };
            if flight.outbound.resend(what, latest) {
                flight.retransmit.resume(now);
                told.resent += 1;
            }
        }
        self.in_flight.retain(|flight| !flight.outbound.is_acknowledged());
        if self.in_flight.is_empty() {
            self.in_flight = Vec::new();
            told.turned = core::mem::take(&mut self.closed);
            if self.waiting.is_empty() {
                // An idle connection holds no room for messages.
                self.waiting = VecDeque::new();
            }
        }
        told
    }

    /// From now on the first wait for an ACK is another one, also for what is on its way.
    pub(crate) fn set_initial_wait(&mut self, initial: Duration) {
        for flight in &mut self.in_flight {
            flight.retransmit.set_initial(initial);
        }
    }

    /// How often the message that was repeated most often was.
    pub(crate) fn expiries(&self) -> u32 {
        self.in_flight.iter().map(|flight| flight.retransmit.expiries()).max().unwrap_or(0)
    }

    /// When the first message is to be sent again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.in_flight.iter().filter_map(|flight| flight.retransmit.deadline()).min()
    }

    /// Sends again what was waited for long enough; after `at_most` times a message rests. Returns how many messages
    /// that is.
    pub(crate) fn handle_timeout(&mut self, now: Instant, at_most: u32) -> u32 {
        let mut resent = 0;
        for flight in &mut self.in_flight {
            if !flight.retransmit.expire(now) {
                continue;
            }
            if flight.retransmit.expiries() > at_most {
                flight.retransmit.stop();
                continue;
            }
            flight.outbound.rewind();
            resent += 1;
        }
        resent
    }

    /// The peer is there: what rests is sent once more. Returns how many messages that is.
    pub(crate) fn heard(&mut self, now: Instant) -> u32 {
        let mut resent = 0;
        for flight in self.in_flight.iter_mut().filter(|flight| flight.rests()) {
            flight.outbound.rewind();
            flight.retransmit.arm(now);
            resent += 1;
        }
        resent
    }
}

/// What an ACK changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PostAcknowledged {
    /// Messages of which something is sent again.
    pub(crate) resent: u32,
    /// Whether the message that is the last of its epoch has arrived, and everything before it.
    pub(crate) turned: bool,
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::time::Duration;

    use gramseal_wire::{Epoch, HandshakeHeader, HandshakeType, MessageSeq, RecordNumber, SequenceNumber};

    use super::{Behind, Pieces, PostAcknowledged, PostFlights, Waits};
    use crate::message::Message;
    use crate::time::Instant;

    const WAITS: Waits = Waits { initial: Duration::from_millis(400), max: Duration::from_secs(60) };
    /// For one short message, or 21 bytes of a long one.
    const ROOM: usize = 33;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn message(seq: u16, len: usize) -> Message {
        let length = u32::try_from(len).expect("short");
        let header = HandshakeHeader::whole(HandshakeType::NEW_SESSION_TICKET, length, MessageSeq(seq)).to_bytes();
        Message::new(Epoch(0), [&header[..], &alloc::vec![7; len]].concat()).expect("a message")
    }

    /// Some flights and the record layer's next number.
    struct Sender {
        flights: PostFlights,
        epoch: Epoch,
        next: u64,
    }

    impl Sender {
        fn new() -> Self {
            Self { flights: PostFlights::default(), epoch: Epoch(3), next: 0 }
        }

        /// Sends what there is to send: messages, epochs and record numbers.
        fn send(&mut self, now: Instant) -> Vec<(u16, u64, u64)> {
            self.flights.advance(self.epoch, WAITS);
            let mut sent = Vec::new();
            loop {
                let mut record = Pieces::new();
                self.flights.fill(ROOM, &mut record);
                let Some(first) = record.first() else { return sent };
                let number = RecordNumber::new(first.epoch, SequenceNumber(self.next));
                self.next += 1;
                for piece in record.iter() {
                    self.flights.sent(piece, number, now);
                    sent.push((piece.message_seq.0, number.epoch.0, number.sequence_number.0));
                }
            }
        }

        fn acknowledge(&mut self, epoch: u64, numbers: &[u64], now: Instant) -> PostAcknowledged {
            let number = |number: &u64| RecordNumber::new(Epoch(epoch), SequenceNumber(*number));
            self.flights.acknowledge(numbers.iter().map(number), Some(now))
        }
    }

    #[test] // RFC 9147 §5.8.4
    fn each_message_is_repeated_by_itself_until_it_is_acknowledged() {
        let mut sender = Sender::new();
        sender.flights.push(message(5, 10), Behind::Others);
        assert_eq!(sender.send(at(0)), [(5, 3, 0)]);
        sender.flights.push(message(6, 10), Behind::Others);
        assert_eq!(sender.send(at(300)), [(6, 3, 1)]);
        assert_eq!(sender.flights.deadline(), Some(at(400)));
        assert_eq!(sender.flights.handle_timeout(at(399), PostFlights::MAX_TIMEOUTS), 0);
        assert_eq!(sender.flights.handle_timeout(at(400), PostFlights::MAX_TIMEOUTS), 1);
        assert_eq!(sender.send(at(400)), [(5, 3, 2)], "the other one is younger");
        assert_eq!(sender.flights.deadline(), Some(at(700)));
        // Whichever transmission the peer has seen.
        assert_eq!(sender.acknowledge(3, &[0], at(410)), PostAcknowledged::default());
        assert_eq!(sender.acknowledge(3, &[1], at(420)), PostAcknowledged::default());
        assert!(sender.flights.is_empty());
        assert_eq!(sender.flights.deadline(), None);
    }

    #[test] // RFC 9147 §7.2
    fn only_the_bytes_that_are_missing_are_sent_again() {
        let mut sender = Sender::new();
        sender.flights.push(message(5, 63), Behind::Others);
        assert_eq!(sender.send(at(0)), [(5, 3, 0), (5, 3, 1), (5, 3, 2)]);
        assert_eq!(sender.acknowledge(3, &[0, 2], at(20)).resent, 1);
        assert_eq!(sender.send(at(20)), [(5, 3, 3)]);
        sender.acknowledge(3, &[3], at(40));
        assert!(sender.flights.is_empty());
    }

    #[test] // RFC 9147 §7.2
    fn a_message_that_a_later_one_has_overtaken_is_sent_again() {
        let mut sender = Sender::new();
        sender.flights.push(message(5, 10), Behind::Others);
        sender.flights.push(message(6, 10), Behind::Others);
        sender.flights.push(message(7, 10), Behind::Others);
        assert_eq!(sender.send(at(0)).len(), 3);
        assert_eq!(sender.acknowledge(3, &[1], at(20)).resent, 1);
        assert_eq!(sender.send(at(20)), [(5, 3, 3)]);
        // An ACK that says nothing new repeats nothing.
        assert_eq!(sender.acknowledge(3, &[1], at(20)).resent, 0);
    }

    #[test] // RFC 9147 §8, rfc9147bis §8
    fn nothing_is_sent_behind_a_key_update_until_all_before_it_has_arrived() {
        let mut sender = Sender::new();
        sender.flights.push(message(5, 10), Behind::Others);
        sender.flights.push(message(6, 1), Behind::Nothing);
        sender.flights.push(message(7, 10), Behind::Others);
        assert_eq!(sender.send(at(0)), [(5, 3, 0), (6, 3, 1)]);
        assert!(!sender.acknowledge(3, &[1], at(20)).turned, "the peer has it, but cannot have taken it");
        assert_eq!(sender.send(at(20)), [(5, 3, 2)]);
        assert!(sender.acknowledge(3, &[2], at(40)).turned);
        sender.epoch = Epoch(4);
        assert_eq!(sender.send(at(40)), [(7, 4, 3)]);
        assert!(!sender.acknowledge(4, &[3], at(60)).turned);
    }

    #[test]
    fn what_is_kept_is_told_in_order_with_what_may_go_behind_it() {
        let mut sender = Sender::new();
        let kinds = [(5, Behind::Others), (6, Behind::Nothing), (7, Behind::Others), (8, Behind::Nothing)];
        for (seq, behind) in kinds {
            sender.flights.push(message(seq, 10), behind);
        }
        let told = |sender: &Sender| sender.flights.messages().map(|(m, b)| (m.message_seq().0, b)).collect::<Vec<_>>();
        assert_eq!(told(&sender), kinds, "before anything is sent");
        assert_eq!(sender.send(at(0)).len(), 2);
        assert_eq!(told(&sender), kinds, "two are on their way");
    }

    #[test] // RFC 9147 §4.2.1
    fn a_message_is_repeated_in_its_first_epoch() {
        let mut sender = Sender::new();
        sender.flights.push(message(5, 10), Behind::Others);
        sender.send(at(0));
        sender.epoch = Epoch(4);
        sender.flights.handle_timeout(at(400), PostFlights::MAX_TIMEOUTS);
        assert_eq!(sender.send(at(400)), [(5, 3, 1)]);
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for_nor_sent_than_a_peer_takes() {
        let mut sender = Sender::new();
        let mut seq = 0;
        while sender.flights.has_room(1) {
            sender.flights.push(message(seq, 10), Behind::Others);
            seq += 1;
        }
        assert_eq!(usize::from(seq), PostFlights::MAX_MESSAGES);
        assert_eq!(sender.send(at(0)).len(), usize::from(PostFlights::WINDOW));
        sender.acknowledge(3, &[1, 2], at(20));
        let repeated: Vec<_> = sender.send(at(20)).iter().map(|(seq, ..)| *seq).collect();
        assert_eq!(repeated, [0], "the peer still waits for the first");
        sender.acknowledge(3, &[0], at(40));
        let more: Vec<_> = sender.send(at(40)).iter().map(|(seq, ..)| *seq).collect();
        assert_eq!(more, [7, 8, 9]);
    }

    #[test] // RFC 9147 §7.3
    fn what_is_never_acknowledged_rests_until_the_peer_is_heard() {
        let mut sender = Sender::new();
        sender.flights.push(message(5, 10), Behind::Others);
        sender.send(at(0));
        let mut times = 1;
        while let Some(deadline) = sender.flights.deadline() {
            times += sender.flights.handle_timeout(deadline, PostFlights::MAX_TIMEOUTS);
            sender.send(deadline);
        }
        assert_eq!(times, 1 + PostFlights::MAX_TIMEOUTS);
        let later = at(1_000_000);
        assert_eq!((sender.flights.heard(later), sender.flights.heard(later)), (1, 0));
        assert_eq!(sender.send(later).len(), 1);
        assert_eq!(sender.flights.deadline(), Some(later + WAITS.max));
        assert_eq!(sender.flights.handle_timeout(later + WAITS.max, PostFlights::MAX_TIMEOUTS), 0);
        assert_eq!(sender.flights.deadline(), None, "it rests again");
        sender.acknowledge(3, &[0], later);
        assert!(sender.flights.is_empty());
    }
}
