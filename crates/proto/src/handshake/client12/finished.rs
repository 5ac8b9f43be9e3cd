//! The server's Finished: the handshake is done.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Context, ExpectNewSessionTicket, State};
use crate::error::Error;
use crate::handshake::auth12;
use crate::handshake::schedule12::{KeySchedule12, Side};
use crate::handshake::{Action, Established, Keying, Remember, State as AnyState};
use crate::message::Message;

/// Waits for the server's Finished.
pub(crate) struct ExpectFinished {
    pub(super) context: Box<Context>,
    pub(super) schedule: KeySchedule12,
}

impl ExpectFinished {
    /// NewSessionTicket comes first, if it was promised.
    pub(super) fn after_ticket(self) -> State {
        if self.context.issued.is_promised() {
            State::NewSessionTicket(ExpectNewSessionTicket::Full(self))
        } else {
            State::Finished(self)
        }
    }

    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let proof = auth12::verify_finished(message, &self.schedule, Side::Server, &self.context.transcript)?;
        let Context { offer, negotiated, issued, .. } = *self.context;
        let remember = issued.remember(&offer, &negotiated, &self.schedule.session).map(Remember::Client);
        let established = Established {
            proof,
            negotiated,
            keying: Keying::V12(Box::new(self.schedule.session)),
            remember,
            post: None,
        };
        out.push(Action::Complete(Box::new(established)));
        Ok(AnyState::Connected)
    }
}
