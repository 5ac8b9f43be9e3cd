//! Authentication of a client after a handshake of 1.3 (RFC 9846 §4.7.2).
//!
//! ```text
//! CertificateRequest   ------>
//!                      <------  Certificate, CertificateVerify*, Finished
//! ```
//!
//! Each exchange goes on from the transcript of the handshake, kept only where the client offered it
//! (RFC 9846 §4.5): to that are added the request and its answer, and nothing else that came in between.
//! The Finished is made with the traffic secret that the client writes with at that time, so that an
//! answer is made when it can be sent, and is read before the keys change again.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::handshake::CertificateRequest13;
use gramseal_wire::{CertificateCompressionAlgorithm, CertificateType, Codec, Epoch, HandshakeType, MessageSeq};

use super::auth12::Shown;
use super::auth13::{self, Signer, check_certificate_verify, check_finished, read_certificate, signed_content};
use super::client13::answer_to;
use super::compose::OutgoingSeq;
use super::compression::{is_certificate, received};
use super::credential::Chosen;
use super::deferred::{Signed, Work};
use super::post::PostHandshake;
use super::server13::certificate_request;
use super::transcript::Transcript13;
use super::{Negotiated, unexpected};
use crate::config::{ClientAuth, ClientConfig, PeerRole, ServerConfig, Verdict};
use crate::crypto::{Deferrable, Digest};
use crate::error::{Error, Incompatible, PeerFault};
use crate::message::Message;

/// What a side keeps to authenticate the client after the handshake.
pub(super) struct Later {
    /// Up to the client's Finished.
    transcript: Transcript13,
    /// The form of the client's certificates.
    form: CertificateType,
    exchanges: Exchanges,
}

enum Exchanges {
    /// Requests that the client has not answered, oldest first.
    Client(VecDeque<Due>),
    /// The request that the server waits for an answer to.
    Server(Option<Box<Request>>),
}

impl Later {
    pub(super) fn client(transcript: Transcript13, form: CertificateType) -> Self {
        Self { transcript, form, exchanges: Exchanges::Client(VecDeque::new()) }
    }

    pub(super) fn server(transcript: Transcript13, form: CertificateType) -> Self {
        Self { transcript, form, exchanges: Exchanges::Server(None) }
    }
}

/// A request that the client has not answered.
struct Due {
    context: Vec<u8>,
    chosen: Option<Chosen>,
    /// Up to the request.
    transcript: Transcript13,
    proof: Proof,
}

/// How far the proof of an answer is.
enum Proof {
    /// Nobody has been asked for a signature.
    None,
    /// It is being made.
    Pending,
    Ready(Signed),
    /// Who shows nothing signs nothing.
    NotNeeded,
}

impl Due {
    /// Begins to make the signature over the request and the Certificate that answers it.
    fn sign(&self, config: &ClientConfig) -> Result<Option<Deferrable<Signed>>, Error> {
        let Some(Chosen { identity, scheme }) = &self.chosen else { return Ok(None) };
        let mut transcript = self.transcript.fork();
        // The transcript leaves out the number, which is not known before the answer is sent (RFC 9147 §5.2).
        let unnumbered = &mut OutgoingSeq::new(MessageSeq(0));
        transcript.add(&auth13::certificate(unnumbered, &self.context, Some(identity), None, None)?);
        let content = signed_content(Signer::Client, &transcript.digest());
        Ok(Some(identity.key().sign(*scheme, &content, &*config.common.provider.random)))
    }
}

/// The client's side.
impl PostHandshake {
    /// The most requests that wait for an answer: for a slow signer, or for room.
    pub(crate) const MAX_REQUESTS: usize = 8;
    /// The most messages in an answer.
    pub(crate) const ANSWER_LEN: usize = 3;

    fn due(&mut self) -> Option<&mut VecDeque<Due>> {
        match &mut self.later.as_mut()?.exchanges {
            Exchanges::Client(due) => Some(due),
            Exchanges::Server(_) => None,
        }
    }

    /// Takes a CertificateRequest.
    pub(crate) fn requested(&mut self, message: &Message, config: &ClientConfig) -> Result<(), Error> {
        // RFC 9846 §4.7.2: who did not offer it is not asked.
        let Some(later) = &mut self.later else { return Err(unexpected(message)) };
        let Exchanges::Client(due) = &mut later.exchanges else { return Err(unexpected(message)) };
        let request = CertificateRequest13::from_bytes(message.body())?;
        if due.len() >= Self::MAX_REQUESTS {
            return Err(PeerFault::TooManyCertificateRequests.into());
        }
        let chosen = answer_to(&request, config, later.form)?;
        let mut transcript = later.transcript.fork();
        transcript.add(message);
        due.push_back(Due { context: request.context.to_vec(), chosen, transcript, proof: Proof::None });
        Ok(())
    }

