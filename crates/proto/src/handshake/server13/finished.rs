//! The client's Finished: the handshake is done, and the client must hear that it is.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::Random;

use super::{AnyState, Context};
use crate::error::Error;
use crate::handshake::auth13::{self, APPLICATION, Signer};
use crate::handshake::schedule13::{Session13, TrafficSecret, TrafficSecrets};
use crate::handshake::{Action, Established, Keying, PostHandshake};
use crate::message::Message;

/// What is known before the client's Finished and used after it.
pub(super) struct Secrets {
    /// What the client's Finished is made with.
    pub(super) finished: TrafficSecret,
    pub(super) application: TrafficSecrets,
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
        let Self { context, secrets } = self;
        let Context { config, seq, suite, transcript, negotiated } = context;
        let Secrets { finished, application, session, client_random } = secrets;
        let proof = auth13::verify_finished(message, &finished, &transcript)?;
        let read_keys = application.client.record_keys(suite.aead, &config.common.provider)?;
        out.push(Action::InstallRead13(APPLICATION, read_keys));
        let post = PostHandshake::new(Signer::Server, seq, application, suite.aead, client_random);
        let established =
            Established { proof, negotiated, keying: Keying::V13(session), remember: None, post: Some(Box::new(post)) };
        out.push(Action::Complete(Box::new(established)));
        Ok(AnyState::Connected)
    }
}
