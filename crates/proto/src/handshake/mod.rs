//! What the peers agree on. Pure: a message in; the next state and a list of actions out.
//!
//! No state here sees a key on the wire, a socket or a clock, and none asks what was lost: whole
//! messages come in order from `flight`, and what to do about them goes back as [`Action`]s.

mod auth12;
mod auth13;
mod cids;
mod client;
mod client12;
mod client13;
mod compose;
mod compression;
mod credential;
mod deferred;
mod early;
mod external;
mod image;
mod later;
mod limits;
mod offer;
mod offered_groups;
mod post;
mod psk;
#[cfg(test)]
mod recorded13;
mod resume;
mod resume13;
mod schedule12;
mod schedule13;
mod select;
mod server;
mod server12;
mod server13;
mod srtp;
mod transcript;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use auth13::Signer;
use gramseal_wire::{
    CertificateCompressionAlgorithm, CipherSuite, Epoch, HandshakeType, MessageSeq, NamedGroup, ProtocolVersion,
    SignatureScheme,
};
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use zeroize::Zeroizing;

pub(crate) use cids::AgreedCids;
pub(crate) use client::start as start_client;
pub use deferred::{Deferred, Settled};
pub(crate) use deferred::{Outcome, Receipt, Signed, Work};
pub use early::EarlyDataAnswer;
pub(crate) use early::{EarlyClaim, EarlyTerms, claims_early_data};
pub(crate) use later::{Answered, AskError, Readiness};
pub(crate) use limits::RecordLimits;
pub(crate) use post::{PostHandshake, Updated, read_key_update};
pub(crate) use resume13::TicketTerms;
use schedule12::Session12;
pub(crate) use schedule13::EarlyExporter;
use schedule13::Session13;
pub(crate) use server::{
    AdmittedBy, Asked, CookieExchange, chooses13, hash_of_hello, hash_of_kept, start as start_server,
};
pub use srtp::Srtp;

use crate::cid::{Cid, CidLengths};
use crate::crypto::{RecordKeys12, RecordKeys13};
use crate::error::{Error, PeerFault};
use crate::message::Message;
use crate::session::Session;

/// An effect of a handshake step, for the connection to carry out in order.
pub(crate) enum Action {
    /// Append a message to our flight.
    Send(Message),
    /// Append ChangeCipherSpec to our flight.
    SendChangeCipherSpec,
    /// Our flight is complete and asks for an answer.
    EndFlight,
    /// Our flight is complete and is the last of the handshake; nothing answers it.
    EndLastFlight,
    /// The same in 1.3: the peer acknowledges it.
    EndAcknowledgedFlight,
    /// From now on records of epoch 1 can be read with these keys.
    InstallRead(RecordKeys12),
    /// From now on records of epoch 1 can be written with these keys.
    InstallWrite(RecordKeys12),
    /// From now on records of this epoch of 1.3 can be read with these keys.
    InstallRead13(Epoch, RecordKeys13),
    /// From now on records of this epoch of 1.3 can be written with these keys.
    InstallWrite13(Epoch, RecordKeys13),
    /// Early data can be written, on a client, or read.
    EarlyData(Box<EarlyTerms>),
    /// What the server said of our early data.
    EarlyDataAnswered(EarlyDataAnswer),
    /// The version is agreed; records of others are not ours.
    Version(ProtocolVersion),
    /// How large records may be from now on.
    LimitRecords(RecordLimits),
    /// The peer may use this connection id from now on, if it wants any.
    OfferCid(Cid),
    /// What was agreed on in the hellos, if connection ids were.
    AgreeOnCids(Option<AgreedCids>),
    /// For the key log.
    LogSecret(LoggedSecret),
    /// A message that follows the handshake, and that the peer acknowledges (1.3).
    SendAfterwards(Message),
    /// The handshake waits for this.
    Defer(Work),
    /// The handshake is done.
    Complete(Box<Established>),
}

impl Action {
    /// Most steps have no more actions than this.
    pub(crate) const USUAL: usize = 12;
}

/// A line for the key log.
pub(crate) struct LoggedSecret {
    pub(crate) label: Cow<'static, str>,
    pub(crate) client_random: [u8; 32],
    pub(crate) secret: Zeroizing<Vec<u8>>,
}

/// Proof that the peer's Finished matched: whoever holds it may let application data through.
#[derive(Debug)]
pub(crate) struct FinishedVerified(());

