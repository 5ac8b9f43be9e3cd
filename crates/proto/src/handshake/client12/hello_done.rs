//! CertificateRequest and ServerHelloDone, and our answer: the flight that ends with Finished.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::handshake::{
    CertificateRequest12, CertificateVerify, ClientKeyExchangeDh, ClientKeyExchangeEcdh, ClientKeyExchangeEcdhePsk,
    ClientKeyExchangePsk, ServerHelloDone,
};
use gramseal_wire::{Codec, Epoch, HandshakeType, NamedGroup, SignatureScheme};
use zeroize::Zeroizing;

use super::key_exchange::ServerShare;
use super::{Context, ExpectFinished, State};
use crate::config::{ClientConfig, Psk, for_hint};
use crate::crypto::{CryptoProvider, FiniteFieldParams, ParamsRejected, SharedSecret};
use crate::error::{Error, Incompatible, LocalFault, PeerFault};
use crate::handshake::auth12;
use crate::handshake::credential::{self, Chosen};
use crate::handshake::deferred::now_or_defer;
use crate::handshake::schedule12::{KeyBlock, KeySchedule12, Side};
use crate::handshake::{Action, Negotiated, Protection, Signed, Work, expect, psk, unexpected};
use crate::message::Message;

/// How we answer a CertificateRequest: with a credential, or without any.
type RequestAnswer = Option<Chosen>;

/// Waits for ServerHelloDone; CertificateRequest may come once before it.
pub(crate) struct ExpectServerHelloDone {
    pub(super) context: Box<Context>,
    pub(super) share: ServerShare,
    pub(super) request: Option<RequestAnswer>,
}

impl ExpectServerHelloDone {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        match message.msg_type() {
            // RFC 4279 §2: not where a pre-shared key authenticates the client.
            HandshakeType::CERTIFICATE_REQUEST if self.request.is_none() && self.context.suite.auth.is_some() => {
                self.request(message)
            }
            HandshakeType::SERVER_HELLO_DONE => self.done(message, out),
            _ => Err(unexpected(message)),
        }
    }

    fn request(mut self, message: &Message) -> Result<State, Error> {
        expect(message, HandshakeType::CERTIFICATE_REQUEST, Protection::None)?;
        let request = CertificateRequest12::from_bytes(message.body())?;
        let Context { offer, certificates, .. } = &*self.context;
        self.request = Some(credential::for_request(&offer.config, &request, certificates.client)?);
        self.context.transcript.add(message);
        Ok(State::ServerHelloDone(self))
    }

    fn done(mut self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        expect(message, HandshakeType::SERVER_HELLO_DONE, Protection::None)?;
        ServerHelloDone::from_bytes(message.body())?;
        self.context.transcript.add(message);
        let request = self.request.take();
        if let Some(answer) = &request {
            self.send_certificate(answer.as_ref(), out)?;
        }
        let chosen = request.flatten();
        if chosen.is_none() {
            self.context.transcript.forget_messages();
        }
        let premaster_secret = self.send_key_exchange(out)?;
        self.derive(&premaster_secret, chosen, out)
    }

    /// RFC 5246 §7.4.6: who has no fitting certificate sends an empty list.
    fn send_certificate(&mut self, chosen: Option<&Chosen>, out: &mut Vec<Action>) -> Result<(), Error> {
        let message = auth12::certificate(&mut self.context.seq, chosen.map(|chosen| &*chosen.identity))?;
        self.context.send(message, out);
        Ok(())
    }

    /// Answers the server's share; the result is the premaster secret.
    fn send_key_exchange(&mut self, out: &mut Vec<Action>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let config = self.context.offer.config.clone();
        let provider = &*config.common.provider;
        let Self { context, share, .. } = self;
        let Context { seq, negotiated, .. } = &mut **context;
        let (message, premaster_secret) = match share {
            ServerShare::Ecdhe { group, public_key } => {
                let (public, secret) = answer(provider, *group, public_key)?;
                negotiated.group = Some(*group);
                let message = seq.message(Epoch::UNPROTECTED, &ClientKeyExchangeEcdh { public: &public })?;
                (message, Zeroizing::new(secret.as_ref().to_vec()))
            }
            ServerShare::Dhe { p, g, public } => {
                let finite_field = provider.finite_field.ok_or(LocalFault::MissingAlgorithm)?;
                let exchange =
                    finite_field.exchange(FiniteFieldParams { p, g }, public, &*provider.random).map_err(rejected)?;
                negotiated.group = named_group(provider, p, g);
                let message = seq.message(Epoch::UNPROTECTED, &ClientKeyExchangeDh { public: &exchange.public })?;
                (message, Zeroizing::new(exchange.secret.without_leading_zeros().to_vec()))
            }
            ServerShare::Psk { hint } => {
                let psk = choose_psk(&config, hint, negotiated)?;
                let message = seq.message(Epoch::UNPROTECTED, &ClientKeyExchangePsk { identity: psk.identity() })?;
                (message, psk::plain(psk.key())?)
            }
            ServerShare::EcdhePsk { hint, group, public_key } => {
                let psk = choose_psk(&config, hint, negotiated)?;
                let (public, secret) = answer(provider, *group, public_key)?;
                negotiated.group = Some(*group);
                let body = ClientKeyExchangeEcdhePsk { identity: psk.identity(), public: &public };
                (seq.message(Epoch::UNPROTECTED, &body)?, psk::behind(secret.as_ref(), psk.key())?)
            }
        };
        context.send(message, out);
        Ok(premaster_secret)
    }

    /// The keys are known; what is left is to prove who we are, if we said so.
    fn derive(self, premaster_secret: &[u8], chosen: Option<Chosen>, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, share, .. } = self;
        let provider = &context.offer.config.common.provider;
        let hash = provider.hash(context.suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
        let schedule = KeySchedule12::extended(hash, premaster_secret, &context.transcript.digest(), context.randoms);
        // Only who keeps sessions needs it.
        let hint = share.hint().filter(|_| context.offer.config.sessions.is_some());
        let psk = hint.and_then(|hint| for_hint(&context.offer.config.psks, hint));
        context.issued.psk_binding = psk.map(|psk| schedule.session.bind_to_psk(psk.key()));
        out.extend(schedule.session.logged(&context.offer.config.common));
        let keys = schedule.key_block(context.suite, provider)?;
        let Some(Chosen { identity, scheme }) = chosen else { return finish(context, schedule, keys, out) };
        let signed = identity.key().sign(scheme, context.transcript.messages(), &*provider.random);
        let state = ExpectSignature { context, schedule, keys, scheme };
        match now_or_defer(signed, Work::Signature, out) {
            Some(signed) => state.settle(signed, out),
            None => Ok(State::Signature(state)),
        }
    }
}

