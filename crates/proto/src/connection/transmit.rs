//! The way out: what the protocol sends by itself, and application data.

use alloc::vec::Vec;

use gramseal_wire::{Alert, AlertDescription, ContentType, Epoch, RecordNumber};

use super::{Connection, Mtu, Phase};
use crate::error::SendError;
use crate::flight::{Piece, Pieces};
use crate::record::SealError;
use crate::time::Instant;
use crate::trace::{Direction, TraceEvent, Traced};

impl Connection {
    /// Clears `datagram` and fills it with the next datagram that the protocol has to send;
    /// `false` if there is none. Call it until then. It goes where [`peer`](Self::peer) is; what goes elsewhere is from
    /// [`poll_transmit_to`](Self::poll_transmit_to).
    pub fn poll_transmit(&mut self, now: Instant, datagram: &mut Vec<u8>) -> bool {
        loop {
            self.fill(datagram, now);
            if datagram.is_empty() {
                return false;
            }
            // RFC 9147 §5.1: what is too much counts as lost, and is repeated as such.
            let budget = self.handshake.as_mut().and_then(|handshake| handshake.budget.as_mut());
            if budget.is_none_or(|budget| budget.spend(datagram.len())) {
                self.stats.datagrams_sent += 1;
                return true;
            }
        }
    }

    /// The next datagram, whether it may go out or not.
    fn fill(&mut self, datagram: &mut Vec<u8>, now: Instant) {
        datagram.clear();
        if self.waits_for_checkpoint() {
            return;
        }
        self.put_ack(datagram);
        self.put_flight(datagram);
        self.put_post(datagram, now);
        self.put_path_answers(datagram);
        self.put_challenge_to_peer(datagram);
        self.put_alert(datagram);
    }

    /// Records of our flight, as many as fit.
    fn put_flight(&mut self, datagram: &mut Vec<u8>) {
        while let Some(record) = self.next_record(datagram.len()) {
            let number = self.put_pieces(&record, None, datagram);
            let acks = self.may_speak_acks();
            let Some(handshake) = &mut self.handshake else { return };
            if let (Some(number), true) = (number, acks) {
                record.iter().for_each(|piece| handshake.outbound.sent(piece, number));
            }
            let (flight, repeated) = (handshake.flights.current(), handshake.outbound.transmission());
            if let Some(number) = number {
                record.iter().for_each(|piece| self.trace_piece(piece, number, flight, repeated));
            }
            if let Some(handshake) = &mut self.handshake {
                handshake.record = record;
            }
        }
    }

    /// What of our flight still fits behind `used` bytes, in one record.
    fn next_record(&mut self, used: usize) -> Option<Pieces> {
        let acknowledged = self.speaks_acks();
        let records_at_once = self.role.common().transport.records_at_once;
        // A flight whose signature is still to come goes out as a whole: in fewer datagrams, and cut at
        // the same places if it is sent again.
        let handshake = self.handshake.as_mut().filter(|handshake| !handshake.state.is_waiting())?;
        // In 1.2 nobody says what arrived, nor of a ClientHello.
        if acknowledged && handshake.outbound.is_full(records_at_once) {
            return None;
        }
        let epoch = handshake.outbound.pending_epoch()?;
        let room = self.mtu.for_flights().checked_sub(used + self.records.overhead(epoch))?;
        let mut record = core::mem::take(&mut handshake.record);
        record.clear();
        handshake.outbound.fill(room.min(self.records.max_content(epoch)), &mut record);
        if record.is_empty() {
            handshake.record = record;
            return None;
        }
        Some(record)
    }

    /// Appends the record that `pieces` make, and pads it until the datagram has `padded_to` bytes if that says so.
    pub(super) fn put_pieces(
        &mut self,
        pieces: &Pieces,
        padded_to: Option<usize>,
        datagram: &mut Vec<u8>,
    ) -> Option<RecordNumber> {
        let first = pieces.first()?;
        let shortest = datagram.len() + self.records.overhead(first.epoch) + pieces.payload().len();
        let padding = padded_to.map_or(0, |bytes| bytes.saturating_sub(shortest));
        self.put_padded_record(first.epoch, first.content_type, pieces.payload(), padding, datagram)
    }

    fn put_alert(&mut self, datagram: &mut Vec<u8>) {
        let Some((epoch, alert)) = self.pending_alert.filter(|_| !self.waits_for_checkpoint()) else { return };
        if datagram.len() + self.records.sealed_len(epoch, 2) > self.mtu.bytes() {
            return;
        }
        self.pending_alert = None;
        let payload = [alert.level.0, alert.description.0];
        if let Some(number) = self.put_record(epoch, ContentType::ALERT, &payload, datagram) {
            self.trace_sent(TraceEvent::new(Direction::Sent, Traced::Alert(alert.description), number));
        }
        if alert.description == AlertDescription::USER_CANCELED {
            // RFC 9846 §6.1: that alone ends nothing.
            self.pending_alert = Some((epoch, Alert::new(AlertDescription::CLOSE_NOTIFY)));
            return self.put_alert(datagram);
        }
        self.alert_is_out();
    }

    /// Appends one record; `None` if the keys are used up, which ends retransmissions too.
    pub(super) fn put_record(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        payload: &[u8],
        datagram: &mut Vec<u8>,
    ) -> Option<RecordNumber> {
        self.put_padded_record(epoch, content_type, payload, 0, datagram)
    }

