//! Building our own messages: number, header, body.

use alloc::vec::Vec;

use gramseal_wire::{Epoch, HandshakeHeader, HandshakeMessage, MessageSeq, Writer};

use crate::error::{Error, LocalFault};
use crate::message::Message;

/// Bytes that most messages stay below.
const USUAL_LEN: usize = 256;

/// The number of our next message (RFC 6347 §4.2.2); none after the last one, since they do not wrap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutgoingSeq(Option<MessageSeq>);

impl OutgoingSeq {
    pub(crate) fn new(first: MessageSeq) -> Self {
        Self(Some(first))
    }

    /// Goes on with `next`; `None`: there are no more numbers.
    pub(super) fn going_on(next: Option<MessageSeq>) -> Self {
        Self(next)
    }

    /// The number of the next message.
    pub(super) fn next(self) -> Option<MessageSeq> {
        self.0
    }

    /// Encodes `body` as our next message.
    pub(super) fn message<'a, B: HandshakeMessage<'a>>(&mut self, epoch: Epoch, body: &B) -> Result<Message, Error> {
        let number = self.0.ok_or(LocalFault::MessageTooLong)?;
        // The header is filled in when the length of the body behind it is known: nothing is copied,
        // and most messages fit without growing.
        let mut bytes = Vec::with_capacity(USUAL_LEN);
        bytes.extend_from_slice(&[0; HandshakeHeader::LEN]);
        let mut writer = Writer::new(&mut bytes);
        body.write(&mut writer);
        writer.finish()?;
        let length = bytes.len().saturating_sub(HandshakeHeader::LEN);
        let length = u32::try_from(length).map_err(|_| LocalFault::MessageTooLong)?;
        let header = HandshakeHeader::whole(B::TYPE, length, number).to_bytes();
        for (to, from) in bytes.iter_mut().zip(header) {
            *to = from;
        }
        self.0 = number.next();
        Message::new(epoch, bytes).map_err(|_| LocalFault::MessageTooLong.into())
    }
}
