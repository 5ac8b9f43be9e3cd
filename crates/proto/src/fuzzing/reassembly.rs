//! Fragments into `flight::Inbound`, against arrays of bytes.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use gramseal_wire::{Epoch, Fragment, HandshakeType, MessageSeq};

use super::input::Input;
use crate::discard::{Discard, DiscardCounts};
use crate::flight::{Inbound, InboundLimits, Inserted};
use crate::message::Message;

/// The longest message, in bytes. Fragments have at most 255.
const LONGEST: u32 = 2048;
const AHEAD: u16 = 7;
const LIMITS: InboundLimits = InboundLimits { max_message_len: LONGEST, max_pieces: 32, max_ahead: 4096, ahead: AHEAD };

/// What all fragments of a version of a message have in common.
type Version = (u16, u64, u8, u32);

/// The first byte says whether fragments may contradict each other. Without contradictions, and as long as everything
/// finds room, what comes out has to be exactly what a naive receiver would have.
///
/// # Panics
/// If something comes out that did not go in, or in another order, or if too much is kept.
pub fn reassembly(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.byte();
    let (contradicts, mut next) = (mode & 1 != 0, u16::from(mode >> 1) << 9);
    let mut inbound = Inbound::new(MessageSeq(next), LIMITS);
    let mut model = Model { contradicts, ..Model::default() };
    let mut counts = DiscardCounts::default();
    while !input.is_empty() {
        let (version, offset, body) = model.fragment(&mut input, next);
        let (message_seq, epoch, msg_type, length) = version;
        let fragment = Fragment {
            msg_type: HandshakeType(msg_type),
            length,
            message_seq: MessageSeq(message_seq),
            fragment_offset: offset,
            body,
        };
        let continues = inbound.continues(Epoch(epoch), &fragment);
        let inserted = inbound.insert(Epoch(epoch), fragment, &mut counts);
        match inserted {
            Ok(Inserted::Old { message_seq, .. }) => assert!(message_seq.0 < next, "{message_seq:?} is not old"),
            Ok(Inserted::Stored) => model.stored(version, offset, body),
            Ok(Inserted::AlreadyHad) | Err(_) => {}
        }
        model.dropped |= inserted == Err(Discard::ReassemblyFull) || counts.get(Discard::ReassemblyFull) > 0;
        assert!(!continues || message_seq <= next, "a later message continues nothing");
        assert!(inbound.buffered() <= most(), "{} bytes are kept", inbound.buffered());
        // Vectors double; a single partial has its slot for itself.
        #[cfg(test)]
        assert!(inbound.allocated() <= 2 * inbound.buffered() + 4096, "{} bytes are allocated", inbound.allocated());
        while let Some(message) = inbound.next() {
            model.check(&message, next);
            next += 1;
        }
        model.check_nothing_is_held_back(next);
        if next > u16::MAX - AHEAD {
            return;
        }
    }
}

fn most() -> usize {
    // `Partial::max_charge`, once more: the message that is due with its pieces, and those ahead.
    256 + 12 + 32 * (16 + 40) + LONGEST as usize + LIMITS.max_ahead
}

#[derive(Default)]
struct Model {
    contradicts: bool,
    /// Something did not find room, or was refused: from then on only what comes out is compared.
    dropped: bool,
    /// Of each version, what values each byte has been given.
    seen: BTreeMap<Version, Vec<Vec<u8>>>,
}

impl Model {
    fn fragment<'a>(&self, input: &mut Input<'a>, next: u16) -> (Version, u32, &'a [u8]) {
        let first = input.byte();
        let message_seq = next.saturating_add(u16::from(first & 0x0f)).saturating_sub(3);
        // Most messages are short, so that fragments meet.
        let (mut length, mut epoch, mut msg_type) = (u32::from(message_seq % 5) * 61, 0, 11);
        if self.contradicts {
            epoch = u64::from(first >> 4 & 1);
            msg_type += first >> 5 & 1;
            if first & 0x40 != 0 {
                length = u32::from(input.word());
            }
        } else if first & 0x10 != 0 {
            length = LONGEST;
        }
        let offset = u32::from(input.word()) % (length + 1 + u32::from(self.contradicts) * 2);
        let len = usize::from(input.byte());
        let len = if self.contradicts { len } else { len.min((length - offset) as usize) };
        let version =
            (message_seq, epoch, msg_type, if self.contradicts { length } else { self.known(message_seq, length) });
        let fits = (version.3.saturating_sub(offset)) as usize;
        (version, offset, input.bytes(if self.contradicts { len } else { len.min(fits) }))
    }

    /// The length of a message that has begun.
    fn known(&self, message_seq: u16, length: u32) -> u32 {
        let begun = self.seen.keys().find(|(seq, ..)| *seq == message_seq);
        begun.map_or(length, |(.., length)| *length)
    }

    fn stored(&mut self, version: Version, offset: u32, body: &[u8]) {
        let bytes = self.seen.entry(version).or_insert_with(|| vec![Vec::new(); version.3 as usize]);
        for (at, byte) in bytes.iter_mut().skip(offset as usize).zip(body) {
            at.push(*byte);
        }
    }

    fn check(&mut self, message: &Message, next: u16) {
        let length = message.body_len();
        assert_eq!(message.message_seq().0, next, "messages come in order");
        let version = (next, message.epoch.0, message.msg_type().0, length);
        assert_eq!(message.body().len(), length as usize);
        let seen = self.seen.get(&version).expect("a message of which something came");
        for (values, byte) in seen.iter().zip(message.body()) {
            // Of versions that gave way and came again, later bytes may be the ones that count.
            let right =
                if self.contradicts || self.dropped { values.contains(byte) } else { values.first() == Some(byte) };
            assert!(right, "a byte that was not sent");
        }
        self.seen.retain(|(message_seq, ..), _| *message_seq > next);
    }

    /// Unless something was dropped, a message of which each byte came has come out.
    fn check_nothing_is_held_back(&self, next: u16) {
        if !self.contradicts && !self.dropped {
            let due = self.seen.iter().find(|((message_seq, ..), _)| *message_seq == next);
            let whole = due.is_some_and(|(_, bytes)| bytes.iter().all(|values| !values.is_empty()));
            assert!(!whole, "message {next} is there and does not come out");
        }
    }
}