    /// The same with so many bytes of padding behind it (1.3).
    pub(super) fn put_padded_record(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        payload: &[u8],
        padding: usize,
        datagram: &mut Vec<u8>,
    ) -> Option<RecordNumber> {
        self.awake();
        let used = datagram.len();
        let number = self.records.next_write_number(epoch)?;
        datagram.resize(used + self.records.sealed_len(epoch, payload.len() + padding), 0);
        let out = datagram.get_mut(used..)?;
        let sealed = self.records.seal_padded(epoch, content_type, payload, padding, out);
        datagram.truncate(used + sealed.unwrap_or(0));
        self.mind_checkpoint();
        sealed.is_ok().then_some(number)
    }

    pub(super) fn trace_piece(&self, piece: &Piece, number: RecordNumber, flight: u32, repeated: u32) {
        let traced = match piece.msg_type {
            None => Traced::ChangeCipherSpec,
            Some(msg_type) => Traced::Handshake {
                msg_type,
                message_seq: piece.message_seq,
                fragment_offset: piece.fragment_offset,
                fragment_length: piece.fragment_length,
                message_length: piece.message_length,
            },
        };
        self.trace_sent(TraceEvent::new(Direction::Sent, traced, number).in_flight(flight, repeated));
    }

    pub(super) fn trace_sent(&self, event: TraceEvent) {
        if let Some(trace) = &self.role.common().trace {
            trace.trace(&event);
        }
    }

    /// Writes one record with `payload` into `out` and returns its length in bytes: one datagram
    /// to send. Nothing is queued or copied elsewhere, nothing is allocated.
    ///
    /// When [`is_nearly_exhausted`](Self::is_nearly_exhausted) says so afterwards, a KeyUpdate of 1.3 waits for
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// # Errors
    /// See [`SendError`]; nothing changed then.
    pub fn seal(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        // Without keys the association ends.
        self.awake();
        match self.phase {
            Phase::Handshaking => return Err(SendError::NotConnected),
            Phase::Closed => return Err(SendError::Closed),
            Phase::Connected => {}
        }
        let limit = self.max_payload();
        if payload.len() > limit {
            return Err(SendError::TooLarge { limit });
        }
        match self.records.seal(self.records.write_epoch(), ContentType::APPLICATION_DATA, payload, out) {
            Ok(len) => {
                self.stats.records_sealed += 1;
                if self.writes_nearly_exhausted() {
                    self.update_in_time();
                }
                self.mind_checkpoint();
                Ok(len)
            }
            Err(SealError::BufferTooSmall) => Err(SendError::BufferTooSmall { needed: self.sealed_len(payload.len()) }),
            Err(SealError::TooLong) => Err(SendError::TooLarge { limit }),
            Err(SealError::Reserved) => Err(SendError::CheckpointDue),
            Err(SealError::Exhausted | SealError::NoSuchEpoch | SealError::Crypto) => Err(SendError::KeysExhausted),
        }
    }

    /// Bytes of the datagram that carries a payload of `payload_len` bytes, with its
    /// [padding](crate::config::Padding).
    #[must_use]
    pub fn sealed_len(&self, payload_len: usize) -> usize {
        let epoch = self.records.write_epoch();
        self.records.sealed_len(epoch, payload_len + self.records.padding(epoch, payload_len))
    }

    /// The longest payload that [`seal`](Self::seal) takes, in bytes: what fits into a datagram, and
    /// into the records that the peer takes (RFC 8449, RFC 6066 §4).
    #[must_use]
    pub fn max_payload(&self) -> usize {
        let epoch = self.records.write_epoch();
        self.mtu.bytes().saturating_sub(self.records.overhead(epoch)).min(self.records.max_content(epoch))
    }

    /// Whether the keys have protected nearly as many records as they may, or have met so many
    /// forgeries that they open nothing any more (RFC 9147 §4.5.3, RFC 9325 §4.4). In 1.3 new keys are on
    /// their way then; in 1.2 keys are not changed: it is time for a new association.
    #[must_use]
    pub fn is_nearly_exhausted(&self) -> bool {
        self.writes_nearly_exhausted() || self.records.forgery_limit_reached()
    }

    fn writes_nearly_exhausted(&self) -> bool {
        self.records.nearly_exhausted(self.role.common().transport.records_per_key)
    }

    /// The largest datagram to send from now on, in bytes of UDP payload; what is outside 256 to
    /// 65,507 is taken as the nearer end.
    pub fn set_mtu(&mut self, bytes: usize) {
        self.mtu_search.stop();
        self.mtu = Mtu::new(bytes);
        self.records.set_largest_record(self.mtu.bytes());
    }

    /// Says what the path to the peer carries, in bytes of UDP payload: for a caller that hears of it from the operating
    /// system (`IP_MTU`, or that it refuses a datagram) or from ICMP. No datagram is larger from now on, until the next
    /// call; nor larger than the configuration says, or a search has found.
    ///
    /// What is less than 548 is taken as that: every path carries so much, and anybody can forge ICMP messages
    /// (RFC 9147 §4.4). If that is less than before, a handshake sends its flight again, in smaller pieces.
    pub fn set_path_mtu(&mut self, bytes: usize) {
        let before = self.mtu.bytes();
        self.mtu.set_path(bytes);
        let now = self.mtu.bytes();
        if now == before {
            return;
        }
        self.records.set_largest_record(now);
        if self.phase == Phase::Connected {
            self.unread.mtu = Some(now);
        }
        if let Some(handshake) = self.handshake.as_mut().filter(|handshake| now < before && !handshake.is_done()) {
            handshake.outbound.rewind();
        }
    }

    /// The largest datagram that is sent, in bytes of UDP payload: as configured, as the path carries it, or as a search
    /// has found.
    #[must_use]
    pub fn mtu(&self) -> usize {
        self.mtu.bytes()
    }
}
