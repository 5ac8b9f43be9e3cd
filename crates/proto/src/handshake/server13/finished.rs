//! The client's Finished: the handshake is done, and the client must hear that it is; tickets follow.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::{Epoch, Random};

use super::tickets::{self, Issued};
use super::{AnyState, Context};
use crate::error::Error;
use crate::handshake::auth13::{self, Signer};
use crate::handshake::later::Later;
use crate::handshake::schedule13::{MainSecret, Session13, TrafficSecret, TrafficSecrets};
use crate::handshake::{Action, Established, Keying, PostHandshake, Remember};
use crate::message::Message;

/// What is known before the client's Finished and used after it.
pub(super) struct Secrets {
    /// What the client's Finished is made with.
    pub(super) finished: TrafficSecret,
    pub(super) application: TrafficSecrets,
    pub(super) main: MainSecret,
    pub(super) session: Session13,
    pub(super) client_random: Random,
}

/// Waits for the client's Finished.
pub(crate) struct ExpectFinished {
    pub(super) context: Context,
    pub(super) secrets: Secrets,
}

impl ExpectFinished {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let Self { mut context, secrets } = self;
        let Secrets { finished, application, main, session, client_random } = secrets;
        let proof = auth13::verify_finished(message, &finished, &context.transcript)?;
        context.transcript.add(message);
        let Issued { messages, kept } = if context.promise.count > 0 {
            let secret = main.into_resumption(&context.transcript.digest());
            tickets::issue(&mut context, &secret)?
        } else {
            Issued::default()
        };
        let remember = Some(kept).filter(|kept| !kept.is_empty()).map(Remember::ServerTickets);
        let Context { config, seq, suite, transcript, negotiated, later, .. } = context;
        let read_keys = application.client.record_keys(suite.aead, &config.common.provider)?;
        out.push(Action::InstallRead13(Epoch::APPLICATION, read_keys));
        let post = PostHandshake::new(Signer::Server, seq, application, suite.aead, client_random)
            .with_previous(finished)
            .with_later(later.map(|form| Later::server(transcript, form)));
        let established =
            Established { proof, negotiated, keying: Keying::V13(session), remember, post: Some(Box::new(post)) };
        out.push(Action::Complete(Box::new(established)));
        out.extend(messages.into_iter().map(Action::SendAfterwards));
        Ok(AnyState::Connected)
    }
}
