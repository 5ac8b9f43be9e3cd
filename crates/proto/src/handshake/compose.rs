//! Building our own messages: number, header, body.

use gramseal_wire::{Epoch, HandshakeHeader, HandshakeMessage, HandshakeType, MessageSeq};

use crate::error::{Error, LocalFault};
use crate::message::Message;

/// The number of our next message (RFC 6347 §4.2.2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutgoingSeq(MessageSeq);

impl OutgoingSeq {
    pub(crate) fn new(first: MessageSeq) -> Self {
        Self(first)
    }

    /// Encodes `body` as our next message.
    pub(super) fn message<'a, B: HandshakeMessage<'a>>(&mut self, epoch: Epoch, body: &B) -> Result<Message, Error> {
        self.next(epoch, B::TYPE, &body.to_vec()?)
    }

    fn next(&mut self, epoch: Epoch, msg_type: HandshakeType, body: &[u8]) -> Result<Message, Error> {
        let length = u32::try_from(body.len()).map_err(|_| LocalFault::MessageTooLong)?;
        let header = HandshakeHeader::whole(msg_type, length, self.0);
        let bytes = [&header.to_bytes(), body].concat();
        self.0 = self.0.next().ok_or(LocalFault::MessageTooLong)?;
        Message::new(epoch, bytes).map_err(|_| LocalFault::MessageTooLong.into())
    }
}
