//! Carrying out what a handshake step decided.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::Epoch;

use super::deferred::Deferral;
use super::handshaking::LastFlight;
use super::post::Post;
use super::{Agreed, Connection, Phase, Role};
use crate::error::PeerFault;
use crate::handshake::{Action, Established, FinishedVerified, LoggedSecret, PostHandshake, RecordLimits, Work};
use crate::message::Message;
use crate::record::{ContentLimits, ReadEpoch, WriteEpoch};
use crate::time::Instant;
use crate::trace::Direction;

/// The one epoch with keys in 1.2: renegotiation is refused.
pub(super) const PROTECTED: Epoch = Epoch(1);

impl Connection {
    /// Carries out `actions` in order.
    pub(super) fn apply(&mut self, mut actions: Vec<Action>, now: Instant) {
        for action in actions.drain(..) {
            match action {
                Action::Send(message) => self.push_message(message),
                Action::SendChangeCipherSpec => self.push_change_cipher_spec(),
                Action::EndFlight => self.end_flight(now),
                Action::EndLastFlight => self.end_last_flight(now),
                Action::EndAcknowledgedFlight => self.end_acknowledged_flight(now),
                Action::InstallRead(keys) => {
                    let window = self.records.replay_window();
                    self.install_read(ReadEpoch::dtls12(PROTECTED, keys, window));
                }
                Action::InstallWrite(keys) => self.records.install_write(WriteEpoch::dtls12(PROTECTED, keys)),
                Action::InstallRead13(epoch, keys) => {
                    let window = self.records.replay_window();
                    self.install_read(ReadEpoch::dtls13(epoch, keys, window));
                }
                Action::InstallWrite13(epoch, keys) => self.records.install_write(WriteEpoch::dtls13(epoch, keys)),
                Action::EarlyData(terms) => self.begin_early_data(*terms),
                Action::EarlyDataAnswered(answer) => self.early_data_answered(answer),
                Action::Version(version) => self.records.set_version(version),
                Action::LimitRecords(limits) => self.limit_records(limits),
                Action::OfferCid(cid) => self.offer_cid(cid),
                Action::AgreeOnCids(agreed) => self.agree_on_cids(agreed),
                Action::LogSecret(secret) => self.log_secret(&secret),
                Action::SendAfterwards(message) => self.send_afterwards(message),
                Action::Defer(work) => self.defer(work),
                Action::Complete(established) => self.complete(*established, now),
            }
        }
        // The list serves the next step, if there is one.
        if let Some(handshake) = self.handshake.as_mut().filter(|handshake| !handshake.is_done()) {
            handshake.actions = actions;
        }
    }

    /// Makes a newer epoch readable.
    pub(super) fn install_read(&mut self, epoch: ReadEpoch) {
        self.records.install_read(epoch.with_forgery_limit(self.role.common().transport.forgeries_per_key));
    }

    fn defer(&mut self, work: Work) {
        if let Some(handshake) = &mut self.handshake {
            handshake.deferral = Some(Deferral::new(work));
        }
    }

    fn limit_records(&mut self, limits: RecordLimits) {
        let protected = |protected| ContentLimits { protected, ..ContentLimits::PROTOCOL };
        let all = |limit| ContentLimits { unprotected: limit, protected: limit };
        match limits {
            RecordLimits::Protocol => {}
            // RFC 8449 §4: unprotected records have no limit.
            RecordLimits::Each { ours, peers } => self.records.limit_content(protected(ours), protected(peers)),
            RecordLimits::Both(limit) => {
                let read = match self.role {
                    Role::Client(_) => all(limit),
                    // A client that repeats its hello does not know yet that the limit holds.
                    Role::Server(_) => protected(limit),
                };
                self.records.limit_content(read, all(limit));
            }
        }
    }

    fn push_message(&mut self, message: Message) {
        let Some(handshake) = &mut self.handshake else { return };
        if handshake.flights.begins() {
            handshake.outbound.begin();
        }
        handshake.flights.number(Direction::Sent);
        handshake.outbound.push_message(message);
    }

    fn push_change_cipher_spec(&mut self) {
        let epoch = self.records.write_epoch();
        let Some(handshake) = &mut self.handshake else { return };
        if handshake.flights.begins() {
            handshake.outbound.begin();
        }
        handshake.flights.number(Direction::Sent);
        handshake.outbound.push_change_cipher_spec(epoch);
    }

