//! The server's Finished: the handshake is done.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Context;
use crate::error::Error;
use crate::handshake::auth12;
use crate::handshake::schedule12::{Session12, Side};
use crate::handshake::{Action, Established, State};
use crate::message::Message;

/// Waits for the server's Finished.
pub(crate) struct ExpectFinished {
    pub(super) context: Box<Context>,
    pub(super) session: Session12,
}

impl ExpectFinished {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let proof = auth12::verify_finished(message, &self.session, Side::Server, &self.context.transcript)?;
        let established = Established { proof, negotiated: self.context.negotiated, session: self.session };
        out.push(Action::Complete(Box::new(established)));
        Ok(State::Connected)
    }
}