/// The outcome of a handshake.
pub(crate) struct Established {
    pub(crate) proof: FinishedVerified,
    pub(crate) negotiated: Negotiated,
    pub(crate) keying: Keying,
    pub(crate) remember: Option<Remember>,
    /// What the two sides go on with in 1.3; nothing comes after a handshake of 1.2.
    pub(crate) post: Option<Box<PostHandshake>>,
}

/// The secrets that outlive the handshake.
pub(crate) enum Keying {
    /// In a box: a session of 1.3 takes less.
    V12(Box<Session12>),
    V13(Session13),
}

impl Keying {
    /// How many bytes [`export`](Self::export) can give at once.
    pub(crate) fn max_export(&self) -> usize {
        match self {
            Self::V12(_) => usize::MAX,
            Self::V13(session) => session.max_export(),
        }
    }

    /// Keying material for the application; `context` of at most 65,535 bytes.
    pub(crate) fn export(&self, label: &[u8], context: Option<(&[u8], u16)>, out: &mut [u8]) {
        match self {
            Self::V12(session) => session.export(label, context, out),
            Self::V13(session) => session.export(label, context.map(|(context, _)| context).unwrap_or_default(), out),
        }
    }

    /// What tickets of 1.3 are read with.
    pub(crate) fn v13(&self) -> Option<&Session13> {
        match self {
            Self::V12(_) => None,
            Self::V13(session) => Some(session),
        }
    }

    /// What a session of 1.2 resumes with.
    pub(crate) fn master_secret(&self) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::V12(session) => Some(session.master_secret()),
            Self::V13(_) => None,
        }
    }
}

/// What to remember so that the session can be resumed, and to forget if the association fails.
pub(crate) enum Remember {
    /// A client's session.
    Client(Session),
    /// A server's new session and its id.
    Server(Vec<u8>, Session),
    /// The server knows the session with this id already.
    Known(Vec<u8>),
    /// A client of 1.3 waits for tickets.
    ClientTickets(TicketTerms),
    /// The tickets of a server of 1.3, those that are ids, with their sessions.
    ServerTickets(Vec<(Vec<u8>, Session)>),
}

/// What a handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The group of the key exchange; `None` for a finite-field group without a name, and for a
    /// pre-shared key alone.
    pub group: Option<NamedGroup>,
    /// The application protocol (RFC 7301), if one was agreed.
    pub alpn: Option<Vec<u8>>,
    /// What protects media beside the association (RFC 5764), if that was agreed.
    pub srtp: Option<Srtp>,
    /// The connection ids that records carry (RFC 9146); `None` if those of neither side do.
    pub cids: Option<CidLengths>,
    /// Whether each side answers when the other checks that it is where its records come from (RFC 9853).
    pub return_routability_check: bool,
    /// The host name that the client asked for (RFC 6066 §3).
    pub server_name: Option<String>,
    /// The peer's certificate chain of at most 16, its own certificate first; empty if it showed none. A server
    /// that resumes a session by a ticket knows the first alone.
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// The key that the peer showed in place of a certificate (RFC 7250), if it did.
    pub peer_raw_public_key: Option<SubjectPublicKeyInfoDer<'static>>,
    /// The DER `OCSPResponse` that the server stapled to its certificate, as it came; empty if there was none, and
    /// where the verifier does not [ask](crate::config::PeerVerifier::wants_ocsp_response) for one.
    pub peer_ocsp_response: Vec<u8>,
    /// The identity of the pre-shared key that authenticated both sides (RFC 4279), if one did.
    pub psk_identity: Option<Vec<u8>>,
    /// How the peer's Certificate message was compressed (RFC 8879), if it was.
    pub peer_certificate_compression: Option<CertificateCompressionAlgorithm>,
    /// How our own was, if it was.
    pub own_certificate_compression: Option<CertificateCompressionAlgorithm>,
    /// The scheme of the peer's signature over the handshake, if it made one.
    pub peer_signature_scheme: Option<SignatureScheme>,
    /// Whether this connection goes on with the session of an earlier one (RFC 5246 §7.3, RFC 9846 §2.2).
    /// What says who the peer is, and how the secret was agreed on, is then from that one; in 1.3 the group
    /// is of the key exchange of this one, if there was any.
    pub resumed: bool,
    /// Whether the server took early data (RFC 9846 §4.3.10), or would have taken some: other people may have
    /// sent it again, see [`AntiReplay`](crate::session::AntiReplay).
    pub early_data: bool,
}

