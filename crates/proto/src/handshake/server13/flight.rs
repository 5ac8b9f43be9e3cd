//! The server's flight: ServerHello, EncryptedExtensions, CertificateRequest, Certificate,
//! CertificateVerify, Finished.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::{
    CertificateAuthorities, ClientCertificateTypeChoice, EarlyData, ExtensionsBuf, KeyShareEntry, KeyShareServerHello,
    PostHandshakeAuth, PreSharedKeyServerHello, ServerCertificateTypeChoice, ServerNameAck, SignatureAlgorithms,
    SignatureAlgorithmsCert, SupportedVersionsServerHello, TicketRequestEncryptedExtensions,
};
use gramseal_wire::handshake::{CertificateRequest13, ClientHello, EncryptedExtensions, ServerHello};
use gramseal_wire::{
    CertificateType, CompressionMethod, Epoch, NamedGroup, OwnedList, OwnedOpaqueList, ProtocolVersion, Random,
    SignatureScheme,
};

use super::certificate::ExpectCertificate;
use super::finished::{ExpectFinished, Secrets};
use super::{AnyState, Context, Promise, State};
use crate::config::{Common, PeerVerifier, ServerConfig};
use crate::crypto::{CryptoProvider, SharedSecret};
use crate::error::{Error, LocalFault};
use crate::handshake::auth13::{self, Signer, signed_content};
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::credential::{Ask, Chosen, Plan};
use crate::handshake::deferred::now_or_defer;
use crate::handshake::early::EarlyTerms;
use crate::handshake::offer::{USUAL_ANSWERS, push_alpn};
use crate::handshake::resume13::Shared13;
use crate::handshake::schedule13::{EarlySecret, HandshakeSecret, TrafficSecrets};
use crate::handshake::select::{self, Auth13, Selected13};
use crate::handshake::transcript::Transcript13;
use crate::handshake::{Action, AgreedCids, Negotiated, Signed, Work, cids, compression, limits, resume, srtp};
use crate::message::Message;
use crate::suite::Suite13;

