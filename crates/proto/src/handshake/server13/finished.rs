//! The client's Finished: the handshake is done, and the client must hear that it is.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{AnyState, Context};
use crate::crypto::RecordKeys13;
use crate::error::Error;
use crate::handshake::auth13::{self, APPLICATION};
use crate::handshake::schedule13::{Session13, TrafficSecret};
use crate::handshake::{Action, Established, Keying};
use crate::message::Message;

/// What is known before the client's Finished and used after it.
pub(super) struct Secrets {
    /// What the client's Finished is made with.
    pub(super) finished: TrafficSecret,
    pub(super) read_keys: RecordKeys13,
    pub(super) session: Session13,
}

/// Waits for the client's Finished.
pub(crate) struct ExpectFinished {
    pub(super) context: Context,
    pub(super) secrets: Secrets,
}

impl ExpectFinished {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let Self { context, secrets } = self;
        let Secrets { finished, read_keys, session } = secrets;
        let proof = auth13::verify_finished(message, &finished, &context.transcript)?;
        out.push(Action::InstallRead13(APPLICATION, read_keys));
        let established =
            Established { proof, negotiated: context.negotiated, keying: Keying::V13(session), remember: None };
        out.push(Action::Complete(Box::new(established)));
        Ok(AnyState::Connected)
    }
}