    /// Begins to prepare the answer to the oldest request, and says how far it is.
    pub(crate) fn prepare_answer(&mut self, config: &ClientConfig) -> Result<Readiness, Error> {
        let Some(due) = self.due().and_then(VecDeque::front_mut) else { return Ok(Readiness::NothingDue) };
        if matches!(due.proof, Proof::None) {
            due.proof = match due.sign(config)? {
                None => Proof::NotNeeded,
                Some(Deferrable::Now(signed)) => Proof::Ready(signed),
                Some(Deferrable::Later(work)) => {
                    due.proof = Proof::Pending;
                    return Ok(Readiness::Work(Work::Signature(work)));
                }
            };
        }
        Ok(if matches!(due.proof, Proof::Pending) { Readiness::Waits } else { Readiness::Ready })
    }

    /// The signature for the oldest request is there.
    pub(crate) fn signed(&mut self, signed: Signed) {
        if let Some(due) = self.due().and_then(VecDeque::front_mut) {
            due.proof = Proof::Ready(signed);
        }
    }

    /// The answer to the oldest request, to be sent with the keys that are in use now.
    pub(crate) fn answer(&mut self) -> Result<Vec<Message>, Error> {
        let Some(due) = self.due().and_then(VecDeque::pop_front) else { return Ok(Vec::new()) };
        if self.due().is_some_and(|due| due.is_empty()) {
            // An idle connection holds no room for requests.
            self.due().map(core::mem::take);
        }
        let Due { context, chosen, mut transcript, proof } = due;
        let identity = chosen.as_ref().map(|chosen| &*chosen.identity);
        let mut messages = Vec::with_capacity(Self::ANSWER_LEN);
        let certificate = auth13::certificate(&mut self.seq, &context, identity, None, None)?;
        transcript.add(&certificate);
        messages.push(certificate);
        if let (Some(chosen), Proof::Ready(signed)) = (&chosen, proof) {
            let verify = auth13::certificate_verify(&mut self.seq, chosen.scheme, &signed?)?;
            transcript.add(&verify);
            messages.push(verify);
        }
        messages.push(auth13::finished(&mut self.seq, &self.secrets.client, &transcript)?);
        Ok(messages)
    }
}

/// How far the answer to the oldest request is.
pub(crate) enum Readiness {
    NothingDue,
    /// This must be done first; it is given out once.
    Work(Work),
    /// That is being done.
    Waits,
    Ready,
}

/// A request whose answer the server waits for.
struct Request {
    /// Names it (RFC 9846 §4.4.2): unpredictable, and so unlike that of any other.
    context: [u8; CONTEXT_LEN],
    transcript: Transcript13,
    awaited: Awaited,
    /// How the Certificate that answers it is compressed.
    compression: Option<CertificateCompressionAlgorithm>,
}

/// Bytes in the context of a request.
const CONTEXT_LEN: usize = 16;

enum Awaited {
    Certificate,
    CertificateVerify(Shown),
    /// With what the client claims to be, if it shows anything.
    Finished(Option<Claim>),
    /// What the verifier says, who takes its time.
    Verdict(Claim),
}

/// What a client showed and signed.
struct Claim {
    shown: Shown,
    /// The body of its CertificateVerify.
    verify: Vec<u8>,
    /// The hash of what that signs.
    signed: Digest,
}

/// Why a client cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AskError {
    NotOffered,
    NoVerifier,
    NoCommonForm,
    InProgress,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for AskError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Where an exchange is after a message of the client's.
pub(crate) enum Answered {
    /// More is to come.
    Partly,
    /// The client showed nothing.
    Declined,
    /// The verifier has to say what it thinks of the client.
    Shown(Deferrable<Verdict>),
}

/// The server's side.
impl PostHandshake {
    fn request(&mut self) -> Option<&mut Option<Box<Request>>> {
        match &mut self.later.as_mut()?.exchanges {
            Exchanges::Server(request) => Some(request),
            Exchanges::Client(_) => None,
        }
    }

