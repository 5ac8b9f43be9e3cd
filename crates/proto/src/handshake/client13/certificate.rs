//! CertificateRequest and the server's Certificate, and what the verifier says of it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::{Extensions, SignatureAlgorithms, SignatureAlgorithmsCert};
use gramseal_wire::handshake::CertificateRequest13;
use gramseal_wire::{CertificateType, Codec, ExtensionType, HandshakeType};

use super::{AgreedCertificates, Context, ExpectCertificateVerify, State};
use crate::config::{CertificateCompression, ClientConfig, PeerRole, Verdict};
use crate::error::{Error, Incompatible, PeerFault};
use crate::handshake::auth13::{expect13, read_certificate};
use crate::handshake::compression::{self, expect_certificate, is_certificate};
use crate::handshake::credential::{self, Asked13, Chosen};
use crate::handshake::deferred::now_or_defer;
use crate::handshake::{Action, Work, unexpected};
use crate::message::Message;

/// How we answer a CertificateRequest.
pub(super) struct RequestAnswer {
    /// The credential that we show, if any.
    pub(super) chosen: Option<Chosen>,
    /// With what our certificate is compressed, if it is.
    pub(super) compression: Option<Arc<dyn CertificateCompression>>,
}

/// Waits for the server's Certificate; CertificateRequest may come once before it.
pub(crate) struct ExpectCertificate {
    pub(super) context: Context,
    pub(super) certificates: AgreedCertificates,
    pub(super) request: Option<RequestAnswer>,
}

impl ExpectCertificate {
    pub(super) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        match message.msg_type() {
            HandshakeType::CERTIFICATE_REQUEST if self.request.is_none() => self.request(message),
            msg_type if is_certificate(msg_type) => self.certificate(message, out),
            _ => Err(unexpected(message)),
        }
    }

    fn request(mut self, message: &Message) -> Result<State, Error> {
        expect13(message, HandshakeType::CERTIFICATE_REQUEST)?;
        let request = CertificateRequest13::from_bytes(message.body())?;
        // RFC 9846 §4.4.2: empty within the handshake.
        if !request.context.is_empty() {
            return Err(PeerFault::CertificateContextMismatch.into());
        }
        let config = &self.context.offer.config;
        let chosen = answer_to(&request, config, self.certificates.client)?;
        let compression = compression::choose(&request.extensions, &config.common)?;
        self.request = Some(RequestAnswer { chosen, compression });
        self.context.transcript.add(message);
        Ok(State::Certificate(self))
    }

    fn certificate(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { mut context, certificates, request } = self;
        let received = expect_certificate(message, &context.offer.config.common)?;
        // Without a verifier only a pre-shared key goes on.
        let verifier = context.offer.config.verifier.clone().ok_or(PeerFault::UnofferedCipherSuite)?;
        if !verifier.certificate_types().contains(&certificates.server) {
            return Err(Incompatible::NoCommonCertificateType.into());
        }
        let wants_status = verifier.wants_ocsp_response();
        let offered = |extension| wants_status && extension == ExtensionType::STATUS_REQUEST;
        let shown = read_certificate(&received.body, &[], certificates.server, offered)?;
        let (shown, ocsp_response) = shown.ok_or(PeerFault::EmptyCertificate)?;
        context.transcript.add(message);
        let verdict = shown.verify(&*verifier, PeerRole::Server(&context.offer.name), &ocsp_response)?;
        shown.note(&mut context.negotiated);
        context.negotiated.peer_ocsp_response = ocsp_response;
        context.negotiated.peer_certificate_compression = received.compression;
        let state = ExpectVerdict { context, request };
        match now_or_defer(verdict, Work::Verdict, out) {
            Some(verdict) => state.settle(verdict),
            None => Ok(State::Verdict(state)),
        }
    }
}

/// What we show to a server that asks with `request`, in the handshake or after it.
pub(in crate::handshake) fn answer_to(
    request: &CertificateRequest13<'_>,
    config: &ClientConfig,
    form: CertificateType,
) -> Result<Option<Chosen>, Error> {
    check_places(&request.extensions)?;
    let schemes = request.extensions.find::<SignatureAlgorithms<'_>>()?;
    let schemes = schemes.ok_or(PeerFault::MissingExtension(ExtensionType::SIGNATURE_ALGORITHMS))?.schemes;
    let in_certificates = request.extensions.find::<SignatureAlgorithmsCert<'_>>()?.map(|extension| extension.schemes);
    let asked = Asked13 { schemes, in_certificates, authorities: request.extensions.find()? };
    credential::for_request13(config, &asked, form)
}

/// RFC 9846 §4.3: what we know and what has no place in a CertificateRequest; all else that we do not use is
/// ignored.
fn check_places(extensions: &Extensions<'_>) -> Result<(), Error> {
    let elsewhere = [
        ExtensionType::SUPPORTED_GROUPS,
        ExtensionType::USE_SRTP,
        ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
        ExtensionType::CLIENT_CERTIFICATE_TYPE,
        ExtensionType::SERVER_CERTIFICATE_TYPE,
        ExtensionType::PADDING,
        ExtensionType::RECORD_SIZE_LIMIT,
        ExtensionType::PRE_SHARED_KEY,
        ExtensionType::EARLY_DATA,
        ExtensionType::SUPPORTED_VERSIONS,
        ExtensionType::COOKIE,
        ExtensionType::PSK_KEY_EXCHANGE_MODES,
        ExtensionType::POST_HANDSHAKE_AUTH,
        ExtensionType::KEY_SHARE,
    ];
    if extensions.iter().any(|(extension, _)| elsewhere.contains(&extension)) {
        return Err(PeerFault::MisplacedExtension.into());
    }
    Ok(())
}

/// Waits for a verifier that takes its time.
pub(crate) struct ExpectVerdict {
    context: Context,
    request: Option<RequestAnswer>,
}

impl ExpectVerdict {
    pub(super) fn settle(self, verdict: Verdict) -> Result<State, Error> {
        let Self { context, request } = self;
        Ok(State::CertificateVerify(ExpectCertificateVerify { context, request, peer: verdict? }))
    }
}