/// Waits for a signer that takes its time: CertificateVerify and Finished are still to be sent.
pub(crate) struct ExpectSignature {
    context: Box<Context>,
    schedule: KeySchedule12,
    keys: KeyBlock,
    scheme: SignatureScheme,
}

impl ExpectSignature {
    /// RFC 5246 §7.4.8: the signature covers all messages so far.
    pub(super) fn settle(self, signed: Signed, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, schedule, keys, scheme } = self;
        let body = CertificateVerify { scheme, signature: &signed? };
        let message = context.seq.message(Epoch::UNPROTECTED, &body)?;
        context.send(message, out);
        context.transcript.forget_messages();
        finish(context, schedule, keys, out)
    }
}

/// ChangeCipherSpec and Finished: the server's turn.
fn finish(
    mut context: Box<Context>,
    schedule: KeySchedule12,
    keys: KeyBlock,
    out: &mut Vec<Action>,
) -> Result<State, Error> {
    out.push(Action::SendChangeCipherSpec);
    out.push(Action::InstallWrite(keys.client_write));
    out.push(Action::InstallRead(keys.server_write));
    let message = auth12::finished(&mut context.seq, &schedule, Side::Client, &context.transcript)?;
    context.send(message, out);
    out.push(Action::EndFlight);
    Ok(ExpectFinished { context, schedule }.after_ticket())
}

/// Our share for the server's, and the secret.
fn answer(provider: &CryptoProvider, group: NamedGroup, share: &[u8]) -> Result<(Vec<u8>, SharedSecret), Error> {
    let kx = provider.group(group).ok_or(LocalFault::MissingAlgorithm)?;
    Ok(kx.answer(&*provider.random, share)?)
}

fn choose_psk<'c>(config: &'c ClientConfig, hint: &[u8], negotiated: &mut Negotiated) -> Result<&'c Psk, Error> {
    // Without a key no such suite was offered.
    let psk = for_hint(&config.psks, hint).ok_or(PeerFault::UnofferedCipherSuite)?;
    negotiated.psk_identity = Some(psk.identity().to_vec());
    Ok(psk)
}

/// The RFC 7919 name of a group, if it has one.
fn named_group(provider: &CryptoProvider, p: &[u8], g: &[u8]) -> Option<NamedGroup> {
    let finite_field = provider.finite_field?;
    let named = [NamedGroup::FFDHE2048, NamedGroup::FFDHE3072, NamedGroup::FFDHE4096];
    named.into_iter().find(|group| finite_field.params(*group) == Some(FiniteFieldParams { p, g }))
}

fn rejected(reason: ParamsRejected) -> Error {
    match reason {
        ParamsRejected::TooSmall | ParamsRejected::TooLarge | ParamsRejected::Unsafe => {
            Incompatible::UnsafeFiniteFieldGroup.into()
        }
        ParamsRejected::BadPublicValue => PeerFault::BadKeyShare.into(),
    }
}
