//! After a handshake of 1.3: messages that may still come or go, each of them acknowledged.
//!
//! RFC 9147 §5.8.4, RFC 9846 §4.7. Nothing of it exists in 1.2, where renegotiation is refused. What
//! a KeyUpdate does is in `key_update`; authentication of clients is in `authenticate`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use gramseal_wire::extension::EarlyDataNewSessionTicket;
use gramseal_wire::handshake::NewSessionTicket13;
use gramseal_wire::{Codec, Epoch, Fragment, HandshakeMessage, HandshakeType, MessageSeq, RecordNumber};

use super::acks::Hurry;
use super::deferred::Deferral;
use super::key_update::KeyUpdates;
use super::stats::count;
use super::{Connection, Phase, Role};
use crate::discard::{Discard, DiscardCounts};
use crate::error::{Error, PeerFault};
use crate::flight::{Acks, Behind, Inbound, InboundLimits, Inserted, Pieces, PostFlights, Waits, first_wait};
use crate::handshake::PostHandshake;
use crate::message::Message;
use crate::time::Instant;

/// What a connection of 1.3 keeps for what comes after its handshake.
pub(super) struct Post {
    pub(super) inbound: Inbound,
    pub(super) acks: Acks,
    /// What of ours the peer is not known to have.
    pub(super) flights: PostFlights,
    /// The first wait for an ACK.
    pub(super) initial_wait: Duration,
    pub(super) after: PostHandshake,
    pub(super) updates: KeyUpdates,
    /// What authenticating the client waits for.
    pub(super) deferral: Option<Box<Deferral>>,
    /// Until when the peer's last flight is acknowledged again when it repeats it.
    pub(super) last_flight_kept: Option<Instant>,
}

/// Why a message was not taken. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotSent {
    /// The handshake is not over, or was one of 1.2.
    NoPostHandshake,
    /// As many wait as may, see [`PostFlights::MAX_MESSAGES`].
    TooManyMessages,
    /// Messages cannot be numbered any more (rfc9147bis §5.2: the numbers must not wrap).
    NumbersUsedUp,
}

impl Post {
    /// With what came last in the handshake, if the peer must still hear of it.
    pub(super) fn new(
        next: MessageSeq,
        after: PostHandshake,
        acks: Acks,
        initial_wait: Duration,
        longest: u32,
    ) -> Self {
        let limits =
            InboundLimits { max_message_len: longest, max_ahead: longest as usize, ..InboundLimits::default() };
        let mut inbound = Inbound::new(next, limits);
        // There is nothing that it could make give way.
        inbound.expect_epoch(Epoch::APPLICATION, &mut DiscardCounts::default());
        let (flights, updates) = (PostFlights::default(), KeyUpdates::default());
        let initial_wait = first_wait(initial_wait);
        Self { inbound, acks, flights, initial_wait, after, updates, deferral: None, last_flight_kept: None }
    }
}

impl Post {
    /// Whether a message with this number has come.
    pub(super) fn is_old(&self, message_seq: MessageSeq) -> bool {
        self.inbound.is_old(message_seq)
    }
}

impl Connection {
    /// A fragment under application keys.
    pub(super) fn post_fragment(&mut self, number: RecordNumber, fragment: Fragment<'_>, now: Instant) {
        let prompt = self.repairs_promptly();
        let Some(post) = &mut self.post else { return };
        // RFC 9846 §4.7.1, §4.7.2: a server sends these only after it has the client's Finished.
        let after = [HandshakeType::NEW_SESSION_TICKET, HandshakeType::CERTIFICATE_REQUEST];
        let tells = prompt && after.contains(&fragment.msg_type);
        if tells && self.handshake.is_some() {
            self.confirm();
            return self.post_fragment(number, fragment, now);
        }
        // A connection lasts: nobody shall keep a long message in it that nobody wants to read.
        post.inbound.set_longest(match &self.role {
            Role::Server(config) if post.after.awaits_messages() => config.common.transport.max_message_len,
            role => role.longest_later(),
        });
        match post.inbound.insert(number.epoch, fragment, &mut self.stats.discards) {
            Ok(Inserted::Stored) => {}
            Ok(Inserted::AlreadyHad | Inserted::Old { .. }) => self.discard(Discard::FragmentOld),
            Err(reason) => return self.discard_part(number, reason),
        }
        while let Some(message) = self.post.as_mut().and_then(|post| post.inbound.next()) {
            self.image_changed();
            self.post_message(&message, number);
        }
        // Whoever goes on from an image has no part of a message, and the peer would not send it again.
        let lacks_part = |post: &Post| !post.inbound.is_empty();
        if self.checkpoints.is_some() && self.post.as_deref().is_some_and(lacks_part) {
            return;
        }
        // RFC 9147 §7: each record once, also when what is in it came before.
        self.note_record(number, Hurry::Yes, now);
    }

