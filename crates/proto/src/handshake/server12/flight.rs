//! The server's first flight: ServerHello, Certificate, CertificateStatus, ServerKeyExchange,
//! CertificateRequest, ServerHelloDone.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::{
    ClientCertificateTypeChoice, EcPointFormats, ExtendedMasterSecret, ExtensionsBuf, RenegotiationInfo,
    ServerCertificateTypeChoice, ServerNameAck, SessionTicket, StatusRequestAck,
};
use gramseal_wire::handshake::{
    CertificateRequest12, CertificateStatus, ClientHello, DigitallySigned, ServerDhParams, ServerEcdhParams,
    ServerHello, ServerKeyExchangeDhe, ServerKeyExchangeEcdhe,
};
use gramseal_wire::{
    CertificateStatusType, ClientCertificateType, Codec, CompressionMethod, Epoch, NamedGroup, OwnedList,
    OwnedOpaqueList, ProtocolVersion, Random, SignatureScheme,
};

use super::{AnyState, Context, ExpectCertificate, ExpectClientKeyExchange, Promise, State, psk};
use crate::config::{PeerVerifier, ServerConfig};
use crate::crypto::ActiveKx;
use crate::error::{Error, LocalFault};
use crate::handshake::auth12::{self, signed_params};
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::credential::{Ask, Chosen, Plan};
use crate::handshake::deferred::now_or_defer;
use crate::handshake::offer::{USUAL_ANSWERS, push_alpn};
use crate::handshake::schedule12::Randoms;
use crate::handshake::select::{self, Selected12};
use crate::handshake::transcript::{Keep, Transcript};
use crate::handshake::{Action, AgreedCids, Negotiated, Signed, Work, cids, limits, srtp};
use crate::message::Message;
use crate::suite::KeyExchange;

