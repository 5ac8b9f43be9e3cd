//! The way in: datagram, record, content.

use alloc::vec::Vec;
use core::net::SocketAddr;

use gramseal_wire::{
    Alert, AlertDescription, AlertLevel, ChangeCipherSpec, Codec, ContentType, Epoch, Fragment, HandshakeType,
    MessageSeq, ProtocolVersion, Reader, RecordNumber,
};

use super::acks::Hurry;
use super::handshaking::Suspicion;
use super::stats::count;
use super::{CloseReason, Connection, Phase, Role};
use crate::discard::Discard;
use crate::error::{AlertReceived, Error, PeerFault};
use crate::flight::Inserted;
use crate::handshake::{Action, State};
use crate::message::Message;
use crate::record::{Record, split_record};
use crate::time::Instant;
use crate::trace::{Direction, TraceEvent, Traced};

/// The application payloads of one datagram, opened in place.
///
/// An iterator; each step opens further records. Dropping it handles what is left.
#[must_use = "handle the payloads, or drop it to handle everything else in the datagram"]
#[derive(Debug)]
pub struct Received<'c, 'd> {
    connection: &'c mut Connection,
    now: Instant,
    rest: &'d mut [u8],
    /// Where the datagram came from, if the caller has said.
    from: Option<SocketAddr>,
    /// Whether a record in it had one of our connection ids.
    named: bool,
}

impl<'d> Iterator for Received<'_, 'd> {
    type Item = &'d mut [u8];

    fn next(&mut self) -> Option<&'d mut [u8]> {
        loop {
            match split_record(&mut self.rest, self.connection.records.cids()) {
                Ok(Some(mut record)) => {
                    if self.named {
                        record.follows_named();
                    }
                    self.named = record.is_named();
                    if let Some(payload) = self.connection.handle_record(record, self.from.as_ref(), self.now) {
                        return Some(payload);
                    }
                }
                Ok(None) => return None,
                // What follows a broken record cannot be found.
                Err(reason) => {
                    self.connection.discard(reason);
                    return None;
                }
            }
        }
    }
}

impl Drop for Received<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        // Usually the caller has taken all that there is.
        while !self.rest.is_empty() {
            if let Some(payload) = self.next() {
                // The caller did not want it; it is not lost without a trace.
                let _unread: &[u8] = payload;
                self.connection.stats.payloads_ignored += 1;
            }
        }
    }
}

impl Connection {
    /// Takes one datagram from the peer and gives the application payloads in it, as slices of
    /// `datagram`. Everything else in it is handled too.
    #[inline]
    pub fn handle_datagram<'c, 'd>(&'c mut self, now: Instant, datagram: &'d mut [u8]) -> Received<'c, 'd> {
        self.handle(None, now, datagram)
    }

    /// The same, with the address that the datagram came from. If that is not the peer's, which
    /// [`set_peer`](Self::set_peer) has named, and the newest record came from there, the peer has perhaps moved. Whether
    /// it has is [checked](crate::config::PathCheck) if both sides agreed on that (RFC 9853), and left to the
    /// [`MovePolicy`](crate::config::MovePolicy) if not; [`Event::PeerMoved`](crate::Event::PeerMoved) tells of a move.
    /// Until then everything that [`poll_transmit`](Self::poll_transmit) and [`seal`](Self::seal) give goes where the
    /// peer was; what goes elsewhere is given by [`poll_transmit_to`](Self::poll_transmit_to).
    pub fn handle_datagram_from<'c, 'd>(
        &'c mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Received<'c, 'd> {
        if self.is_elsewhere(from) {
            return self.handle_elsewhere(from, now, datagram);
        }
        self.handle(None, now, datagram)
    }

    /// By itself, so that where nobody has moved no address is copied. Nobody moves from where a datagram came from while
    /// it is read.
    #[cold]
    #[inline(never)]
    fn handle_elsewhere<'c, 'd>(
        &'c mut self,
        from: SocketAddr,
        now: Instant,
        datagram: &'d mut [u8],
    ) -> Received<'c, 'd> {
        self.another_from_elsewhere();
        self.handle(Some(from), now, datagram)
    }

    #[inline]
    fn handle<'c, 'd>(
        &'c mut self,
        from: Option<SocketAddr>,
        now: Instant,
        datagram: &'d mut [u8],
    ) -> Received<'c, 'd> {
        self.stats.datagrams_received += 1;
        if let Some(budget) = self.handshake.as_mut().and_then(|handshake| handshake.budget.as_mut()) {
            budget.received(datagram.len());
        }
        Received { connection: self, now, rest: datagram, from, named: false }
    }