/// Answers a hello that 1.3 can serve. `retried` is the transcript up to a HelloRetryRequest, if there was
/// one.
pub(in crate::handshake) fn start(
    config: Arc<ServerConfig>,
    mut seq: OutgoingSeq,
    hello: &ClientHello<'_>,
    message: &Message,
    selected: Selected13<'_>,
    retried: Option<Transcript13>,
    out: &mut Vec<Action>,
) -> Result<AnyState, Error> {
    let provider = config.common.provider.clone();
    let Selected13 { suite, share, auth, alpn, srtp, limits, server_name } = selected;
    let hash = provider.hash(suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
    let exchange = share.map(|(group, share)| exchange(&provider, group, share)).transpose()?;
    let psk = auth.psk();
    let resumed = psk.and_then(Shared13::session);
    let external = psk.and_then(Shared13::external).cloned();
    let cids = cids::select(hello, &config.common)?;
    let answer = server_hello(&mut seq, &provider, suite, exchange.as_ref(), psk, cids.as_ref())?;
    let mut negotiated = match resumed {
        Some(session) => resume::negotiated(session, suite.id, alpn),
        None => Negotiated { alpn, ..Negotiated::new(ProtocolVersion::DTLS1_3, suite.id) },
    };
    negotiated.psk_identity = external.as_ref().map(|psk| psk.identity().to_vec());
    negotiated.group = exchange.as_ref().map(|exchange| exchange.group);
    negotiated.srtp = srtp;
    negotiated.server_name = server_name;
    let mut transcript = retried.unwrap_or_else(|| Transcript13::new(hash));
    transcript.add(message);
    let promise = Promise::new(hello, resumed, &config)?;
    let later = later_form(hello, &config, &auth)?;
    let mut context = Context { config, seq, suite, transcript, negotiated, promise, external, later };
    let early = match psk {
        Some(psk) => EarlySecret::with_psk(hash, psk.secret()),
        None => EarlySecret::without_psk(hash),
    };
    if let Some(limit) = psk.and_then(|psk| psk.early_data) {
        let digest = context.transcript.digest();
        let terms = EarlyTerms::new(&early, &digest, suite, limit, &context.config.common, &hello.random, out)?;
        out.push(Action::EarlyData(terms));
        context.negotiated.early_data = true;
    }
    context.send(answer, out);
    out.push(Action::AgreeOnCids(cids));

    let handshake = early.into_handshake(exchange.as_ref().map(|exchange| exchange.shared.as_ref()));
    let traffic = handshake.traffic(&context.transcript.digest());
    traffic.log_handshake(&context.config.common, &hello.random, out);
    out.push(Action::InstallRead13(Epoch::HANDSHAKE, traffic.client.record_keys(suite.aead, &provider)?));
    out.push(Action::InstallWrite13(Epoch::HANDSHAKE, traffic.server.record_keys(suite.aead, &provider)?));
    out.push(Action::LimitRecords(limits));

    let extensions = encrypted_extensions(hello, &context, &auth, limits)?;
    let message =
        context.seq.message(Epoch::HANDSHAKE, &EncryptedExtensions { extensions: extensions.as_extensions() })?;
    context.send(message, out);
    let keys = Keys { handshake, traffic, client_random: hello.random };
    let state = match auth {
        Auth13::Certificate(plan) => send_certificate(context, plan, keys, out)?,
        Auth13::Psk(_) => finish(context, keys, None, out)?,
    };
    Ok(AnyState::Server13(Box::new(state)))
}

/// What came of the key shares.
struct Exchange {
    group: NamedGroup,
    /// Our share.
    ours: Vec<u8>,
    shared: SharedSecret,
}

fn exchange(provider: &CryptoProvider, group: NamedGroup, share: &[u8]) -> Result<Exchange, Error> {
    let kx = provider.group(group).ok_or(LocalFault::MissingAlgorithm)?;
    let (ours, shared) = kx.answer(&*provider.random, share)?;
    Ok(Exchange { group, ours, shared })
}

fn server_hello(
    seq: &mut OutgoingSeq,
    provider: &CryptoProvider,
    suite: &Suite13,
    exchange: Option<&Exchange>,
    psk: Option<&Shared13>,
    cids: Option<&AgreedCids>,
) -> Result<Message, Error> {
    let mut extensions = ExtensionsBuf::with_capacity(USUAL_ANSWERS);
    extensions.push(&SupportedVersionsServerHello { selected_version: ProtocolVersion::DTLS1_3 });
    if let Some(Exchange { group, ours, .. }) = exchange {
        extensions.push(&KeyShareServerHello { server_share: KeyShareEntry { group: *group, key_exchange: ours } });
    }
    if let Some(psk) = psk {
        extensions.push(&PreSharedKeyServerHello { selected_identity: psk.index });
    }
    cids::answer(cids, &mut extensions);
    let answer = ServerHello {
        legacy_version: ProtocolVersion::DTLS1_2,
        random: Random(provider.random_array()?),
        // RFC 9147 §5.4: the client's is not repeated.
        session_id: &[],
        cipher_suite: suite.id,
        compression_method: CompressionMethod::NULL,
        extensions: extensions.as_extensions(),
    };
    seq.message(Epoch::UNPROTECTED, &answer)
}

fn encrypted_extensions(
    hello: &ClientHello<'_>,
    context: &Context,
    auth: &Auth13,
    limits: limits::RecordLimits,
) -> Result<ExtensionsBuf, Error> {
    let negotiated = &context.negotiated;
    let mut extensions = ExtensionsBuf::new();
    // RFC 6066 §3: not where a session is resumed.
    if !negotiated.resumed && select::acknowledges_name(hello, &context.config) {
        extensions.push(&ServerNameAck);
    }
    if let Auth13::Certificate(plan) = auth {
        if plan.tells_form {
            extensions.push(&ServerCertificateTypeChoice(plan.chosen.identity.certificate_type()));
        }
        if let Some(Ask { form, tells_form: true }) = plan.ask {
            extensions.push(&ClientCertificateTypeChoice(form));
        }
    }
    if context.promise.answers {
        extensions.push(&TicketRequestEncryptedExtensions { expected_count: context.promise.count });
    }
    if let Some(name) = &negotiated.alpn {
        push_alpn(&mut extensions, core::iter::once(name.as_slice()))?;
    }
    srtp::answer(negotiated.srtp.as_ref(), &mut extensions);
    limits::answer(limits, &mut extensions);
    if negotiated.early_data {
        extensions.push(&EarlyData);
    }
    Ok(extensions)
}

/// What the schedule has come to when our flight is half sent.
struct Keys {
    handshake: HandshakeSecret,
    traffic: TrafficSecrets,
    client_random: Random,
}

/// The form in which a client that offers it can be asked for a certificate after the handshake
/// (RFC 9846 §4.3.6), if we have a use for one.
fn later_form(hello: &ClientHello<'_>, config: &ServerConfig, auth: &Auth13) -> Result<Option<CertificateType>, Error> {
    let offered = hello.extensions.find::<PostHandshakeAuth>()?.is_some();
    let asked = match auth {
        Auth13::Certificate(plan) => plan.ask,
        // RFC 9846 §4.4.2: a key from elsewhere goes with no certificate, and a session of one stands for that key.
        Auth13::Psk(psk) if psk.external().is_some() => return Ok(None),
        Auth13::Psk(_) => None,
    };
    // RFC 7250 §4.2: X.509 where nothing is said.
    let form = asked.map_or(CertificateType::X509, |ask| ask.form);
    Ok(config.later_verifier().filter(|_| offered).map(|_| form))
}

/// Our CertificateRequest.
pub(in crate::handshake) fn certificate_request(
    seq: &mut OutgoingSeq,
    common: &Common,
    verifier: &dyn PeerVerifier,
    context: &[u8],
) -> Result<Message, Error> {
    let mut extensions = ExtensionsBuf::new();
    let schemes: OwnedList<SignatureScheme> = common.verify_schemes().collect();
    extensions.push(&SignatureAlgorithms { schemes: schemes.as_list() });
    // RFC 9846 §4.3.3
    if let Some(schemes) = common.certificate_schemes(verifier) {
        extensions.push(&SignatureAlgorithmsCert { schemes: OwnedList::from(schemes).as_list() });
    }
    compression::offer(common, &mut extensions);
    let authorities = OwnedOpaqueList::new(verifier.authorities())?;
    // RFC 9846 §4.3.4: a list of none is left out.
    if !authorities.as_list().is_empty() {
        extensions.push(&CertificateAuthorities { authorities: authorities.as_list() });
    }
    seq.message(Epoch::HANDSHAKE, &CertificateRequest13 { context, extensions: extensions.as_extensions() })
}

/// CertificateRequest if clients should prove who they are, our Certificate, and its proof.
fn send_certificate(mut context: Context, plan: Plan, keys: Keys, out: &mut Vec<Action>) -> Result<State, Error> {
    let Plan { chosen: Chosen { identity, scheme }, staple, compression, ask, .. } = plan;
    let config = context.config.clone();
    let ask = ask.map(|ask| ask.form).filter(|_| config.client_auth.verifier().is_some());
    if let Some(verifier) = config.client_auth.verifier().filter(|_| ask.is_some()) {
        let request = certificate_request(&mut context.seq, &config.common, &**verifier, &[])?;
        context.send(request, out);
    }
    let (staple, compression) = (staple.as_deref(), compression.as_deref());
    let certificate = auth13::certificate(&mut context.seq, &[], Some(&identity), staple, compression)?;
    context.negotiated.own_certificate_compression = compression::of_ours(&certificate, compression);
    context.send(certificate, out);
    let content = signed_content(Signer::Server, &context.transcript.digest());
    let signed = identity.key().sign(scheme, &content, &*config.common.provider.random);
    let state = ExpectSignature { context, keys, scheme, ask };
    match now_or_defer(signed, Work::Signature, out) {
        Some(signed) => state.settle(signed, out),
        None => Ok(State::Signature(state)),
    }
}

/// Waits for a signer that takes its time: CertificateVerify and Finished are still to be sent.
pub(crate) struct ExpectSignature {
    context: Context,
    keys: Keys,
    scheme: SignatureScheme,
    /// The form of certificate that the client was asked for, if it was.
    ask: Option<CertificateType>,
}

impl ExpectSignature {
    /// Goes on with the signature.
    pub(super) fn settle(self, signed: Signed, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, keys, scheme, ask } = self;
        let verify = auth13::certificate_verify(&mut context.seq, scheme, &signed?)?;
        context.send(verify, out);
        finish(context, keys, ask, out)
    }
}

