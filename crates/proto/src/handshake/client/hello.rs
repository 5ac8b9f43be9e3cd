//! ClientHello, HelloVerifyRequest and the choice of version.
//!
//! ```text
//! ClientHello          ------>
//!                      <------  HelloVerifyRequest
//! ClientHello (cookie) ------>
//!                      <------  ServerHello ...
//! ```
//!
//! | message | next state |
//! | --- | --- |
//! | HelloVerifyRequest | [`ExpectServerHello`], after a new ClientHello |
//! | ServerHello, 1.2 | `client12::ExpectCertificate`; a state of `client12::resume` if it resumes our session |
//! | HelloRetryRequest, once | [`ExpectServerHello`], after a new ClientHello |
//! | ServerHello, 1.3 | `client13::ExpectEncryptedExtensions` |

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::SupportedVersionsServerHello;
use gramseal_wire::handshake::{HelloVerifyRequest, ServerHello};
use gramseal_wire::{Codec, Epoch, HandshakeType, MessageSeq, ProtocolVersion};
use pki_types::ServerName;

use crate::config::ClientConfig;
use crate::error::{Error, Incompatible, LocalFault, PeerFault};
use crate::handshake::client13::Retried;
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::offer::Offer;
use crate::handshake::transcript::Transcript13;
use crate::handshake::{Action, EarlyDataAnswer, Protection, State, client12, client13, expect, unexpected};
use crate::message::Message;

/// How often a server may ask for another cookie between two timeouts. A forged HelloVerifyRequest
/// costs one round; after the last one further ones are ignored until our hello is due again, so
/// that forging some neither makes us send without end nor shuts the server's own request out.
const MAX_COOKIE_ROUNDS: u8 = 8;