    /// Our CertificateRequest.
    pub(crate) fn ask(&mut self, config: &ServerConfig) -> Result<Message, AskError> {
        let verifier = config.later_verifier().ok_or(AskError::NoVerifier)?;
        let later = self.later.as_mut().ok_or(AskError::NotOffered)?;
        let Exchanges::Server(request) = &mut later.exchanges else { return Err(AskError::NotOffered) };
        if request.is_some() {
            return Err(AskError::InProgress);
        }
        if !verifier.certificate_types().contains(&later.form) {
            return Err(AskError::NoCommonForm);
        }
        let context = config.common.provider.random_array()?;
        let message = certificate_request(&mut self.seq, &config.common, &**verifier, &context)?;
        let mut transcript = later.transcript.fork();
        transcript.add(&message);
        let awaited = Awaited::Certificate;
        *request = Some(Box::new(Request { context, transcript, awaited, compression: None }));
        Ok(message)
    }

    /// Whether the client has been asked and has not answered.
    pub(super) fn awaits_answer(&self) -> bool {
        self.later.as_ref().is_some_and(|later| matches!(later.exchanges, Exchanges::Server(Some(_))))
    }

    /// Whether messages of the client's answer are still to come.
    pub(crate) fn awaits_messages(&self) -> bool {
        let Some(Exchanges::Server(Some(request))) = self.later.as_ref().map(|later| &later.exchanges) else {
            return false;
        };
        !matches!(request.awaited, Awaited::Verdict(_))
    }

    /// Whether the client is in the middle of an answer, which nothing may interrupt (RFC 9846 §4.7.2).
    pub(crate) fn is_mid_answer(&mut self) -> bool {
        let awaited = self.request().and_then(|request| request.as_ref()).map(|request| &request.awaited);
        matches!(awaited, Some(Awaited::CertificateVerify(_) | Awaited::Finished(_)))
    }

    /// Takes a message of an answer; the client writes in epoch `current`.
    pub(crate) fn answered(
        &mut self,
        message: &Message,
        current: Epoch,
        config: &ServerConfig,
    ) -> Result<Answered, Error> {
        let Some(later) = &mut self.later else { return Err(unexpected(message)) };
        let Exchanges::Server(Some(request)) = &mut later.exchanges else { return Err(unexpected(message)) };
        // What is older was made with a secret that is forgotten.
        if message.epoch != current {
            return Err(PeerFault::WrongEpoch(message.msg_type()).into());
        }
        let awaited = core::mem::replace(&mut request.awaited, Awaited::Certificate);
        let (next, answered) = match (awaited, message.msg_type()) {
            (Awaited::Certificate, msg_type) if is_certificate(msg_type) => {
                let received = received(message, &config.common)?;
                let shown = read_certificate(&received.body, &request.context, later.form, |_| false)?;
                request.compression = received.compression;
                let next = match shown {
                    Some((shown, _)) => Awaited::CertificateVerify(shown),
                    // RFC 9846 §4.5.1.3
                    None if matches!(config.client_auth, ClientAuth::Required(_)) => {
                        return Err(Incompatible::NoClientCertificate.into());
                    }
                    None => Awaited::Finished(None),
                };
                (next, Answered::Partly)
            }
            (Awaited::CertificateVerify(shown), HandshakeType::CERTIFICATE_VERIFY) => {
                let verify = message.body().to_vec();
                let claim = Claim { shown, verify, signed: request.transcript.digest() };
                (Awaited::Finished(Some(claim)), Answered::Partly)
            }
            (Awaited::Finished(claim), HandshakeType::FINISHED) => {
                check_finished(message.body(), &self.secrets.client, &request.transcript)?;
                let Some(claim) = claim else {
                    later.exchanges = Exchanges::Server(None);
                    return Ok(Answered::Declined);
                };
                let verifier = config.later_verifier().ok_or_else(|| unexpected(message))?;
                let verdict = claim.shown.verify(&**verifier, PeerRole::Client, &[])?;
                (Awaited::Verdict(claim), Answered::Shown(verdict))
            }
            _ => return Err(unexpected(message)),
        };
        request.transcript.add(message);
        request.awaited = next;
        Ok(answered)
    }

    /// Ends an exchange: if the verifier accepts the client, and the signature is by its key, `negotiated`
    /// says who it is.
    pub(crate) fn judge(
        &mut self,
        verdict: Verdict,
        config: &Arc<ServerConfig>,
        negotiated: &mut Negotiated,
    ) -> Result<(), Error> {
        let Some(request) = self.request().and_then(Option::take) else { return Ok(()) };
        let Request { awaited: Awaited::Verdict(claim), compression, .. } = *request else { return Ok(()) };
        let Claim { shown, verify, signed } = claim;
        let scheme = check_certificate_verify(&verify, &config.common, &verdict?, Signer::Client, &signed)?;
        negotiated.peer_certificates.clear();
        negotiated.peer_raw_public_key = None;
        shown.note(negotiated);
        negotiated.peer_certificate_compression = compression;
        negotiated.peer_signature_scheme = Some(scheme);
        Ok(())
    }
}