    pub(super) fn discard(&mut self, reason: Discard) {
        self.stats.discards.count(reason);
    }

    /// Always part of its callers, so that what [`split_record`] has read of the header stays in registers: written in
    /// small pieces and read in large ones it would have to settle in the cache first.
    #[inline(always)]
    fn handle_record<'d>(
        &mut self,
        record: Record<'d>,
        from: Option<&SocketAddr>,
        now: Instant,
    ) -> Option<&'d mut [u8]> {
        if self.phase == Phase::Closed {
            self.discard(Discard::Closed);
            return None;
        }
        if self.keep_ahead(&record) {
            return None;
        }
        self.awake();
        let (named, bytes) = (record.is_named(), record.bytes().len());
        let opened = match self.records.open(record) {
            Ok(opened) => opened,
            Err(reason) => {
                self.discard(reason);
                // A handshake ends at its deadline, whatever its keys open.
                if self.phase == Phase::Connected {
                    self.mind_forgeries(reason);
                }
                return None;
            }
        };
        if self.early.is_some() && opened.number.epoch == Epoch::EARLY_DATA {
            self.early_record(opened);
            return None;
        }
        self.heard_in(opened.number.epoch, now);
        // Asked for each record: the one before may have said where the peer is.
        let elsewhere = from.copied().filter(|from| self.is_elsewhere(*from));
        if let Some(from) = elsewhere.filter(|_| named) {
            self.heard_from(from, opened.number, bytes, now);
        }
        match opened.content_type {
            ContentType::APPLICATION_DATA => return self.application_data(opened.number, opened.content),
            ContentType::HANDSHAKE => self.handshake_record(opened.number, opened.content, now),
            ContentType::ALERT => self.alert_record(opened.number, opened.content),
            ContentType::ACK => self.ack_record(opened.number, opened.content, now),
            ContentType::CHANGE_CIPHER_SPEC => self.change_cipher_spec_record(opened.number, opened.content),
            ContentType::RETURN_ROUTABILITY_CHECK => {
                self.path_record(opened.number, (opened.content, bytes), elsewhere, now);
            }
            _ => self.discard(Discard::UnknownContentType),
        }
        None
    }

    /// A record of `epoch` was opened. What keys protect comes from the peer, which is there then and has not
    /// given up; what nothing protects says nothing of it.
    #[inline]
    fn heard_in(&mut self, epoch: Epoch, now: Instant) {
        if epoch == Epoch::UNPROTECTED {
            return;
        }
        if let Some(handshake) = &mut self.handshake {
            handshake.hear();
            // Nobody makes a record of the handshake's epoch who has not received our hello.
            if epoch >= Epoch::HANDSHAKE {
                handshake.budget = None;
            }
        }
        self.heard_after_handshake(epoch, now);
    }

    /// Sets a record of the next epoch aside until its keys are there.
    fn keep_ahead(&mut self, record: &Record<'_>) -> bool {
        let Some(handshake) = &mut self.handshake else { return false };
        // Once all epochs of the handshake have keys nothing is ahead any more, and what claims to be
        // would be kept for nothing and lost uncounted.
        let takes_early_data = matches!(&self.role, Role::Server(config) if config.early_data.is_some());
        let early_data = takes_early_data && self.records.comes_before_hello(record);
        if !early_data && !self.records.comes_ahead(record) {
            return false;
        }
        if let Err(reason) = handshake.ahead.push(record.bytes()) {
            self.discard(reason);
        }
        true
    }

    /// Opens what came before its keys. Application data among it is dropped: its Finished was
    /// not verified when it came (RFC 6347 §4.2.4).
    pub(super) fn handle_ahead(&mut self, now: Instant) {
        let Some(handshake) = &mut self.handshake else { return };
        if handshake.ahead.is_empty() || self.records.newest_read_epoch() == Epoch::UNPROTECTED {
            return;
        }
        for mut kept in handshake.ahead.drain() {
            let mut rest = kept.as_mut_slice();
            match split_record(&mut rest, self.records.cids()) {
                Ok(Some(mut record)) => {
                    // What stood before it in its datagram is forgotten.
                    record.follows_named();
                    if self.handle_record(record, None, now).is_some() {
                        self.discard(Discard::BeforeFinished);
                    }
                }
                Ok(None) => {}
                Err(reason) => self.discard(reason),
            }
        }
    }

    #[inline]
    fn application_data<'d>(&mut self, number: RecordNumber, content: &'d mut [u8]) -> Option<&'d mut [u8]> {
        if number.epoch == Epoch::UNPROTECTED {
            self.discard(Discard::UnexpectedContent);
            return None;
        }
        // RFC 9846 §5: the keys of the handshake protect none.
        if number.epoch == Epoch::HANDSHAKE {
            self.fail(PeerFault::MisplacedApplicationData.into());
            return None;
        }
        if self.phase != Phase::Connected {
            self.discard(Discard::BeforeFinished);
            return None;
        }
        match self.post {
            // In 1.2 only who has seen our Finished sends application data.
            None if self.handshake.is_some() => self.confirm(),
            None | Some(_) => {}
        }
        self.stats.records_opened += 1;
        Some(content)
    }

    /// ChangeCipherSpec says nothing that the epoch of the next record does not say, and nothing
    /// authenticates it: it is checked for its form and otherwise ignored (RFC 6347 §4.2.5).
    fn change_cipher_spec_record(&mut self, number: RecordNumber, content: &[u8]) {
        // RFC 9147 §5: 1.3 has none.
        let is_13 = self.records.version() == Some(ProtocolVersion::DTLS1_3);
        if is_13 || number.epoch != Epoch::UNPROTECTED {
            return self.discard(Discard::UnexpectedContent);
        }
        match ChangeCipherSpec::from_bytes(content) {
            Ok(_) => {
                if let Some(handshake) = &mut self.handshake {
                    handshake.flights.number(Direction::Received);
                }
                self.trace_received(Traced::ChangeCipherSpec, number);
            }
            Err(_) => self.discard(Discard::Malformed),
        }
    }

    pub(super) fn alert_record(&mut self, number: RecordNumber, content: &[u8]) {
        let Ok(alert) = Alert::from_bytes(content) else { return self.malformed(number, PeerFault::MalformedAlert) };
        self.trace_received(Traced::Alert(alert.description), number);
        let closes = alert.description == AlertDescription::CLOSE_NOTIFY;
        let ends = match self.records.version() {
            // RFC 9846 §6: the level says nothing; all but these two are errors, also those that nobody knows.
            Some(ProtocolVersion::DTLS1_3) => alert.description != AlertDescription::USER_CANCELED,
            _ => closes || alert.level == AlertLevel::FATAL,
        };
        if number.epoch == Epoch::UNPROTECTED {
            self.discard(Discard::UnauthenticatedAlert);
            if let (true, Some(handshake)) = (ends, &mut self.handshake) {
                // Each of our retransmissions may draw the same alert again: that must not renew
                // our patience.
                handshake.suspicion.get_or_insert_with(|| Suspicion::of(alert.description));
            }
        } else if self.phase == Phase::Connected && closes {
            self.closed_by_peer();
        } else if ends {
            let received = AlertReceived { description: alert.description, authenticated: true };
            // The peer has forgotten the association: it has no use for our flight.
            self.handshake = None;
            self.forget_session();
            // RFC 9846 §6: nothing is sent any more.
            self.pending_alert = None;
            self.end(CloseReason::Failed(Error::AlertReceived(received)));
            self.forget_secrets();
        }
    }

    fn handshake_record(&mut self, number: RecordNumber, content: &[u8], now: Instant) {
        let mut reader = Reader::new(content);
        if reader.is_empty() {
            return self.malformed(number, PeerFault::MalformedHandshakeRecord);
        }
        // RFC 6347 §4.2.3: a record may hold several messages.
        while !reader.is_empty() && self.phase != Phase::Closed {
            match Fragment::read(&mut reader) {
                Ok(fragment) => self.handle_fragment(number, fragment, now),
                Err(_) => return self.malformed(number, PeerFault::MalformedHandshakeRecord),
            }
        }
        self.handle_ahead(now);
    }

    /// The content of a record is not what its type promises. What keys protect the peer has made, and it has lost
    /// its way (RFC 9846 §6.2); anything else may be forged.
    fn malformed(&mut self, number: RecordNumber, fault: PeerFault) {
        if number.epoch == Epoch::UNPROTECTED {
            self.discard_part(number, Discard::Malformed);
        } else {
            self.fail(fault.into());
        }
    }

    fn handle_fragment(&mut self, number: RecordNumber, fragment: Fragment<'_>, now: Instant) {
        if self.post.is_some() && number.epoch >= Epoch::APPLICATION {
            return self.post_fragment(number, fragment, now);
        }
        let Some(handshake) = &mut self.handshake else {
            return self.old_fragment(number, fragment, now);
        };
        // RFC 5246 §7.4.1.1: meaningless while a handshake of 1.2 goes on, or of what may be one. It must
        // not use up the number of the message that is due.
        let ignored = fragment.msg_type == HandshakeType::HELLO_REQUEST && number.epoch < Epoch::HANDSHAKE;
        let ignored = ignored && !handshake.inbound.is_too_far_ahead(fragment.message_seq);
        if ignored && !handshake.is_done() {
            return self.discard(Discard::UnexpectedContent);
        }
        // Nothing is due any more, so nothing is kept: only a repetition of what came can matter.
        if handshake.is_done() {
            return self.old_fragment(number, fragment, now);
        }
        if self.out_of_order(number, &fragment, now) {
            return;
        }
        let Some(handshake) = &mut self.handshake else { return };
        handshake.latest = number;
        let hurry = if handshake.inbound.continues(number.epoch, &fragment) { Hurry::No } else { Hurry::Yes };
        if !handshake.state.is_waiting() {
            if let Some(message) = handshake.inbound.take_whole(number.epoch, &fragment) {
                self.stored(number, hurry, now);
                return self.handle_message(&message, number, now);
            }
        }
        match handshake.inbound.insert(number.epoch, fragment, &mut self.stats.discards) {
            Ok(Inserted::Stored) => {
                self.stored(number, hurry, now);
            }
            Ok(Inserted::AlreadyHad) => {
                handshake.hear();
                self.came_before(number, now);
                return self.discard(Discard::FragmentOld);
            }
            Ok(Inserted::Old { message_seq, last_fragment, .. }) => {
                handshake.hear();
                // RFC 6347 §4.2.4: the end of the peer's flight once more.
                if last_fragment && handshake.inbound.is_latest(message_seq) {
                    self.repeat_flight(now);
                }
                self.came_before(number, now);
                return self.old_fragment(number, fragment, now);
            }
            Err(reason) => return self.discard_part(number, reason),
        }
        self.handle_messages(now);
    }

    /// Something of the answer to our flight came. Only what keys protect measures: anybody else could make the path
    /// appear shorter than it is, and so a check of paths too short for the peer to answer.
    pub(super) fn measure_round_trip(&mut self, epoch: Epoch, now: Instant) {
        if let Some(handshake) = self.handshake.as_mut().filter(|_| epoch > Epoch::UNPROTECTED) {
            self.stats.round_trip.measured(handshake.retransmit.answered(now));
        }
    }

    /// A part of the peer's next flight came.
    fn stored(&mut self, number: RecordNumber, hurry: Hurry, now: Instant) {
        if let Some(handshake) = &mut self.handshake {
            handshake.hear();
            self.measure_round_trip(number.epoch, now);
        }
        // RFC 9147 §7.2: only who has all of our flight answers it. What nothing protects may be
        // forged; a server that takes unprotected ACKs takes that risk here, too.
        let unprotected = self.role.common().transport.unprotected_acks && matches!(self.role, Role::Server(_));
        if number.epoch >= Epoch::HANDSHAKE || unprotected && self.speaks_acks() {
            if let Some(handshake) = &mut self.handshake {
                handshake.outbound.acknowledge_all();
                handshake.retransmit.stop();
            }
        }
        self.note_record(number, hurry, now);
    }

    /// What a record brought was there already: it is noted, if it may be believed.
    fn came_before(&mut self, number: RecordNumber, now: Instant) {
        if number.epoch > Epoch::UNPROTECTED || self.role.common().transport.unprotected_acks {
            self.note_record(number, Hurry::No, now);
        }
    }

    /// Takes the whole messages that are next in order, as long as the handshake can take any.
    pub(super) fn handle_messages(&mut self, now: Instant) {
        while let Some(handshake) = self.handshake.as_mut().filter(|handshake| !handshake.state.is_waiting()) {
            let number = handshake.latest;
            let Some(message) = handshake.inbound.next() else { return };
            self.handle_message(&message, number, now);
        }
    }

    /// One step of the handshake.
    pub(super) fn handle_message(&mut self, message: &Message, number: RecordNumber, now: Instant) {
        let Some(handshake) = &mut self.handshake else { return };
        handshake.flights.number(Direction::Received);
        let state = core::mem::replace(&mut handshake.state, State::Connected);
        let mut actions = core::mem::take(&mut handshake.actions);
        actions.reserve(Action::USUAL);
        self.trace_message(message, number);
        let hello = state.hello_sent();
        let handled = state.handle(message, &mut actions).map_err(|error| error.in_message(message.msg_type()));
        self.stepped(handled, actions, now);
        self.mind_hello(hello);
    }

    /// Carries out a step of the handshake.
    pub(super) fn stepped(&mut self, next: Result<State, Error>, actions: Vec<Action>, now: Instant) {
        match next {
            Ok(next) => {
                if let Some(handshake) = &mut self.handshake {
                    handshake.inbound.expect_epoch(next.awaited_epoch(), &mut self.stats.discards);
                    handshake.state = next;
                }
                self.apply(actions, now);
            }
            Err(error) => self.fail(error),
        }
    }

    /// The peer repeats its flight because it misses ours.
    pub(super) fn repeat_flight(&mut self, now: Instant) {
        let prompt = self.repairs_promptly();
        let Some(handshake) = self.handshake.as_mut().filter(|_| prompt) else { return };
        // The peer may wait for a signer or verifier of ours rather than for what got lost.
        let nothing_missing = handshake.outbound.is_acknowledged();
        if !nothing_missing && !handshake.state.is_waiting() && handshake.retransmit.repeat_on_request(now) {
            handshake.outbound.rewind();
            count(&mut self.stats.retransmissions, 1);
        }
    }

    /// Whether no message with this number has come, as far as anybody remembers.
    fn is_new(&self, message_seq: MessageSeq) -> bool {
        match (&self.post, &self.handshake) {
            (Some(post), _) => !post.is_old(message_seq),
            (None, Some(handshake)) => !handshake.inbound.is_old(message_seq),
            (None, None) => self.next_message.is_some_and(|next| message_seq >= next),
        }
    }

    /// A message that was delivered before, or one when none is due.
    fn old_fragment(&mut self, number: RecordNumber, fragment: Fragment<'_>, now: Instant) {
        let protected = number.epoch != Epoch::UNPROTECTED;
        let excess = protected && self.phase == Phase::Connected && self.is_new(fragment.message_seq);
        if self.post.is_some() {
            if excess {
                return self.fail(PeerFault::WrongEpoch(fragment.msg_type).into());
            }
            // The server repeats its flight: it has not seen ours.
            if fragment.msg_type == HandshakeType::FINISHED && fragment.is_last() && protected {
                self.repeat_flight(now);
            }
            return self.repeated_flight(number, now);
        }
        let done = self.phase == Phase::Connected && protected;
        let renegotiates = match self.role {
            Role::Client(_) => fragment.msg_type == HandshakeType::HELLO_REQUEST,
            Role::Server(_) => fragment.msg_type == HandshakeType::CLIENT_HELLO,
        };
        if done && renegotiates {
            // RFC 5246 §7.2.2, RFC 5746 §4.2: refused, and the association goes on.
            return if fragment.fragment_offset == 0 {
                self.warn(AlertDescription::NO_RENEGOTIATION)
            } else {
                self.discard(Discard::FragmentOld)
            };
        }
        if excess {
            return self.fail(PeerFault::ExcessMessage(fragment.msg_type).into());
        }
        match &mut self.handshake {
            // RFC 6347 §4.2.4: the peer repeats its last flight because it misses ours.
            Some(handshake) if done && fragment.msg_type == HandshakeType::FINISHED && fragment.is_last() => {
                handshake.outbound.rewind();
                count(&mut self.stats.retransmissions, 1);
            }
            _ => self.discard(Discard::FragmentOld),
        }
    }

    pub(super) fn trace_message(&self, message: &Message, number: RecordNumber) {
        let length = message.body_len();
        let traced = Traced::Handshake {
            msg_type: message.msg_type(),
            message_seq: message.message_seq(),
            fragment_offset: 0,
            fragment_length: length,
            message_length: length,
        };
        self.trace_received(traced, number);
    }

    pub(super) fn trace_received(&self, traced: Traced, number: RecordNumber) {
        let Some(trace) = &self.role.common().trace else { return };
        let flight = self.handshake.as_ref().map_or(0, |handshake| handshake.flights.current());
        trace.trace(&TraceEvent::new(Direction::Received, traced, number).in_flight(flight, 0));
    }
}