impl Negotiated {
    fn new(version: ProtocolVersion, cipher_suite: CipherSuite) -> Self {
        Self {
            version,
            cipher_suite,
            group: None,
            alpn: None,
            srtp: None,
            cids: None,
            return_routability_check: false,
            server_name: None,
            peer_certificates: Vec::new(),
            peer_raw_public_key: None,
            peer_ocsp_response: Vec::new(),
            psk_identity: None,
            peer_certificate_compression: None,
            own_certificate_compression: None,
            peer_signature_scheme: None,
            resumed: false,
            early_data: false,
        }
    }
}

/// Which message is awaited. One variant per role and version; each holds its own states.
pub(crate) enum State {
    /// Client, no answer yet.
    ClientHello(Box<client::ExpectServerHello>),
    /// Client in a 1.2 handshake.
    Client12(client12::State),
    /// Client in a 1.3 handshake.
    Client13(Box<client13::State>),
    /// Server, no hello yet.
    ServerHello(Box<server::ExpectClientHello>),
    /// Server in a 1.2 handshake.
    Server12(server12::State),
    /// Server in a 1.3 handshake.
    Server13(Box<server13::State>),
    /// The handshake is done.
    Connected,
}

impl State {
    /// Takes one whole message, in order.
    pub(crate) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<Self, Error> {
        match self {
            Self::ClientHello(state) => state.handle(message, out),
            Self::Client12(state) => state.handle(message, out),
            Self::Client13(state) => state.handle(message, out),
            Self::ServerHello(state) => (*state).handle(message, out),
            Self::Server12(state) => state.handle(message, out),
            Self::Server13(state) => state.handle(message, out),
            Self::Connected => Err(PeerFault::ExcessMessage(message.msg_type()).into()),
        }
    }

    /// Whether it waits for a signer or verifier; messages have to wait too.
    pub(crate) fn is_waiting(&self) -> bool {
        match self {
            Self::Client12(state) => state.is_waiting(),
            Self::Client13(state) => state.is_waiting(),
            Self::Server12(state) => state.is_waiting(),
            Self::Server13(state) => state.is_waiting(),
            Self::ClientHello(_) | Self::ServerHello(_) | Self::Connected => false,
        }
    }

    /// Takes what the state waited for.
    pub(crate) fn settle(self, outcome: Outcome, out: &mut Vec<Action>) -> Result<Self, Error> {
        match self {
            Self::Client12(state) => state.settle(outcome, out),
            Self::Client13(state) => state.settle(outcome, out),
            Self::Server12(state) => state.settle(outcome, out),
            Self::Server13(state) => state.settle(outcome, out),
            state @ (Self::ClientHello(_) | Self::ServerHello(_) | Self::Connected) => Ok(state),
        }
    }

    /// The epoch that protects the awaited message: in 1.2 Finished comes under the new keys, everything
    /// else before it does not; in 1.3 all but the hellos is under those of the handshake.
    pub(crate) fn awaited_epoch(&self) -> Epoch {
        let finished = match self {
            Self::ClientHello(_) | Self::ServerHello(_) => false,
            Self::Client13(_) | Self::Server13(_) => return Epoch::HANDSHAKE,
            Self::Client12(state) => {
                matches!(state, client12::State::Finished(_) | client12::State::ResumedFinished(_))
            }
            Self::Server12(state) => {
                matches!(state, server12::State::Finished(_) | server12::State::ResumedFinished(_))
            }
            Self::Connected => true,
        };
        if finished { auth12::PROTECTED } else { Epoch::UNPROTECTED }
    }

    /// The number of the ClientHello that we sent last, while it awaits its answer.
    pub(crate) fn hello_sent(&self) -> Option<MessageSeq> {
        match self {
            Self::ClientHello(state) => Some(state.sent()),
            _ => None,
        }
    }

    /// Our flight is sent again: what was ignored for being too much is welcome again.
    pub(crate) fn timed_out(&mut self) {
        if let Self::ClientHello(state) = self {
            state.allow_cookies();
        }
    }
}

fn unexpected(message: &Message) -> Error {
    PeerFault::UnexpectedMessage(message.msg_type()).into()
}

/// Checks that `message` is of `msg_type` and came in the epoch of `protection`.
fn expect(message: &Message, msg_type: HandshakeType, protection: Protection) -> Result<(), Error> {
    if message.msg_type() != msg_type {
        return Err(unexpected(message));
    }
    let protected = message.epoch.0 != 0;
    // RFC 6347 §4.1: the epoch says which keys protect a record, so Finished must come in the new
    // one and everything before it in the old one.
    if protected == (protection == Protection::Keys) { Ok(()) } else { Err(PeerFault::WrongEpoch(msg_type).into()) }
}

/// Whether a message must come under the new keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    None,
    Keys,
}
