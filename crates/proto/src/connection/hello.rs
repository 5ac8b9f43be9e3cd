//! Hellos that come out of order: there may be several of each kind, and none says which one it
//! answers.
//!
//! Anybody can send them. A HelloVerifyRequest is taken for what its record number says it answers
//! (RFC 6347 §4.2.1), and what cannot be an answer changes nothing.

use gramseal_wire::{Codec, Epoch, Fragment, HandshakeType, MessageSeq, RecordNumber, SequenceNumber};

use super::Connection;
use crate::discard::Discard;
use crate::handshake::State;
use crate::message::Message;
use crate::time::Instant;

impl Connection {
    /// Deals with hellos to which the order of messages does not apply; `true` if that was all.
    pub(super) fn out_of_order(&mut self, number: RecordNumber, fragment: &Fragment<'_>, now: Instant) -> bool {
        let Some(handshake) = &mut self.handshake else { return false };
        // RFC 9846 §4: under keys no hello has a place.
        if handshake.is_done() || number.epoch >= Epoch::HANDSHAKE {
            return false;
        }
        match fragment.msg_type {
            // One in fragments answers the first hello or none, and goes the way of all messages.
            HandshakeType::HELLO_VERIFY_REQUEST
                if !fragment.is_whole() && handshake.state.hello_sent() == Some(MessageSeq(0)) =>
            {
                false
            }
            HandshakeType::HELLO_VERIFY_REQUEST => {
                self.cookie_request(number, fragment, now);
                true
            }
            // Which of our hellos it answers, only its number says.
            HandshakeType::SERVER_HELLO if handshake.state.hello_sent() >= Some(fragment.message_seq) => {
                handshake.inbound.start_at(fragment.message_seq);
                false
            }
            // Another cookie made the client say hello anew after we had answered it. It follows our
            // answer or none; that hello must not use up the number of the message that is due.
            HandshakeType::CLIENT_HELLO if matches!(handshake.state, State::Server12(_) | State::Server13(_)) => {
                let anew = !handshake.inbound.is_old(fragment.message_seq);
                if anew {
                    self.discard(Discard::UnexpectedContent);
                }
                anew
            }
            _ => false,
        }
    }

    /// HelloVerifyRequests stand outside the order of messages: servers without state number them
    /// all 0 or like the hello, and each may bring another cookie.
    fn cookie_request(&mut self, number: RecordNumber, fragment: &Fragment<'_>, now: Instant) {
        let next = self.records.next_write_number(Epoch::UNPROTECTED).map(|next| next.sequence_number);
        let Some(handshake) = &mut self.handshake else { return };
        let Some(hello) = handshake.state.hello_sent() else {
            return self.discard(Discard::FragmentOld);
        };
        // RFC 6347 §4.2.1: it has the record number of the hello that it answers. One for an older
        // hello says nothing about the cookie that we show now: the answer to that is under way.
        let answers = handshake.hello_record..next.unwrap_or(SequenceNumber(0));
        if hello.0 > 0 && !answers.contains(&number.sequence_number) {
            return self.discard(Discard::FragmentOld);
        }
        let bytes = fragment.is_whole().then(|| fragment.to_vec().ok()).flatten();
        let Some(message) = bytes.and_then(|bytes| Message::new(number.epoch, bytes).ok()) else {
            return self.discard(Discard::FragmentMismatch);
        };
        handshake.hear();
        self.handle_message(&message, number, now);
    }

    /// A step of the handshake is done before which the client had sent the hello with number `before`. If it says
    /// hello anew, that goes out in the next record.
    pub(super) fn mind_hello(&mut self, before: Option<MessageSeq>) {
        let next = self.records.next_write_number(Epoch::UNPROTECTED).map(|next| next.sequence_number);
        if let Some(handshake) = &mut self.handshake {
            if before.is_some() && handshake.state.hello_sent() > before {
                handshake.hello_record = next.unwrap_or(SequenceNumber(0));
            }
        }
    }
}
