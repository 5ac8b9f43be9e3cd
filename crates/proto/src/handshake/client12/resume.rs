//! The client's side of an abbreviated handshake (RFC 6347 §4.2.4, figure 2; RFC 5077 §3.1).
//!
//! ```text
//! ClientHello          ------>
//!                               ServerHello
//!                               NewSessionTicket*
//!                               [ChangeCipherSpec]
//!                      <------  Finished
//! [ChangeCipherSpec]
//! Finished             ------>
//! ```
//!
//! | message | next state |
//! | --- | --- |
//! | NewSessionTicket, if ServerHello promised one | [`ExpectResumedFinished`] |
//! | Finished | connected, after our Finished |
//!
//! A client that has the server of the session verified again does so before its own flight, and waits for a slow
//! verifier in [`ExpectResumedVerdict`].

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::handshake::ServerHello;

use super::{AnyState, Context, ExpectNewSessionTicket, Issued, State};
use crate::config::Verdict;
use crate::crypto::RecordKeys12;
use crate::error::{Error, LocalFault};
use crate::handshake::auth12;
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::deferred::now_or_defer;
use crate::handshake::offer::{Agreed12, Offer};
use crate::handshake::resume;
use crate::handshake::schedule12::{KeySchedule12, Randoms, Side};
use crate::handshake::transcript::{Keep, Transcript};
use crate::handshake::{Action, Established, FinishedVerified, Keying, Remember, Work};
use crate::message::Message;
use crate::session::Session;

/// From a ServerHello that was checked and resumes `session`.
#[expect(clippy::too_many_arguments, reason = "those of a full handshake, and the session")]
pub(in crate::handshake) fn start(
    offer: Offer,
    seq: OutgoingSeq,
    client_hello: &[u8],
    hello: &ServerHello<'_>,
    agreed: Agreed12,
    message: &Message,
    session: Box<Session>,
    out: &mut Vec<Action>,
) -> Result<AnyState, Error> {
    let Agreed12 { suite, alpn, srtp, limits, certificates, ticket, .. } = agreed;
    let provider = &offer.config.common.provider;
    let hash = provider.hash(suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
    let mut transcript = Transcript::new(hash, Keep::HashOnly);
    transcript.add_bytes(client_hello);
    transcript.add(message);
    let randoms = Randoms { client: offer.random, server: hello.random };
    let schedule = KeySchedule12::resumed(hash, &session, randoms)?;
    out.extend(schedule.session.logged(&offer.config.common));
    let keys = schedule.key_block(suite, provider)?;
    out.push(Action::InstallRead(keys.server_write));

    let mut negotiated = resume::negotiated(&session, suite.id, alpn);
    negotiated.srtp = srtp;
    negotiated.server_name = offer.host_name();
    // Without a ticket the session keeps its name.
    let issued = Issued::promised(&[], ticket, limits.max_fragment_length());
    let context = Box::new(Context { offer, seq, suite, randoms, transcript, negotiated, certificates, issued });
    let next = ExpectResumedFinished { context, session, schedule, write_keys: keys.client_write };
    Ok(AnyState::Client12(if ticket {
        State::NewSessionTicket(ExpectNewSessionTicket::Resumed(next))
    } else {
        State::ResumedFinished(next)
    }))
}

/// Waits for the server's Finished; ours is the last flight.
pub(crate) struct ExpectResumedFinished {
    pub(super) context: Box<Context>,
    session: Box<Session>,
    schedule: KeySchedule12,
    write_keys: RecordKeys12,
}

impl ExpectResumedFinished {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let Self { mut context, session, schedule, write_keys } = self;
        let proof = auth12::verify_finished(message, &schedule, Side::Server, &context.transcript)?;
        context.transcript.add(message);
        let verdict = resume::reverify(&session, &context.offer.name, &context.offer.config);
        let state = ExpectResumedVerdict { context, session, schedule, write_keys, proof };
        match verdict.map(|verdict| now_or_defer(verdict, Work::Verdict, out)) {
            None => state.finish(out),
            Some(Some(verdict)) => state.settle(verdict, out),
            Some(None) => Ok(AnyState::Client12(State::ResumedVerdict(state))),
        }
    }
}

/// Waits for a verifier that takes its time; our flight is still to be sent.
pub(crate) struct ExpectResumedVerdict {
    context: Box<Context>,
    session: Box<Session>,
    schedule: KeySchedule12,
    write_keys: RecordKeys12,
    proof: FinishedVerified,
}

impl ExpectResumedVerdict {
    pub(super) fn settle(self, verdict: Verdict, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        // The key of the certificate signed in the full handshake.
        let _accepted = verdict?;
        self.finish(out)
    }

    fn finish(self, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let Self { context, session, schedule, write_keys, proof } = self;
        let Context { offer, mut seq, transcript, negotiated, issued, .. } = *context;
        out.push(Action::SendChangeCipherSpec);
        out.push(Action::InstallWrite(write_keys));
        out.push(Action::Send(auth12::finished(&mut seq, &schedule, Side::Client, &transcript)?));
        out.push(Action::EndLastFlight);
        let remember = issued.renew(&offer, *session).map(Remember::Client);
        let established =
            Established { proof, negotiated, keying: Keying::V12(Box::new(schedule.session)), remember, post: None };
        out.push(Action::Complete(Box::new(established)));
        Ok(AnyState::Connected)
    }
}
