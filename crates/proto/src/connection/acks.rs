//! ACKs of 1.3, both ways: telling the peer what came, and hearing from it what arrived.
//!
//! What is in a list of record numbers, and when it is due, `flight` decides. RFC 9147 §7.

use alloc::vec::Vec;

use gramseal_wire::{Ack, Codec, ContentType, Epoch, ProtocolVersion, RecordNumber};

use super::Connection;
use super::handshaking::LastFlight;
use super::stats::count;
use crate::config::Repair;
use crate::discard::Discard;
use crate::flight::{Acknowledged, Acks, Resend};
use crate::time::Instant;
use crate::trace::{Direction, TraceEvent, Traced};

impl Connection {
    /// Whether the peer is known to understand ACKs (RFC 9147 §7, and what rfc9147bis makes of it: no
    /// ACK before 1.3 is agreed on). None of ours goes out before the keys of the handshake, unless the configuration
    /// allows it.
    pub(super) fn speaks_acks(&self) -> bool {
        let is_13 = self.records.version() == Some(ProtocolVersion::DTLS1_3);
        let protected = || self.records.speaking_epoch() > Epoch::UNPROTECTED;
        is_13 && (protected() || self.role.common().transport.unprotected_acks)
    }

    /// Whether losses are made good as soon as they are heard of.
    pub(super) fn repairs_promptly(&self) -> bool {
        self.role.common().transport.repair == Repair::Promptly
    }

    /// Whether there may be ACKs in this association: in 1.2 there are none.
    pub(super) fn may_speak_acks(&self) -> bool {
        let allowed = || self.role.common().allows(ProtocolVersion::DTLS1_3);
        self.records.version().map_or_else(allowed, |version| version == ProtocolVersion::DTLS1_3)
    }

    /// The list of what came, if somebody may ever want it.
    pub(super) fn acks(&self) -> Option<&Acks> {
        match (&self.post, &self.handshake) {
            (Some(post), _) => Some(&post.acks),
            (None, Some(handshake)) => Some(&handshake.acks),
            (None, None) => None,
        }
    }

    pub(super) fn acks_mut(&mut self) -> Option<&mut Acks> {
        match (&mut self.post, &mut self.handshake) {
            (Some(post), _) => Some(&mut post.acks),
            (None, Some(handshake)) => Some(&mut handshake.acks),
            (None, None) => None,
        }
    }

    /// A record with a part of the peer's flight came; `hurry` says to tell it at once.
    pub(super) fn note_record(&mut self, number: RecordNumber, hurry: Hurry, now: Instant) {
        if !self.may_speak_acks() {
            return;
        }
        let patience = match (&self.handshake, &self.post) {
            (Some(handshake), _) => handshake.retransmit.quarter(),
            (None, Some(post)) => post.initial_wait / 4,
            (None, None) => return,
        };
        let speaks = self.speaks_acks();
        let prompt = self.repairs_promptly();
        let Some(acks) = self.acks_mut() else { return };
        // A client that does not know the version has nobody to tell; the wait begins when it has.
        acks.note(number, now, speaks.then_some(patience));
        let helps = prompt && (acks.is_awaited() || hurry == Hurry::Yes);
        if helps && speaks {
            acks.hurry();
        }
    }

    /// A part of a record is dropped, so that the record must not count as received.
    pub(super) fn discard_part(&mut self, number: RecordNumber, reason: Discard) {
        self.discard(reason);
        // What nothing protects may be forged, and have the number of a record that came.
        if number.epoch > Epoch::UNPROTECTED {
            if let Some(acks) = self.acks_mut() {
                acks.refuse(number);
            }
        }
    }

    /// An ACK that is due, as the first record of a datagram.
    pub(super) fn put_ack(&mut self, datagram: &mut Vec<u8>) {
        if !self.speaks_acks() {
            return;
        }
        // RFC 9147 §7: in the highest epoch that we send in.
        let epoch = self.records.write_epoch();
        let room = self.mtu.for_flights().saturating_sub(datagram.len() + self.records.overhead(epoch));
        let room = room.min(self.records.max_content(epoch));
        let mut content = Vec::new();
        if self.acks_mut().is_some_and(|acks| acks.take(room, &mut content)) {
            let number = self.put_record(epoch, ContentType::ACK, &content, datagram);
            count(&mut self.stats.acks_sent, 1);
            if let (Some(number), Ok(ack)) = (number, Ack::from_bytes(&content)) {
                let records = ack.record_numbers.iter().count();
                self.trace_sent(TraceEvent::new(Direction::Sent, Traced::Ack { records }, number));
            }
            // RFC 9147 §7: after the handshake each record is acknowledged once, each time it comes.
            let once = self.repairs_promptly();
            if let Some(post) = self.post.as_mut().filter(|_| once) {
                post.acks.clear();
            }
        }
    }

    /// The peer tells what it has of our flight (RFC 9147 §7). Without protection that is believed only where the
    /// configuration says so, and never after the handshake.
    pub(super) fn ack_record(&mut self, number: RecordNumber, content: &[u8], now: Instant) {
        let unprotected = number.epoch == Epoch::UNPROTECTED;
        let believes = || self.role.common().transport.unprotected_acks && self.handshake.is_some();
        if unprotected && !(believes() && self.may_speak_acks()) {
            return self.discard(Discard::UnexpectedContent);
        }
        let Ok(ack) = Ack::from_bytes(content) else { return self.discard(Discard::Malformed) };
        let speaks = self.speaks_acks();
        count(&mut self.stats.acks_received, 1);
        let records = ack.record_numbers.iter().count();
        self.trace_received(Traced::Ack { records }, number);
        // A client that does not know the version cannot know what is acknowledged.
        if unprotected && !speaks {
            return;
        }
        let prompt = self.repairs_promptly();
        let Some(handshake) = &mut self.handshake else {
            // One side may have updated its keys and the other not, so that its ACKs, in the highest epoch
            // that it writes in, speak of higher ones. rfc9147bis §7.2 leaves that open.
            return self.post_acknowledged(ack.record_numbers.iter(), now);
        };
        // rfc9147bis §7.2: an ACK cannot speak of epochs that come after its own.
        let numbers = ack.record_numbers.iter().filter(|told| told.epoch <= number.epoch);
        let latest = numbers.clone().max();
        if numbers.clone().count() < records {
            self.stats.discards.count(Discard::Malformed);
        }
        match (handshake.outbound.acknowledge(numbers), latest) {
            (Acknowledged::All, _) => {
                handshake.retransmit.stop();
                let confirms = handshake.is_done() && handshake.last_flight == LastFlight::Acknowledged;
                self.measure_round_trip(number.epoch, now);
                if confirms {
                    self.confirm();
                }
            }
            _ if !prompt => {}
            // RFC 9147 §7.2: what it lacks is sent again, as far as it can have arrived by now.
            (Acknowledged::Part, Some(latest)) => {
                let old = handshake.retransmit.is_quarter_over(now);
                let what = if old { Resend::Missing } else { Resend::Overtaken };
                let again = !handshake.state.is_waiting() && handshake.outbound.resend(what, latest);
                if again {
                    count(&mut self.stats.retransmissions, 1);
                }
                // What was held back goes out too.
                if again || handshake.outbound.has_pending() {
                    handshake.retransmit.resume(now);
                }
            }
            // It lacks something and has nothing to tell: as if it repeated its own flight.
            _ => self.repeat_flight(now),
        }
    }
}

/// Whether the peer should hear at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hurry {
    Yes,
    No,
}
