//! After a handshake of 1.3: messages that may still come, each of them acknowledged.
//!
//! RFC 9147 §5.8.4, RFC 9846 §4.6. Nothing of it exists in 1.2, where renegotiation is refused.

use gramseal_wire::handshake::NewSessionTicket13;
use gramseal_wire::{Codec, Epoch, Fragment, HandshakeType, MessageSeq, RecordNumber};

use super::acks::Hurry;
use super::{Connection, Role};
use crate::config::Transport;
use crate::discard::Discard;
use crate::error::PeerFault;
use crate::flight::{Acks, Inbound, InboundLimits, Inserted};
use crate::message::Message;
use crate::time::Instant;

/// The epoch of the handshake's protected messages (RFC 9147 §6.1).
pub(super) const HANDSHAKE: Epoch = Epoch(2);
/// The first epoch of application data, and of messages after the handshake.
pub(super) const APPLICATION: Epoch = Epoch(3);

/// What a connection of 1.3 keeps for what comes after its handshake.
pub(super) struct Post {
    inbound: Inbound,
    pub(super) acks: Acks,
    /// Until when the peer's last flight is acknowledged again when it repeats it.
    pub(super) last_flight_kept: Option<Instant>,
}

impl Post {
    /// With what came last in the handshake, if the peer must still hear of it.
    pub(super) fn new(next: MessageSeq, acks: Acks, transport: &Transport) -> Self {
        let limits = InboundLimits {
            max_message_len: transport.max_message_len,
            max_buffered: transport.max_message_len as usize,
            ..InboundLimits::default()
        };
        let mut inbound = Inbound::new(next, limits);
        inbound.expect_epoch(APPLICATION);
        Self { inbound, acks, last_flight_kept: None }
    }
}

impl Connection {
    /// A fragment under application keys.
    pub(super) fn post_fragment(&mut self, number: RecordNumber, fragment: Fragment<'_>, now: Instant) {
        let Some(post) = &mut self.post else { return };
        // RFC 9846 §4.6.1: a server sends tickets only after it has the client's Finished.
        if fragment.msg_type == HandshakeType::NEW_SESSION_TICKET && self.handshake.is_some() {
            self.confirm();
            return self.post_fragment(number, fragment, now);
        }
        match post.inbound.insert(number.epoch, fragment) {
            Ok(Inserted::Stored) => {}
            Ok(Inserted::AlreadyHad | Inserted::Old { .. }) => self.discard(Discard::FragmentOld),
            Err(reason) => return self.discard(reason),
        }
        // RFC 9147 §7: each record once, also when what is in it came before.
        self.note_record(number, Hurry::Yes, now);
        while let Some(message) = self.post.as_mut().and_then(|post| post.inbound.next()) {
            self.post_message(&message);
        }
    }

    fn post_message(&mut self, message: &Message) {
        let ticket = message.msg_type() == HandshakeType::NEW_SESSION_TICKET;
        match &self.role {
            Role::Client(_) if ticket => {
                // Well formed it must be, although no session of 1.3 is resumed yet.
                if let Err(error) = NewSessionTicket13::from_bytes(message.body()) {
                    self.fail(error.into());
                }
            }
            Role::Client(_) | Role::Server(_) => self.fail(PeerFault::UnexpectedMessage(message.msg_type()).into()),
        }
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