/// The first step of a client: makes its ClientHello.
pub(crate) fn start(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<(State, Vec<Action>), Error> {
    let offer = Offer::new(config, name)?;
    let mut seq = OutgoingSeq::new(MessageSeq(0));
    let mut out = Vec::with_capacity(Action::USUAL);
    let hello = send_hello(&offer, &[], &mut seq, &mut out)?;
    out.extend(offer.cid().cloned().map(Action::OfferCid));
    if let Some(terms) = offer.early_terms(&hello, &mut out)? {
        out.push(Action::EarlyData(terms));
    }
    let state = ExpectServerHello {
        offer,
        seq,
        hello,
        without_cookie: None,
        sent: MessageSeq(0),
        cookie: None,
        rounds: 0,
        retried: None,
    };
    Ok((State::ClientHello(Box::new(state)), out))
}

/// Waits for HelloVerifyRequest or ServerHello.
pub(crate) struct ExpectServerHello {
    offer: Offer,
    seq: OutgoingSeq,
    /// Our last ClientHello: the first message of the transcript.
    hello: Vec<u8>,
    /// Our first one, if `hello` is another.
    without_cookie: Option<Vec<u8>>,
    /// The number of `hello`.
    sent: MessageSeq,
    /// The one in `hello`, if a server asked for any: it may be empty (RFC 6347 §4.2.1).
    cookie: Option<Vec<u8>>,
    rounds: u8,
    /// After a HelloRetryRequest.
    retried: Option<Retried>,
}

impl ExpectServerHello {
    pub(crate) fn handle(self: Box<Self>, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        match message.msg_type() {
            HandshakeType::HELLO_VERIFY_REQUEST => self.retry(message, out),
            HandshakeType::SERVER_HELLO => (*self).server_hello(message, out),
            _ => Err(unexpected(message)),
        }
    }

    pub(crate) fn sent(&self) -> MessageSeq {
        self.sent
    }

    pub(crate) fn allow_cookies(&mut self) {
        self.rounds = 0;
    }

    /// RFC 6347 §4.2.1: the same hello again, with the cookie.
    fn retry(mut self: Box<Self>, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        expect(message, HandshakeType::HELLO_VERIFY_REQUEST, Protection::None)?;
        let request = HelloVerifyRequest::from_bytes(message.body())?;
        // The version in it says nothing about the version to come. A repeated request is the
        // answer to a hello that we sent twice.
        // Nor is there another cookie to ask for in a handshake of 1.3.
        let again = self.cookie.as_deref() == Some(request.cookie) || self.rounds == MAX_COOKIE_ROUNDS;
        if again || self.retried.is_some() {
            return Ok(State::ClientHello(self));
        }
        self.cookie = Some(request.cookie.to_vec());
        self.rounds += 1;
        let sent = self.sent.next().ok_or(LocalFault::MessageTooLong)?;
        let hello = send_hello(&self.offer, request.cookie, &mut self.seq, out)?;
        let previous = core::mem::replace(&mut self.hello, hello);
        self.without_cookie.get_or_insert(previous);
        self.sent = sent;
        Ok(State::ClientHello(self))
    }

    fn server_hello(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        expect(message, HandshakeType::SERVER_HELLO, Protection::None)?;
        let hello = ServerHello::from_bytes(message.body())?;
        let selected =
            hello.extensions.find::<SupportedVersionsServerHello>()?.map(|selected| selected.selected_version);
        // RFC 8996 §4: 1.0 is recognised and refused. RFC 9846 §4.2.3: in 1.3 the field says 1.2.
        if hello.legacy_version != ProtocolVersion::DTLS1_2 {
            return Err(Incompatible::NoCommonVersion.into());
        }
        // RFC 9846 §4.3.1: who knows the extension selects with it what came with it, never what is older.
        let speaks13 = self.offer.config.common.allows(ProtocolVersion::DTLS1_3);
        if speaks13 && selected.is_some_and(|selected| selected != ProtocolVersion::DTLS1_3) {
            return Err(PeerFault::UnofferedVersion.into());
        }
        let version = selected.unwrap_or(hello.legacy_version);
        match version {
            ProtocolVersion::DTLS1_2 => self.server_hello12(&hello, message, out),
            ProtocolVersion::DTLS1_3 => self.server_hello13(&hello, message, out),
            _ => Err(Incompatible::NoCommonVersion.into()),
        }
    }

    /// Our side of the handshake so far, as the server that sent `answer` knows it: our offer, what we
    /// number next, and the hello that it answers.
    fn answered_by(self, answer: &Message) -> (Offer, OutgoingSeq, Vec<u8>) {
        let Self { offer, seq, hello, without_cookie, .. } = self;
        // RFC 6347 §4.2.2: a server that asked for a cookie has used up the number 0. Whoever asked
        // in its name, it answers our first hello and knows no other.
        match without_cookie.filter(|_| answer.message_seq() == MessageSeq(0)) {
            Some(first) => (offer, OutgoingSeq::new(MessageSeq(1)), first),
            None => (offer, seq, hello),
        }
    }

    fn server_hello13(
        mut self,
        hello: &ServerHello<'_>,
        message: &Message,
        out: &mut Vec<Action>,
    ) -> Result<State, Error> {
        // RFC 9147 §5.3: 1.3 has another way to ask for a cookie, and takes none that was asked for in
        // the way of 1.2.
        if self.cookie.is_some() && message.message_seq() != MessageSeq(0) {
            return Err(PeerFault::VersionAfterCookie.into());
        }
        // Whatever answers our first hello is late: we have said another since.
        if self.retried.is_some() && message.message_seq() < self.sent {
            return Ok(State::ClientHello(Box::new(self)));
        }
        if hello.is_hello_retry_request() {
            return self.hello_retry_request(hello, message, out);
        }
        let retried = self.retried.take();
        let (offer, seq, client_hello) = self.answered_by(message);
        client13::start(offer, seq, &client_hello, retried, hello, message, out)
    }

    /// RFC 9846 §4.2.4: another hello, with what the server asks for. Once.
    fn hello_retry_request(
        mut self,
        request: &ServerHello<'_>,
        message: &Message,
        out: &mut Vec<Action>,
    ) -> Result<State, Error> {
        if self.retried.is_some() {
            return Err(unexpected(message));
        }
        // Somebody made us show a cookie that this server did not ask for.
        if let Some(first) = self.without_cookie.take() {
            self.hello = first;
            self.seq = OutgoingSeq::new(MessageSeq(1));
            self.sent = MessageSeq(0);
            self.cookie = None;
        }
        let early_data = self.offer.offers_early_data();
        let suite = self.offer.retry13(request)?;
        if early_data {
            out.push(Action::EarlyDataAnswered(EarlyDataAnswer::Rejected));
        }
        let hash = self.offer.config.common.provider.hash(suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
        let transcript = Transcript13::after_retry(hash, &self.hello, message);
        self.offer.push_psks(Some(&transcript))?;
        self.retried = Some(Retried { suite, transcript });
        out.push(Action::Version(ProtocolVersion::DTLS1_3));
        self.sent = self.sent.next().ok_or(LocalFault::MessageTooLong)?;
        self.hello = send_hello(&self.offer, &[], &mut self.seq, out)?;
        Ok(State::ClientHello(Box::new(self)))
    }

    fn server_hello12(self, hello: &ServerHello<'_>, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        // RFC 9846 §E.3: who has sent early data takes nothing older.
        if self.offer.offers_early_data() {
            return Err(Incompatible::OlderVersionAfterEarlyData.into());
        }
        // RFC 9846 §4.2.4: the version is chosen once.
        if self.retried.is_some() {
            return Err(PeerFault::ChangedAfterRetry.into());
        }
        let agreed = self.offer.check12(hello)?;
        out.push(Action::Version(ProtocolVersion::DTLS1_2));
        let (mut offer, seq, client_hello) = self.answered_by(message);
        let resumed = offer.resumed(hello, agreed.suite)?;
        let limits = match &resumed {
            Some(session) => agreed.limits.resume(session)?,
            None => agreed.limits,
        };
        out.push(Action::LimitRecords(limits));
        out.push(Action::AgreeOnCids(agreed.cids.clone()));
        match resumed {
            Some(session) => client12::resume(offer, seq, &client_hello, hello, agreed, message, session, out),
            None => client12::start(offer, seq, &client_hello, hello, agreed, message),
        }
    }
}

/// Sends a ClientHello and returns its bytes.
fn send_hello(offer: &Offer, cookie: &[u8], seq: &mut OutgoingSeq, out: &mut Vec<Action>) -> Result<Vec<u8>, Error> {
    let message = offer.with_hello(cookie, |hello| seq.message(Epoch::UNPROTECTED, hello))?;
    let bytes = message.bytes().to_vec();
    out.push(Action::Send(message));
    out.push(Action::EndFlight);
    Ok(bytes)
}