    fn post_message(&mut self, message: &Message, number: RecordNumber) {
        self.trace_message(message, number);
        // RFC 9846 §4.7.2: nothing comes between the messages of an answer.
        let interrupted = self.post.as_mut().is_some_and(|post| post.after.is_mid_answer());
        match (&self.role, message.msg_type()) {
            (
                Role::Server(_),
                HandshakeType::CERTIFICATE
                | HandshakeType::COMPRESSED_CERTIFICATE
                | HandshakeType::CERTIFICATE_VERIFY
                | HandshakeType::FINISHED,
            ) => self.client_message(message),
            (_, other) if interrupted => self.fail(PeerFault::UnexpectedMessage(other).into()),
            (Role::Client(_), HandshakeType::CERTIFICATE_REQUEST) => self.certificate_requested(message),
            (_, HandshakeType::KEY_UPDATE) => self.key_update_received(message),
            (_, HandshakeType::NEW_CONNECTION_ID) => self.new_connection_id_received(message),
            (_, HandshakeType::REQUEST_CONNECTION_ID) => self.request_connection_id_received(message),
            (Role::Client(_), HandshakeType::NEW_SESSION_TICKET) => {
                let ticket = NewSessionTicket13::from_bytes(message.body()).map_err(Error::from);
                let early = ticket.and_then(|ticket| Ok((ticket, ticket.extensions.find()?)));
                match early {
                    Ok((ticket, early)) => {
                        let max = early.map_or(0, |early: EarlyDataNewSessionTicket| early.max_early_data_size);
                        self.keep_ticket(&ticket, max);
                    }
                    Err(error) => self.fail(error.in_message(message.msg_type())),
                }
            }
            (Role::Client(_) | Role::Server(_), other) => self.fail(PeerFault::UnexpectedMessage(other).into()),
        }
    }

    /// An authentic record of `epoch` came from the peer.
    pub(super) fn heard_after_handshake(&mut self, epoch: Epoch, now: Instant) {
        let Some(post) = &mut self.post else { return };
        if !post.flights.is_empty() {
            count(&mut self.stats.retransmissions, post.flights.heard(now));
        }
        if post.updates.unused {
            self.note_read_epoch(epoch, now);
        }
    }

    /// Sends `body` as our next message after the handshake, until the peer has acknowledged it. It waits
    /// for [`poll_transmit`](Self::poll_transmit), and for what must arrive before it. The association goes
    /// on if the peer never acknowledges it, see [`PostFlights`].
    pub(super) fn send_post<'a, B: HandshakeMessage<'a>>(&mut self, body: &B, behind: Behind) -> Result<(), NotSent> {
        let post = self.post.as_mut().ok_or(NotSent::NoPostHandshake)?;
        if !post.flights.has_room(1) {
            return Err(NotSent::TooManyMessages);
        }
        let message = post.after.message(body).map_err(|_| NotSent::NumbersUsedUp)?;
        post.flights.push(message, behind);
        self.image_changed();
        Ok(())
    }

    /// The same with a message that the handshake has numbered already: those it makes are fewer than
    /// there is room for.
    pub(super) fn send_afterwards(&mut self, message: Message) {
        if let Some(post) = &mut self.post {
            post.flights.push(message, Behind::Others);
            self.image_changed();
        }
    }

    /// What the peer's ACK says of messages after the handshake.
    pub(super) fn post_acknowledged(&mut self, numbers: impl Iterator<Item = RecordNumber> + Clone, now: Instant) {
        let prompt = self.repairs_promptly();
        let Some(post) = &mut self.post else { return };
        let told = post.flights.acknowledge(numbers.clone(), prompt.then_some(now));
        count(&mut self.stats.retransmissions, told.resent);
        self.mind_probe(numbers, told.turned, now);
        if told.turned {
            self.key_update_arrived();
            self.go_on_probing();
        }
        self.new_cids_arrived(now);
        if self.phase == Phase::Connected {
            self.answer_requests();
        }
    }

    /// Records of messages after the handshake, as many as fit.
    pub(super) fn put_post(&mut self, datagram: &mut Vec<u8>, now: Instant) {
        // Before the peer has our last flight nothing comes behind it.
        if self.handshake.is_some() || self.phase == Phase::Closed {
            return;
        }
        self.begin_due_search();
        // A datagram that tries out a size may get lost for it.
        if self.wants_probe() && !datagram.is_empty() {
            return;
        }
        let max = self.role.common().transport.max_timeout;
        let prompt = self.repairs_promptly();
        match &mut self.post {
            Some(post) if !prompt && post.flights.is_under_way() => {}
            Some(post) if !post.flights.is_empty() => {
                let waits = Waits { initial: post.initial_wait, max };
                post.flights.advance(self.records.write_epoch(), waits);
            }
            Some(_) | None => return,
        }
        let mut record = Pieces::new();
        while self.next_post_record(datagram.len(), &mut record) {
            let probe = record.iter().find_map(|piece| self.probed_size(piece));
            let Some(number) = self.put_pieces(&record, probe, datagram) else { return };
            for piece in record.iter() {
                let Some(post) = &mut self.post else { return };
                let repeated = post.flights.sent(piece, number, now);
                self.trace_piece(piece, number, 0, repeated);
            }
            if probe.is_some() {
                return self.probe_sent(number);
            }
        }
    }

    /// Whether there is something for a record behind `used` bytes.
    fn next_post_record(&mut self, used: usize, record: &mut Pieces) -> bool {
        record.clear();
        if self.waits_for_checkpoint() {
            return false;
        }
        let Some(flights) = self.post.as_mut().map(|post| &mut post.flights) else { return false };
        let Some(epoch) = flights.pending_epoch() else { return false };
        let room = self.mtu.for_flights().checked_sub(used + self.records.overhead(epoch));
        let Some(room) = room else { return false };
        flights.fill(room.min(self.records.max_content(epoch)), record);
        !record.is_empty()
    }

    /// A fragment of the handshake that is over: the peer has not heard that it is.
    pub(super) fn repeated_flight(&mut self, number: RecordNumber, now: Instant) {
        self.discard(Discard::FragmentOld);
        // RFC 9147 §5.8.1: the server acknowledges the client's last flight each time it comes.
        if number.epoch > Epoch::UNPROTECTED && matches!(self.role, Role::Server(_)) {
            self.note_record(number, Hurry::Yes, now);
        }
    }
}
