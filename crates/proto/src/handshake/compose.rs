//! Building our own messages: number, header, body.

use gramseal_wire::{Codec, Epoch, HandshakeHeader, HandshakeType, MessageSeq};

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
    pub(super) fn message<'a>(
        &mut self,
        epoch: Epoch,
        msg_type: HandshakeType,
        body: &impl Codec<'a>,
    ) -> Result<Message, Error> {
        let body = body.to_vec()?;
        let length = u32::try_from(body.len()).map_err(|_| LocalFault::MessageTooLong)?;
        let header =
            HandshakeHeader { msg_type, length, message_seq: self.0, fragment_offset: 0, fragment_length: length };
        let mut bytes = header.to_vec()?;
        bytes.extend_from_slice(&body);
        self.0 = self.0.next().ok_or(LocalFault::MessageTooLong)?;
        Message::new(epoch, bytes).map_err(|_| LocalFault::MessageTooLong.into())
    }
}