/// Answers a hello that 1.2 can serve.
pub(in crate::handshake) fn start(
    config: Arc<ServerConfig>,
    mut seq: OutgoingSeq,
    hello: &ClientHello<'_>,
    message: &Message,
    selected: Selected12,
    out: &mut Vec<Action>,
) -> Result<AnyState, Error> {
    let common = &config.common;
    let random = select::with_sentinel(Random(common.provider.random_array()?), &common.versions);
    let hash = common.provider.hash(selected.suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
    let asks = selected.certificates.as_ref().is_some_and(|plan| plan.ask.is_some());
    let keep = if asks { Keep::Messages } else { Keep::HashOnly };
    let mut transcript = Transcript::new(hash, keep);
    transcript.add(message);

    let promise = Promise::new(hello, &config, selected.limits)?;
    let cids = cids::select(hello, common)?;
    let answer = server_hello(&mut seq, hello, &selected, &promise, cids.as_ref(), random, &config)?;
    let mut negotiated = Negotiated::new(ProtocolVersion::DTLS1_2, selected.suite.id);
    negotiated.group = selected.group;
    negotiated.alpn = selected.alpn;
    negotiated.srtp = selected.srtp;
    negotiated.server_name = selected.server_name;
    let randoms = Randoms { client: hello.random, server: random };
    let mut context =
        Box::new(Context { config, seq, suite: selected.suite, randoms, transcript, negotiated, promise });
    out.push(Action::LimitRecords(selected.limits));
    out.push(Action::AgreeOnCids(cids));
    context.send(answer, out);
    match selected.certificates {
        Some(plan) => send_certificate(context, plan, out).map(AnyState::Server12),
        None => psk::finish_flight(context, out),
    }
}

fn server_hello(
    seq: &mut OutgoingSeq,
    hello: &ClientHello<'_>,
    selected: &Selected12,
    promise: &Promise,
    cids: Option<&AgreedCids>,
    random: Random,
    config: &ServerConfig,
) -> Result<Message, Error> {
    let mut extensions = ExtensionsBuf::with_capacity(USUAL_ANSWERS);
    // RFC 5746 §3.6 and RFC 7627 §5.1: `select` made sure that the client understands both.
    extensions.push(&RenegotiationInfo { renegotiated_connection: &[] });
    extensions.push(&ExtendedMasterSecret);
    if select::acknowledges_name(hello, config) {
        extensions.push(&ServerNameAck);
    }
    if selected.client_lists_point_formats && selected.suite.key_exchange.uses_curve() {
        extensions.push(&EcPointFormats::UNCOMPRESSED);
    }
    if let Some(plan) = &selected.certificates {
        push_certificate_extensions(&mut extensions, plan);
    }
    if let Some(name) = &selected.alpn {
        push_alpn(&mut extensions, core::iter::once(name.as_slice()))?;
    }
    if promise.ticket {
        extensions.push(&SessionTicket::default());
    }
    srtp::answer(selected.srtp.as_ref(), &mut extensions);
    limits::answer(selected.limits, &mut extensions);
    cids::answer(cids, &mut extensions);
    let answer = ServerHello {
        legacy_version: ProtocolVersion::DTLS1_2,
        random,
        session_id: &promise.session_id,
        cipher_suite: selected.suite.id,
        compression_method: CompressionMethod::NULL,
        extensions: extensions.as_extensions(),
    };
    seq.message(Epoch::UNPROTECTED, &answer)
}

/// What the certificates to come look like (RFC 7250 §4.2, RFC 6066 §8).
fn push_certificate_extensions(extensions: &mut ExtensionsBuf, plan: &Plan) {
    if plan.tells_form {
        extensions.push(&ServerCertificateTypeChoice(plan.chosen.identity.certificate_type()));
    }
    if let Some(Ask { form, tells_form: true }) = plan.ask {
        extensions.push(&ClientCertificateTypeChoice(form));
    }
    if plan.staple.is_some() {
        extensions.push(&StatusRequestAck);
    }
}

/// Our certificate with its status, and our ephemeral share, which is still to be signed.
fn send_certificate(mut context: Box<Context>, plan: Plan, out: &mut Vec<Action>) -> Result<State, Error> {
    let Plan { chosen: Chosen { identity, scheme }, staple, ask, .. } = plan;
    let certificate = auth12::certificate(&mut context.seq, Some(&identity))?;
    context.send(certificate, out);
    if let Some(response) = staple {
        let status = CertificateStatus { status_type: CertificateStatusType::OCSP, response: &response };
        let status = context.seq.message(Epoch::UNPROTECTED, &status)?;
        context.send(status, out);
    }
    let config = context.config.clone();
    let provider = &config.common.provider;
    let group = context.negotiated.group.ok_or(LocalFault::MissingAlgorithm)?;
    let kx = provider.group(group).ok_or(LocalFault::MissingAlgorithm)?.start(&*provider.random)?;
    let state = ExpectSignature { context, kx, group, scheme, ask };
    let params = state.params()?;
    let signed = identity.key().sign(scheme, &signed_params(&state.context.randoms, &params), &*provider.random);
    match now_or_defer(signed, Work::Signature, out) {
        Some(signed) => state.settle(signed, out),
        None => Ok(State::Signature(state)),
    }
}

/// Waits for a signer that takes its time: ServerKeyExchange and what follows are still to be sent.
pub(crate) struct ExpectSignature {
    context: Box<Context>,
    kx: Box<dyn ActiveKx>,
    group: NamedGroup,
    scheme: SignatureScheme,
    ask: Option<Ask>,
}

impl ExpectSignature {
    /// The encoded parameters of our share, which the signature covers.
    fn params(&self) -> Result<Vec<u8>, Error> {
        match self.context.suite.key_exchange {
            KeyExchange::Ecdhe => Ok(self.ecdh_params().to_vec()?),
            KeyExchange::Dhe => Ok(self.dh_params()?.to_vec()?),
            // Nothing is signed there: see `psk`.
            KeyExchange::Psk | KeyExchange::EcdhePsk => Err(LocalFault::MissingAlgorithm.into()),
        }
    }

    fn ecdh_params(&self) -> ServerEcdhParams<'_> {
        ServerEcdhParams { group: self.group, public_key: self.kx.public_key() }
    }

    fn dh_params(&self) -> Result<ServerDhParams<'_>, Error> {
        let finite_field = self.context.config.common.provider.finite_field.ok_or(LocalFault::MissingAlgorithm)?;
        let numbers = finite_field.params(self.group).ok_or(LocalFault::MissingAlgorithm)?;
        Ok(ServerDhParams { p: numbers.p, g: numbers.g, public: self.kx.public_key() })
    }

    /// Goes on with the signature.
    pub(super) fn settle(mut self, signed: Signed, out: &mut Vec<Action>) -> Result<State, Error> {
        let signature = signed?;
        let signed = DigitallySigned { scheme: self.scheme, signature: &signature };
        let params_bytes = self.params()?;
        let mut seq = self.context.seq;
        let message = match self.context.suite.key_exchange {
            KeyExchange::Dhe => {
                let params = self.dh_params()?;
                seq.message(Epoch::UNPROTECTED, &ServerKeyExchangeDhe { params, params_bytes: &params_bytes, signed })?
            }
            KeyExchange::Ecdhe | KeyExchange::Psk | KeyExchange::EcdhePsk => {
                let params = self.ecdh_params();
                seq.message(
                    Epoch::UNPROTECTED,
                    &ServerKeyExchangeEcdhe { params, params_bytes: &params_bytes, signed },
                )?
            }
        };
        self.context.seq = seq;
        self.context.send(message, out);
        finish(self.context, self.kx, self.ask, out)
    }
}

/// CertificateRequest if clients should prove who they are, then ServerHelloDone.
fn finish(
    mut context: Box<Context>,
    kx: Box<dyn ActiveKx>,
    ask: Option<Ask>,
    out: &mut Vec<Action>,
) -> Result<State, Error> {
    let config = context.config.clone();
    let asked = ask.and_then(|ask| Some((ask.form, config.client_auth.verifier()?)));
    if let Some((_, verifier)) = asked {
        let request = certificate_request(&mut context, &**verifier)?;
        context.send(request, out);
    }
    context.send_done(out)?;
    Ok(match asked {
        Some((form, verifier)) => {
            State::Certificate(ExpectCertificate { context, kx, verifier: verifier.clone(), form })
        }
        None => State::ClientKeyExchange(ExpectClientKeyExchange { context, kx, peer: None }),
    })
}

fn certificate_request(context: &mut Context, verifier: &dyn PeerVerifier) -> Result<Message, Error> {
    let types: OwnedList<ClientCertificateType> =
        [ClientCertificateType::ECDSA_SIGN, ClientCertificateType::RSA_SIGN].into_iter().collect();
    let schemes: OwnedList<SignatureScheme> = context.config.common.verify_schemes().collect();
    let authorities = OwnedOpaqueList::new(verifier.authorities())?;
    let request = CertificateRequest12 {
        certificate_types: types.as_list(),
        signature_algorithms: schemes.as_list(),
        authorities: authorities.as_list(),
    };
    context.seq.message(Epoch::UNPROTECTED, &request)
}
