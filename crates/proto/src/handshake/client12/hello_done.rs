//! CertificateRequest and ServerHelloDone, and our answer: the flight that ends with Finished.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::handshake::{
    CertificateRequest12, ClientKeyExchangeDh, ClientKeyExchangeEcdh, ClientKeyExchangeEcdhePsk, ClientKeyExchangePsk,
    ServerHelloDone,
};
use gramseal_wire::{ClientCertificateType, Codec, HandshakeType, NamedGroup, SignatureScheme};
use zeroize::Zeroizing;

use super::key_exchange::ServerShare;
use super::{Context, ExpectFinished, State};
use crate::config::{ClientConfig, Psk, for_hint};
use crate::crypto::{CryptoProvider, FiniteFieldParams, KeyKind, ParamsRejected, SharedSecret};
use crate::error::{Error, Incompatible, LocalFault, PeerFault};
use crate::handshake::auth12::{self, PLAINTEXT};
use crate::handshake::schedule12::{Session12, Side};
use crate::handshake::{Action, Negotiated, Protection, expect, psk, unexpected};
use crate::message::Message;

/// How we answer a CertificateRequest: with the scheme to sign with, or without a certificate.
type RequestAnswer = Option<SignatureScheme>;

/// Waits for ServerHelloDone; CertificateRequest may come once before it.
pub(crate) struct ExpectServerHelloDone {
    pub(super) context: Context,
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
        // RFC 5246 §7.4.4: the certificate's key goes with one of the types and one of the schemes.
        let offered = |scheme| asks_for_key_of(&request, scheme) && request.signature_algorithms.contains(&scheme);
        let identity = self.context.offer.config.identity.as_ref();
        self.request = Some(identity.and_then(|identity| identity.choose_scheme(offered, None)));
        self.context.transcript.add(message);
        Ok(State::ServerHelloDone(self))
    }

    fn done(mut self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        expect(message, HandshakeType::SERVER_HELLO_DONE, Protection::None)?;
        ServerHelloDone::from_bytes(message.body())?;
        self.context.transcript.add(message);
        let scheme = self.request.flatten();
        if scheme.is_none() {
            self.context.transcript.forget_messages();
        }
        if self.request.is_some() {
            self.send_certificate(scheme.is_some(), out)?;
        }
        let premaster_secret = self.send_key_exchange(out)?;
        self.finish(&premaster_secret, scheme, out)
    }

    fn send(&mut self, message: Message, out: &mut Vec<Action>) {
        self.context.transcript.add(&message);
        out.push(Action::Send(message));
    }

    /// RFC 5246 §7.4.6: who has no fitting certificate sends an empty list.
    fn send_certificate(&mut self, fitting: bool, out: &mut Vec<Action>) -> Result<(), Error> {
        let identity = self.context.offer.config.identity.as_ref().filter(|_| fitting);
        let message = auth12::certificate(&mut self.context.seq, identity)?;
        self.send(message, out);
        Ok(())
    }

    /// Answers the server's share; the result is the premaster secret.
    fn send_key_exchange(&mut self, out: &mut Vec<Action>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let config = self.context.offer.config.clone();
        let provider = &*config.common.provider;
        let Self { context, share, .. } = self;
        let Context { seq, negotiated, .. } = context;
        let (message, premaster_secret) = match share {
            ServerShare::Ecdhe { group, public_key } => {
                let (public, secret) = answer(provider, *group, public_key)?;
                negotiated.group = Some(*group);
                let message = seq.message(PLAINTEXT, &ClientKeyExchangeEcdh { public: &public })?;
                (message, Zeroizing::new(secret.as_ref().to_vec()))
            }
            ServerShare::Dhe { p, g, public } => {
                let finite_field = provider.finite_field.ok_or(LocalFault::MissingAlgorithm)?;
                let exchange =
                    finite_field.exchange(FiniteFieldParams { p, g }, public, &*provider.random).map_err(rejected)?;
                negotiated.group = named_group(provider, p, g);
                let message = seq.message(PLAINTEXT, &ClientKeyExchangeDh { public: &exchange.public })?;
                (message, Zeroizing::new(exchange.secret.without_leading_zeros().to_vec()))
            }
            ServerShare::Psk { hint } => {
                let psk = choose_psk(&config, hint, negotiated)?;
                let message = seq.message(PLAINTEXT, &ClientKeyExchangePsk { identity: psk.identity() })?;
                (message, psk::plain(psk.key())?)
            }
            ServerShare::EcdhePsk { hint, group, public_key } => {
                let psk = choose_psk(&config, hint, negotiated)?;
                let (public, secret) = answer(provider, *group, public_key)?;
                negotiated.group = Some(*group);
                let body = ClientKeyExchangeEcdhePsk { identity: psk.identity(), public: &public };
                (seq.message(PLAINTEXT, &body)?, psk::behind(secret.as_ref(), psk.key())?)
            }
        };
        self.send(message, out);
        Ok(premaster_secret)
    }

    fn finish(
        mut self,
        premaster_secret: &[u8],
        scheme: Option<SignatureScheme>,
        out: &mut Vec<Action>,
    ) -> Result<State, Error> {
        let config = self.context.offer.config.clone();
        let provider = &config.common.provider;
        let suite = self.context.suite;
        let hash = provider.hash(suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
        let session_hash = self.context.transcript.digest();
        let session = Session12::extended(hash, premaster_secret, &session_hash, self.context.randoms);
        out.push(Action::LogSecret(session.logged()));
        let keys = session.key_block(suite, provider)?;

        if let (Some(scheme), Some(identity)) = (scheme, &config.identity) {
            let Context { seq, transcript, .. } = &mut self.context;
            let message = auth12::certificate_verify(seq, provider, identity, scheme, transcript)?;
            self.send(message, out);
            self.context.transcript.forget_messages();
        }
        out.push(Action::SendChangeCipherSpec);
        out.push(Action::InstallWrite(keys.client_write));
        out.push(Action::InstallRead(keys.server_write));
        let Context { seq, transcript, .. } = &mut self.context;
        let message = auth12::finished(seq, &session, Side::Client, transcript)?;
        self.send(message, out);
        out.push(Action::EndFlight);
        Ok(ExpectFinished { context: Box::new(self.context), session }.after_ticket())
    }
}

/// Whether `request` names the type of certificate whose keys make signatures of `scheme`
/// (RFC 5246 §7.4.4, RFC 8422 §5.5).
fn asks_for_key_of(request: &CertificateRequest12<'_>, scheme: SignatureScheme) -> bool {
    let certificate_type = match KeyKind::of(scheme) {
        Some(KeyKind::Rsa) => ClientCertificateType::RSA_SIGN,
        Some(KeyKind::Ecdsa) => ClientCertificateType::ECDSA_SIGN,
        None => return false,
    };
    request.certificate_types.contains(&certificate_type)
}

/// Our share for the server's, and the secret.
fn answer(provider: &CryptoProvider, group: NamedGroup, share: &[u8]) -> Result<(Vec<u8>, SharedSecret), Error> {
    let kx = provider.group(group).ok_or(LocalFault::MissingAlgorithm)?;
    kx.answer(&*provider.random, share).map_err(|_| PeerFault::BadKeyShare.into())
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
