//! Authentication of a client after the handshake (RFC 9846 §4.7.2, RFC 9147 §5.8.4): when to ask, when to
//! answer, and whom to tell. What is in the messages is in `handshake`.
//!
//! A client answers one request after the other. An answer waits for its signature, and while a KeyUpdate
//! of ours is on its way: its Finished would be made with one secret and sent under another.

use alloc::boxed::Box;
use core::fmt;

use super::deferred::Deferral;
use super::{Connection, Phase, Role};
use crate::config::Verdict;
use crate::crypto::Deferrable;
use crate::error::Error;
use crate::flight::Behind;
use crate::handshake::{Answered, AskError, Outcome, PostHandshake, Readiness, Settled, Work};
use crate::message::Message;

/// How a client answered a request to show who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it shows a certificate or it does not; the rest ends the association")]
pub enum ClientAnswer {
    /// It has proved who it is: see [`Connection::negotiated`].
    Authenticated,
    /// It has nothing to show. What was known of it still holds.
    Declined,
}

/// A client was not asked to show who it is. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticateClientError {
    /// This side is the client.
    NotServer,
    /// The handshake has not finished.
    NotConnected,
    /// The association has ended.
    Closed,
    /// In 1.2 clients are asked in the handshake alone.
    NotInThisVersion,
    /// The configuration has no verifier of clients.
    NoVerifier,
    /// The client has not offered to be asked after the handshake.
    NotOffered,
    /// A pre-shared key from elsewhere says who the client is, in this handshake or in that of its session: it goes
    /// with no certificate (RFC 9846 §4.4.2, §F.1).
    ExternalPsk,
    /// The verifier takes no certificates of the form that the client can show (RFC 7250).
    NoCommonCertificateType,
    /// The client has not answered the last request yet.
    InProgress,
    /// The connection makes [checkpoints](Connection::checkpoint), which cannot have an answer in part.
    MakesCheckpoints,
    /// Too many messages wait for the peer to acknowledge them.
    TooManyMessages,
    /// The request cannot be made: no randomness, or no number for it.
    Failed(Error),
}

impl fmt::Display for AuthenticateClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotServer => "only servers ask clients for certificates",
            Self::NotConnected => "the handshake has not finished",
            Self::Closed => "the association has ended",
            Self::NotInThisVersion => "in DTLS 1.2 clients are asked for certificates in the handshake alone",
            Self::NoVerifier => "there is no verifier of client certificates",
            Self::NotOffered => "the client has not offered to be asked after the handshake",
            Self::ExternalPsk => "a pre-shared key says who the client is, and goes with no certificate",
            Self::NoCommonCertificateType => "no form of certificate in common",
            Self::InProgress => "the client has not answered the last request",
            Self::MakesCheckpoints => "the connection makes checkpoints",
            Self::TooManyMessages => "too many messages wait for the peer to acknowledge them",
            Self::Failed(error) => return write!(f, "the request cannot be made: {error}"),
        })
    }
}

impl core::error::Error for AuthenticateClientError {}

impl From<AskError> for AuthenticateClientError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NotOffered => Self::NotOffered,
            AskError::NoVerifier => Self::NoVerifier,
            AskError::NoCommonForm => Self::NoCommonCertificateType,
            AskError::InProgress => Self::InProgress,
            AskError::Failed(error) => Self::Failed(error),
        }
    }
}

