//! The client's Finished, and ours: the last flight of the handshake, with a ticket if we promised one.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::key_exchange::Keyed;
use super::ticket;
use crate::error::Error;
use crate::handshake::auth12;
use crate::handshake::schedule12::Side;
use crate::handshake::{Action, Established, Keying, State};
use crate::message::Message;

/// Waits for the client's Finished.
pub(crate) struct ExpectFinished {
    pub(super) keyed: Keyed,
}

impl ExpectFinished {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Keyed { mut context, schedule, write_keys } = self.keyed;
        let proof = auth12::verify_finished(message, &schedule, Side::Client, &context.transcript)?;
        context.transcript.add(message);
        let remember = ticket::keep_promise(&mut context, &schedule.session, out)?;
        out.push(Action::SendChangeCipherSpec);
        out.push(Action::InstallWrite(write_keys));
        let finished = auth12::finished(&mut context.seq, &schedule, Side::Server, &context.transcript)?;
        context.send(finished, out);
        out.push(Action::EndLastFlight);
        let established = Established {
            proof,
            negotiated: context.negotiated,
            keying: Keying::V12(Box::new(schedule.session)),
            remember,
            post: None,
        };
        out.push(Action::Complete(Box::new(established)));
        Ok(State::Connected)
    }
}