/// Our Finished, after which we may send but not read application data yet. `ask` is the form of
/// certificate that the client was asked for, if it was.
fn finish(
    mut context: Context,
    keys: Keys,
    ask: Option<CertificateType>,
    out: &mut Vec<Action>,
) -> Result<State, Error> {
    let Keys { handshake, traffic, client_random } = keys;
    let finished = auth13::finished(&mut context.seq, &traffic.server, &context.transcript)?;
    context.send(finished, out);

    let main = handshake.into_main();
    let digest = context.transcript.digest();
    let application = main.traffic(&digest);
    let session = main.exporter(&digest);
    let common = &context.config.common;
    application.log_application(common, &client_random, out);
    session.log(common, &client_random, out);
    let write_keys = application.server.record_keys(context.suite.aead, &common.provider)?;
    out.push(Action::InstallWrite13(Epoch::APPLICATION, write_keys));
    out.push(Action::EndFlight);
    let secrets = Secrets { finished: traffic.client, application, main, session, client_random };
    let verifier = context.config.client_auth.verifier().cloned();
    Ok(match ask.zip(verifier) {
        Some((form, verifier)) => State::Certificate(ExpectCertificate { context, secrets, verifier, form }),
        None => State::Finished(ExpectFinished { context, secrets }),
    })
}