    fn end_flight(&mut self, now: Instant) {
        let Some(handshake) = &mut self.handshake else { return };
        handshake.flights.end();
        // RFC 9147 §7.1: our flight acknowledges the peer's.
        handshake.acks.clear();
        handshake.retransmit.progress();
        handshake.retransmit.begin(now);
    }

    /// RFC 6347 §4.2.4: nobody answers the last flight, so no timer repeats it; the peer asks for
    /// it by repeating its own.
    fn end_last_flight(&mut self, now: Instant) {
        let kept = self.role.common().transport.last_flight_kept;
        let Some(handshake) = &mut self.handshake else { return };
        handshake.flights.end();
        handshake.retransmit.progress();
        handshake.deadline = now + kept;
        handshake.last_flight = LastFlight::Kept;
    }

    /// RFC 9147 §5.8.1: the timer repeats it until all of it is acknowledged.
    fn end_acknowledged_flight(&mut self, now: Instant) {
        self.end_flight(now);
        if let Some(handshake) = &mut self.handshake {
            handshake.last_flight = LastFlight::Acknowledged;
        }
    }

    pub(super) fn log_secret(&self, secret: &LoggedSecret) {
        if let Some(key_log) = &self.role.common().key_log {
            key_log.log(&secret.label, &secret.client_random, &secret.secret);
        }
    }

    fn complete(&mut self, established: Established, now: Instant) {
        let Established { proof, mut negotiated, keying, remember, post } = established;
        negotiated.cids = self.records.cid_lengths();
        negotiated.return_routability_check = self.handshake.as_ref().is_some_and(|handshake| handshake.rrc);
        let remembered = remember.and_then(|remember| self.remember(remember));
        self.agreed = Some(Box::new(Agreed { negotiated, keying: Some(keying), remembered }));
        self.open_to_application_data(proof);
        self.begin_idle(now);
        self.end_early_data();
        if let Some(post) = post {
            return self.complete13(*post, now);
        }
        self.records.retire_read_before(PROTECTED);
        // RFC 6347 §4.2.4: the server speaks last in a full handshake, the client in a resumed one. To the
        // other side the peer's Finished is the answer to its last flight; the flight of whoever spoke
        // last may get lost, see `end_last_flight`.
        if self.handshake.as_ref().is_some_and(|handshake| handshake.last_flight == LastFlight::Theirs) {
            self.confirm();
        }
    }

    /// In 1.3 the client speaks last, and the server acknowledges what it said, as often as it says it
    /// (RFC 9147 §5.8.1).
    fn complete13(&mut self, after: PostHandshake, now: Instant) {
        let transport = &self.role.common().transport;
        let kept = now + transport.last_flight_kept;
        let Some(handshake) = &mut self.handshake else { return };
        let Some(next) = handshake.inbound.next_seq() else { return };
        let (acks, wait) = (core::mem::take(&mut handshake.acks), handshake.retransmit.initial());
        let mut post = Post::new(next, after, acks, wait, self.role.longest_later());
        let confirmed = handshake.last_flight == LastFlight::Theirs;
        if confirmed {
            post.acks.hurry();
            post.last_flight_kept = Some(kept);
        }
        self.post = Some(Box::new(post));
        if confirmed {
            self.confirm();
        }
    }

    /// Only a Finished that was verified lets application data through.
    fn open_to_application_data(&mut self, _: FinishedVerified) {
        self.phase = Phase::Connected;
        self.unread.connected = true;
    }

    /// The peer has our last flight: nothing of the handshake is needed any more.
    pub(super) fn confirm(&mut self) {
        if let Some(mut handshake) = self.handshake.take() {
            self.next_message = handshake.inbound.next_seq();
            if let Some(excess) = handshake.inbound.finish(&mut self.stats.discards) {
                return self.fail(PeerFault::ExcessMessage(excess).into());
            }
        }
        match &self.post {
            None => self.records.retire_write_before(PROTECTED),
            Some(post) => {
                self.records.retire_write_before(Epoch::APPLICATION);
                self.mtu_search.after_handshake();
                // What repeats the peer's last flight must be told from a forgery as long as it matters.
                if post.last_flight_kept.is_none() {
                    self.records.retire_read_before(Epoch::APPLICATION);
                }
            }
        }
    }
}
