//! The server's Finished, and our flight: Certificate and CertificateVerify if we were asked, Finished.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::{CertificateType, Epoch, SignatureScheme};

use super::certificate::RequestAnswer;
use super::{AnyState, Context, State};
use crate::config::Verdict;
use crate::error::Error;
use crate::handshake::auth13::{self, Signer, signed_content};
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::compression::of_ours;
use crate::handshake::credential::Chosen;
use crate::handshake::deferred::now_or_defer;
use crate::handshake::later::Later;
use crate::handshake::offer::Offer;
use crate::handshake::resume;
use crate::handshake::resume13::OfferedPsk;
use crate::handshake::schedule13::{MainSecret, Session13, TrafficSecret, TrafficSecrets};
use crate::handshake::transcript::Transcript13;
use crate::handshake::{
    Action, Established, FinishedVerified, Keying, Negotiated, PostHandshake, Remember, Signed, TicketTerms, Work,
};
use crate::message::Message;
use crate::session::{Session, forget_tickets};
use crate::suite::Suite13;

/// Waits for the server's Finished.
pub(crate) struct ExpectFinished {
    pub(super) context: Context,
    pub(super) request: Option<RequestAnswer>,
}

impl ExpectFinished {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let Self { context, request } = self;
        let Context { mut offer, seq, suite, mut transcript, negotiated, handshake, traffic, psk, form, .. } = context;
        let proof = auth13::verify_finished(message, &traffic.server, &transcript)?;
        transcript.add(message);
        offer.forget_declined(suite.hash);
        let tickets = TicketTerms::new(&offer.name, psk.as_ref(), &offer.config);

        let main = handshake.into_main();
        let digest = transcript.digest();
        let application = main.traffic(&digest);
        let session = main.exporter(&digest);
        let common = &offer.config.common;
        application.log_application(common, &offer.random, out);
        session.log(common, &offer.random, out);
        out.push(Action::InstallRead13(
            Epoch::APPLICATION,
            application.server.record_keys(suite.aead, &common.provider)?,
        ));
        let finished = traffic.client;
        let mut flight = Flight {
            offer,
            seq,
            suite,
            transcript,
            negotiated,
            finished,
            application,
            main,
            session,
            tickets,
            proof,
            form,
            external: matches!(psk, Some(OfferedPsk::External(_))),
        };

        if let Some(session) = psk.as_ref().and_then(OfferedPsk::session) {
            return flight.reverify(session, out);
        }
        let Some(RequestAnswer { chosen, compression }) = request else { return flight.finish(out) };
        let (identity, compression) = (chosen.as_ref().map(|chosen| &*chosen.identity), compression.as_deref());
        let certificate = auth13::certificate(&mut flight.seq, &[], identity, None, compression)?;
        flight.negotiated.own_certificate_compression = of_ours(&certificate, compression);
        flight.send(certificate, out);
        match chosen {
            Some(chosen) => flight.sign(&chosen, out),
            // RFC 9846 §4.5.1: who has no fitting certificate sends an empty list, and signs nothing.
            None => flight.finish(out),
        }
    }
}

/// Our last flight in the making, with what it leads to.
struct Flight {
    offer: Offer,
    seq: OutgoingSeq,
    suite: &'static Suite13,
    transcript: Transcript13,
    negotiated: Negotiated,
    /// What our Finished is made with.
    finished: TrafficSecret,
    application: TrafficSecrets,
    main: MainSecret,
    session: Session13,
    /// What the tickets to come are kept with, if they are.
    tickets: Option<TicketTerms>,
    proof: FinishedVerified,
    /// The form of our certificates.
    form: CertificateType,
    /// Whether the pre-shared key of the handshake was one from elsewhere.
    external: bool,
}

impl Flight {
    fn send(&mut self, message: Message, out: &mut Vec<Action>) {
        self.transcript.add(&message);
        out.push(Action::Send(message));
    }

    /// Asks the verifier about the server of `session` again, if that is wanted.
    fn reverify(self, session: &Session, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let verdict = resume::reverify(session, &self.offer.name, &self.offer.config);
        let state = ExpectSecondVerdict { flight: self, established: session.established };
        match verdict.map(|verdict| now_or_defer(verdict, Work::Verdict, out)) {
            None => state.flight.finish(out),
            Some(Some(verdict)) => state.settle(verdict, out),
            Some(None) => Ok(AnyState::Client13(Box::new(State::SecondVerdict(state)))),
        }
    }

    fn sign(self, chosen: &Chosen, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let provider = &self.offer.config.common.provider;
        let content = signed_content(Signer::Client, &self.transcript.digest());
        let signed = chosen.identity.key().sign(chosen.scheme, &content, &*provider.random);
        let state = ExpectSignature { flight: self, scheme: chosen.scheme };
        match now_or_defer(signed, Work::Signature, out) {
            Some(signed) => state.settle(signed, out),
            None => Ok(AnyState::Client13(Box::new(State::Signature(state)))),
        }
    }

    fn finish(mut self, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let finished = auth13::finished(&mut self.seq, &self.finished, &self.transcript)?;
        self.send(finished, out);
        let Self {
            offer,
            seq,
            suite,
            transcript,
            negotiated,
            application,
            main,
            mut session,
            tickets,
            proof,
            form,
            external,
            ..
        } = self;
        // RFC 9846 §4.4.2: after a handshake with a key from elsewhere nobody may ask.
        let may_be_asked = offer.config.post_handshake_auth && !external;
        if tickets.is_some() {
            session = session.with_resumption(main.into_resumption(&transcript.digest()));
        }
        let write_keys = application.client.record_keys(suite.aead, &offer.config.common.provider)?;
        out.push(Action::InstallWrite13(Epoch::APPLICATION, write_keys));
        out.push(Action::EndAcknowledgedFlight);
        let remember = tickets.map(Remember::ClientTickets);
        let post = PostHandshake::new(Signer::Client, seq, application, suite.aead, offer.random)
            .with_later(may_be_asked.then(|| Later::client(transcript, form)));
        let established =
            Established { proof, negotiated, keying: Keying::V13(session), remember, post: Some(Box::new(post)) };
        out.push(Action::Complete(Box::new(established)));
        Ok(AnyState::Connected)
    }
}

/// Waits for a verifier that takes its time with the server of a session: our Finished is still to be sent.
pub(crate) struct ExpectSecondVerdict {
    flight: Flight,
    /// When the full handshake of the session took place, which tells its tickets from others.
    established: u64,
}

impl ExpectSecondVerdict {
    pub(super) fn settle(self, verdict: Verdict, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let Self { flight, established } = self;
        // The key of the certificate signed in the full handshake.
        let _accepted = verdict.inspect_err(|_| {
            // With its other tickets the same would be asked again.
            if let Some(sessions) = &flight.offer.config.sessions {
                let name = resume::store_name(&flight.offer.name);
                forget_tickets(&*sessions.store, &name, &sessions.context, established);
            }
        })?;
        flight.finish(out)
    }
}

/// Waits for a signer that takes its time: CertificateVerify and Finished are still to be sent.
pub(crate) struct ExpectSignature {
    flight: Flight,
    scheme: SignatureScheme,
}

impl ExpectSignature {
    pub(super) fn settle(self, signed: Signed, out: &mut Vec<Action>) -> Result<AnyState, Error> {
        let Self { mut flight, scheme } = self;
        let message = auth13::certificate_verify(&mut flight.seq, scheme, &signed?)?;
        flight.send(message, out);
        flight.finish(out)
    }
}