impl Connection {
    /// Asks the client for a certificate (servers of 1.3 only): a CertificateRequest goes out with the next
    /// [`poll_transmit`](Self::poll_transmit). [`Event::ClientAnswered`](crate::Event::ClientAnswered) tells
    /// the outcome, and [`negotiated`](Self::negotiated) who the client is then. One whose certificate or
    /// signature does not pass is refused as in the handshake: the association ends. So it does if the client
    /// shows nothing, where [`ClientAuth::Required`](crate::config::ClientAuth::Required) says that it must.
    ///
    /// The client may take its time, and nothing ends the wait but the end of the association; application
    /// data goes on meanwhile.
    ///
    /// # Errors
    /// See [`AuthenticateClientError`].
    pub fn authenticate_client(&mut self) -> Result<(), AuthenticateClientError> {
        let Role::Server(config) = &self.role else { return Err(AuthenticateClientError::NotServer) };
        match self.phase {
            Phase::Handshaking => return Err(AuthenticateClientError::NotConnected),
            Phase::Closed => return Err(AuthenticateClientError::Closed),
            Phase::Connected => {}
        }
        let post = self.post.as_mut().ok_or(AuthenticateClientError::NotInThisVersion)?;
        if self.agreed.as_ref().is_some_and(|agreed| agreed.negotiated.psk_identity.is_some()) {
            return Err(AuthenticateClientError::ExternalPsk);
        }
        if self.checkpoints.is_some() {
            return Err(AuthenticateClientError::MakesCheckpoints);
        }
        if !post.flights.has_room(1) {
            return Err(AuthenticateClientError::TooManyMessages);
        }
        let message = post.after.ask(config)?;
        post.flights.push(message, Behind::Others);
        Ok(())
    }

    /// The server asks for a certificate.
    pub(super) fn certificate_requested(&mut self, message: &Message) {
        let (Role::Client(config), Some(post)) = (&self.role, &mut self.post) else { return };
        if let Err(error) = post.after.requested(message, config) {
            return self.fail(error.in_message(message.msg_type()));
        }
        self.answer_requests();
    }

    /// Answers what can be answered by now.
    pub(super) fn answer_requests(&mut self) {
        if let Err(error) = self.try_answer_requests() {
            self.fail(error);
        }
    }

    fn try_answer_requests(&mut self) -> Result<(), Error> {
        let (Role::Client(config), Some(post)) = (&self.role, &mut self.post) else { return Ok(()) };
        loop {
            match post.after.prepare_answer(config)? {
                Readiness::NothingDue | Readiness::Waits => return Ok(()),
                Readiness::Work(work) => {
                    post.deferral = Some(Box::new(Deferral::new(work)));
                    return Ok(());
                }
                Readiness::Ready => {}
            }
            if post.updates.is_on_its_way() || !post.flights.has_room(PostHandshake::ANSWER_LEN) {
                return Ok(());
            }
            for message in post.after.answer()? {
                post.flights.push(message, Behind::Others);
            }
        }
    }

    /// The client says something about who it is.
    pub(super) fn client_message(&mut self, message: &Message) {
        let current = self.records.newest_read_epoch();
        let (Role::Server(config), Some(post)) = (&self.role, &mut self.post) else { return };
        match post.after.answered(message, current, config) {
            Ok(Answered::Partly) => {}
            Ok(Answered::Declined) => self.unread.client_answered = Some(ClientAnswer::Declined),
            Ok(Answered::Shown(Deferrable::Now(verdict))) => self.judge_client(verdict),
            Ok(Answered::Shown(Deferrable::Later(work))) => {
                post.deferral = Some(Box::new(Deferral::new(Work::Verdict(work))));
            }
            Err(error) => self.fail(error.in_message(message.msg_type())),
        }
    }

    fn judge_client(&mut self, verdict: Verdict) {
        let (Role::Server(config), Some(post)) = (&self.role, &mut self.post) else { return };
        let Some(agreed) = &mut self.agreed else { return };
        match post.after.judge(verdict, config, &mut agreed.negotiated) {
            Ok(()) => self.unread.client_answered = Some(ClientAnswer::Authenticated),
            Err(error) => self.fail(error),
        }
    }

    /// A signer or verifier that took its time after the handshake has answered.
    pub(super) fn settled_afterwards(&mut self, settled: Settled) {
        let Some(post) = &mut self.post else { return };
        let Some(deferral) = post.deferral.take() else { return };
        match deferral.outcome(settled) {
            Ok(Outcome::Signature(signed)) => {
                post.after.signed(signed);
                self.answer_requests();
            }
            Ok(Outcome::Verdict(verdict)) => self.judge_client(verdict),
            Err(deferral) => post.deferral = Some(Box::new(deferral)),
        }
    }
}
