//! The server's side of an abbreviated handshake (RFC 6347 §4.2.4, figure 2; RFC 5077 §3.1).
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
//! | Finished | connected |

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::{ExtendedMasterSecret, ExtensionsBuf, RenegotiationInfo, SessionTicket};
use gramseal_wire::handshake::{ClientHello, ServerHello};
use gramseal_wire::{CompressionMethod, Epoch, ProtocolVersion, Random};

use super::ticket::send_ticket;
use super::{AnyState, Context, Promise, State};
use crate::config::ServerConfig;
use crate::error::{Error, LocalFault};
use crate::handshake::auth12;
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::offer::{USUAL_ANSWERS, push_alpn};
use crate::handshake::resume::{self, By, Found};
use crate::handshake::schedule12::{KeySchedule12, Randoms, Side};
use crate::handshake::transcript::{Keep, Transcript};
use crate::handshake::{
    Action, AgreedCids, Established, Keying, Negotiated, RecordLimits, Remember, cids, limits, select, srtp,
};
use crate::message::Message;

/// Answers a hello with the session it asked for.
pub(in crate::handshake) fn start(
    config: Arc<ServerConfig>,
    mut seq: OutgoingSeq,
    hello: &ClientHello<'_>,
    message: &Message,
    found: Found,
    out: &mut Vec<Action>,
) -> Result<AnyState, Error> {
    let common = &config.common;
    let random = select::with_sentinel(Random(common.provider.random_array()?), &common.versions);
    let hash = common.provider.hash(found.suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
    let mut transcript = Transcript::new(hash, Keep::HashOnly);
    transcript.add(message);

    let Found { session, suite, alpn, server_name, by } = found;
    // RFC 5764 §4.1: agreed on anew in each handshake.
    let srtp = srtp::select(hello, common)?;
    let limits = limits::select(hello, common)?.resume(&session)?;
    let mut negotiated = resume::negotiated(&session, suite.id, alpn);
    negotiated.srtp = srtp;
    // RFC 9146 §3: agreed on anew in each handshake, too.
    let cids = cids::select(hello, common)?;
    let answer = server_hello(&mut seq, hello, &negotiated, (limits, cids.as_ref()), by, random)?;
    negotiated.server_name = server_name;
    let randoms = Randoms { client: hello.random, server: random };
    let schedule = KeySchedule12::resumed(hash, &session, randoms)?;
    out.extend(schedule.session.logged(&config.common));
    let keys = schedule.key_block(suite, &common.provider)?;

    let promise = Promise::default();
    let mut context = Box::new(Context { config, seq, suite, randoms, transcript, negotiated, promise });
    out.push(Action::LimitRecords(limits));
    out.push(Action::AgreeOnCids(cids));
    context.send(answer, out);
    let sealer = context.config.sessions.tickets.clone().filter(|_| by == By::OldTicket);
    if let Some(sealer) = sealer {
        send_ticket(&mut context, &*sealer, Arc::unwrap_or_clone(session), out)?;
    }
    out.push(Action::SendChangeCipherSpec);
    out.push(Action::InstallWrite(keys.server_write));
    out.push(Action::InstallRead(keys.client_write));
    let finished = auth12::finished(&mut context.seq, &schedule, Side::Server, &context.transcript)?;
    context.send(finished, out);
    out.push(Action::EndFlight);
    let known = (by == By::Id).then(|| hello.session_id.to_vec());
    let next = ExpectResumedFinished { context, schedule, known };
    Ok(AnyState::Server12(State::ResumedFinished(next)))
}

/// RFC 6066 §1.1, §3: without the answers that belong to the session, those to `server_name` and
/// `max_fragment_length`.
fn server_hello(
    seq: &mut OutgoingSeq,
    hello: &ClientHello<'_>,
    negotiated: &Negotiated,
    (limits, cids): (RecordLimits, Option<&AgreedCids>),
    by: By,
    random: Random,
) -> Result<Message, Error> {
    let mut extensions = ExtensionsBuf::with_capacity(USUAL_ANSWERS);
    extensions.push(&RenegotiationInfo { renegotiated_connection: &[] });
    // RFC 7627 §5.3
    extensions.push(&ExtendedMasterSecret);
    if let Some(name) = &negotiated.alpn {
        push_alpn(&mut extensions, core::iter::once(name.as_slice()))?;
    }
    srtp::answer(negotiated.srtp.as_ref(), &mut extensions);
    if limits.max_fragment_length().is_none() {
        limits::answer(limits, &mut extensions);
    }
    cids::answer(cids, &mut extensions);
    if by == By::OldTicket {
        extensions.push(&SessionTicket::default());
    }
    let answer = ServerHello {
        legacy_version: ProtocolVersion::DTLS1_2,
        random,
        // RFC 5077 §3.4: also where a ticket named the session.
        session_id: hello.session_id,
        cipher_suite: negotiated.cipher_suite,
        compression_method: CompressionMethod::NULL,
        extensions: extensions.as_extensions(),
    };
    seq.message(Epoch::UNPROTECTED, &answer)
}

/// Waits for the client's Finished, which ends the handshake.
pub(crate) struct ExpectResumedFinished {
    context: Box<Context>,
    schedule: KeySchedule12,
    /// The id by which our store knows the session.
    known: Option<Vec<u8>>,
}

impl ExpectResumedFinished {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let Self { context, schedule, known } = self;
        let proof = auth12::verify_finished(message, &schedule, Side::Client, &context.transcript)?;
        let remember = known.map(Remember::Known);
        let established = Established {
            proof,
            negotiated: context.negotiated,
            keying: Keying::V12(Box::new(schedule.session)),
            remember,
            post: None,
        };
        out.push(Action::Complete(Box::new(established)));
        Ok(AnyState::Connected)
    }
}
