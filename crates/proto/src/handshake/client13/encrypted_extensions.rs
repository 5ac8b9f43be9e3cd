//! EncryptedExtensions: the answers that only the client may read.

use alloc::vec::Vec;

use gramseal_wire::handshake::EncryptedExtensions;
use gramseal_wire::{Codec, HandshakeType};

use super::{Context, ExpectCertificate, ExpectFinished, State};
use crate::error::Error;
use crate::handshake::auth13::expect13;
use crate::handshake::offer::AgreedEncrypted;
use crate::handshake::resume13::OfferedPsk;
use crate::handshake::{Action, EarlyDataAnswer};
use crate::message::Message;

/// Waits for EncryptedExtensions, which always come first (RFC 9846 §4.4.1).
pub(crate) struct ExpectEncryptedExtensions {
    pub(super) context: Context,
}

impl ExpectEncryptedExtensions {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let mut context = self.context;
        expect13(message, HandshakeType::ENCRYPTED_EXTENSIONS)?;
        let extensions = EncryptedExtensions::from_bytes(message.body())?;
        let agreed = context.offer.check_encrypted(&extensions)?;
        let AgreedEncrypted { alpn, srtp, limits, certificates, early_data } = agreed;
        let same_alpn = context.psk.as_ref().and_then(OfferedPsk::session).is_some_and(|session| session.alpn == alpn);
        if let Some(answer) = context.early_data.answered(early_data, same_alpn)? {
            context.negotiated.early_data = answer == EarlyDataAnswer::Accepted;
            out.push(Action::EarlyDataAnswered(answer));
        }
        context.transcript.add(message);
        context.negotiated.alpn = alpn;
        context.negotiated.srtp = srtp;
        context.form = certificates.client;
        out.push(Action::LimitRecords(limits));
        // RFC 9846 §2.2: the key says who the server is.
        if context.psk.is_some() {
            return Ok(State::Finished(ExpectFinished { context, request: None }));
        }
        Ok(State::Certificate(ExpectCertificate { context, certificates, request: None }))
    }
}
