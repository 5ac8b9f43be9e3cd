//! The server's first flight: ServerHello, Certificate, ServerKeyExchange, CertificateRequest,
//! ServerHelloDone.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::{
    EcPointFormats, ExtendedMasterSecret, ExtensionsBuf, RenegotiationInfo, ServerNameAck, SessionTicket,
};
use gramseal_wire::handshake::{
    CertificateRequest12, ClientHello, DigitallySigned, ServerDhParams, ServerEcdhParams, ServerHello, ServerHelloDone,
    ServerKeyExchangeDhe, ServerKeyExchangeEcdhe,
};
use gramseal_wire::{
    ClientCertificateType, Codec, CompressionMethod, EcPointFormat, OwnedList, OwnedOpaqueList, ProtocolVersion,
    Random, SignatureScheme,
};

use super::{AnyState, Context, ExpectCertificate, ExpectClientKeyExchange, Promise, State, psk};
use crate::config::{PeerVerifier, ServerConfig};
use crate::crypto::ActiveKx;
use crate::error::{Error, LocalFault};
use crate::handshake::auth12::{self, PLAINTEXT, signed_params};
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::offer::push_alpn;
use crate::handshake::schedule12::Randoms;
use crate::handshake::select::{self, Selected12};
use crate::handshake::transcript::{Keep, Transcript};
use crate::handshake::{Action, Negotiated};
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
    let asks = selected.scheme.is_some() && config.client_auth.verifier().is_some();
    let keep = if asks { Keep::Messages } else { Keep::HashOnly };
    let mut transcript = Transcript::new(hash, keep);
    transcript.add(message);

    let promise = Promise::new(hello, &config)?;
    let answer = server_hello(&mut seq, hello, &selected, &promise, random)?;
    let mut negotiated = Negotiated::new(ProtocolVersion::DTLS1_2, selected.suite.id);
    negotiated.group = selected.group;
    negotiated.alpn = selected.alpn;
    negotiated.server_name = selected.server_name;
    let randoms = Randoms { client: hello.random, server: random };
    let mut context = Context { config, seq, suite: selected.suite, randoms, transcript, negotiated, promise };
    context.send(answer, out);
    let Some(scheme) = selected.scheme else { return psk::finish_flight(context, out) };
    let certificate = auth12::certificate(&mut context.seq, context.config.identity.as_ref())?;
    context.send(certificate, out);
    let kx = send_key_exchange(&mut context, scheme, out)?;
    finish(context, kx, out)
}

fn server_hello(
    seq: &mut OutgoingSeq,
    hello: &ClientHello<'_>,
    selected: &Selected12,
    promise: &Promise,
    random: Random,
) -> Result<Message, Error> {
    let mut extensions = ExtensionsBuf::new();
    // RFC 5746 §3.6 and RFC 7627 §5.1: `select` made sure that the client understands both.
    extensions.push(&RenegotiationInfo { renegotiated_connection: &[] });
    extensions.push(&ExtendedMasterSecret);
    if select::sent_server_name(hello) {
        extensions.push(&ServerNameAck);
    }
    if selected.client_lists_point_formats && selected.suite.key_exchange.uses_curve() {
        let formats: OwnedList<EcPointFormat> = [EcPointFormat::UNCOMPRESSED].into_iter().collect();
        extensions.push(&EcPointFormats { formats: formats.as_list() });
    }
    if let Some(name) = &selected.alpn {
        push_alpn(&mut extensions, core::iter::once(name.as_slice()))?;
    }
    if promise.ticket {
        extensions.push(&SessionTicket::default());
    }
    let answer = ServerHello {
        legacy_version: ProtocolVersion::DTLS1_2,
        random,
        session_id: &promise.session_id,
        cipher_suite: selected.suite.id,
        compression_method: CompressionMethod::NULL,
        extensions: extensions.as_extensions(),
    };
    seq.message(PLAINTEXT, &answer)
}

/// Our ephemeral share, signed.
fn send_key_exchange(
    context: &mut Context,
    scheme: SignatureScheme,
    out: &mut Vec<Action>,
) -> Result<Box<dyn ActiveKx>, Error> {
    let config = context.config.clone();
    let provider = &config.common.provider;
    let group = context.negotiated.group.ok_or(LocalFault::MissingAlgorithm)?;
    let kx = provider.group(group).ok_or(LocalFault::MissingAlgorithm)?.start(&*provider.random)?;
    // Without an identity no suite with a scheme was selected.
    let identity = config.identity.as_ref().ok_or(LocalFault::MissingAlgorithm)?;
    let sign = |params: &[u8]| identity.key().sign(scheme, &signed_params(&context.randoms, params), &*provider.random);
    let message = match context.suite.key_exchange {
        KeyExchange::Ecdhe => {
            let params = ServerEcdhParams { group, public_key: kx.public_key() };
            let params_bytes = params.to_vec()?;
            let signature = sign(&params_bytes)?;
            let signed = DigitallySigned { scheme, signature: &signature };
            let body = ServerKeyExchangeEcdhe { params, params_bytes: &params_bytes, signed };
            context.seq.message(PLAINTEXT, &body)?
        }
        KeyExchange::Dhe => {
            let finite_field = provider.finite_field.ok_or(LocalFault::MissingAlgorithm)?;
            let numbers = finite_field.params(group).ok_or(LocalFault::MissingAlgorithm)?;
            let params = ServerDhParams { p: numbers.p, g: numbers.g, public: kx.public_key() };
            let params_bytes = params.to_vec()?;
            let signature = sign(&params_bytes)?;
            let signed = DigitallySigned { scheme, signature: &signature };
            let body = ServerKeyExchangeDhe { params, params_bytes: &params_bytes, signed };
            context.seq.message(PLAINTEXT, &body)?
        }
        // Nothing is signed there: see `psk`.
        KeyExchange::Psk | KeyExchange::EcdhePsk => return Err(LocalFault::MissingAlgorithm.into()),
    };
    context.send(message, out);
    Ok(kx)
}

/// CertificateRequest if clients should prove who they are, then ServerHelloDone.
fn finish(mut context: Context, kx: Box<dyn ActiveKx>, out: &mut Vec<Action>) -> Result<AnyState, Error> {
    let verifier = context.config.client_auth.verifier().cloned();
    if let Some(verifier) = &verifier {
        let request = certificate_request(&mut context, &**verifier)?;
        context.send(request, out);
    }
    send_done(&mut context, out)?;
    Ok(AnyState::Server12(Box::new(match verifier {
        Some(verifier) => State::Certificate(ExpectCertificate { context, kx, verifier }),
        None => State::ClientKeyExchange(ExpectClientKeyExchange { context, kx, peer: None }),
    })))
}

/// ServerHelloDone: the client's turn.
pub(super) fn send_done(context: &mut Context, out: &mut Vec<Action>) -> Result<(), Error> {
    let done = context.seq.message(PLAINTEXT, &ServerHelloDone)?;
    context.send(done, out);
    out.push(Action::EndFlight);
    Ok(())
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
    context.seq.message(PLAINTEXT, &request)
}
