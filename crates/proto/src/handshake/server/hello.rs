//! ClientHello and the choice of version. Cookies are the endpoint's affair: whoever gets here has
//! shown its address, or need not.
//!
//! | message | next state |
//! | --- | --- |
//! | ClientHello, 1.2 | `server12`, after our flight: a full or, with a session, an abbreviated one |
//! | ClientHello, 1.3 | `server13`, after our flight; [`ExpectClientHello`] once more, after a HelloRetryRequest |

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{Codec, Epoch, ExtensionType, HandshakeType, MessageSeq, NamedGroup, ProtocolVersion};

use super::retry::{Asked, CookieExchange, Retried};
use crate::config::ServerConfig;
use crate::error::{Error, PeerFault};
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::offered_groups::OfferedGroups;
use crate::handshake::select::Auth13;
use crate::handshake::transcript::Transcript13;
use crate::handshake::{Action, EarlyClaim, Protection, State, expect, resume, resume13, select, server12, server13};
use crate::message::Message;
use crate::suite::Suite13;

/// By what a hello was let in.
#[derive(Debug)]
pub(crate) enum AdmittedBy {
    /// Nothing was asked, or a cookie in the way of 1.2.
    Open,
    /// It ends this exchange of 1.3.
    Cookie(Box<CookieExchange>),
    /// Its early data, which counts as taken. Nobody knows whether the client is at its address.
    EarlyData,
}

/// A server that waits for its client; its first message will have the number `first`. `admitted_by`
/// says what the endpoint has checked.
pub(crate) fn start(config: Arc<ServerConfig>, first: MessageSeq, admitted_by: AdmittedBy) -> State {
    let (retried, claim) = match admitted_by {
        AdmittedBy::Open => (None, EarlyClaim::ToBeMade),
        AdmittedBy::Cookie(exchange) => (Some(Retried::by_cookie(*exchange)), EarlyClaim::ToBeMade),
        AdmittedBy::EarlyData => (None, EarlyClaim::Made),
    };
    State::ServerHello(Box::new(ExpectClientHello { config, seq: OutgoingSeq::new(first), retried, claim }))
}

/// Waits for the ClientHello that begins the handshake.
pub(crate) struct ExpectClientHello {
    config: Arc<ServerConfig>,
    seq: OutgoingSeq,
    /// After a HelloRetryRequest.
    retried: Option<Retried>,
    /// Whether its early data counts as taken already.
    claim: EarlyClaim,
}

impl ExpectClientHello {
    pub(crate) fn handle(self, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        expect(message, HandshakeType::CLIENT_HELLO, Protection::None)?;
        let hello = ClientHello::from_bytes(message.body())?;
        let version = select::version(&hello, &self.config.common.versions)?;
        out.push(Action::Version(version));
        if version == ProtocolVersion::DTLS1_3 {
            return self.hello13(&hello, message, out);
        }
        // RFC 9846 §4.2.4: the version is chosen once.
        if self.retried.is_some() {
            return Err(PeerFault::ChangedAfterRetry.into());
        }
        select::check12(&hello)?;
        if let Some(found) = resume::find(&hello, &self.config)? {
            return server12::resume(self.config, self.seq, &hello, message, found, out);
        }
        let selected = select::select12(&hello, &self.config)?;
        server12::start(self.config, self.seq, &hello, message, selected, out)
    }

    fn hello13(self, hello: &ClientHello<'_>, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { config, seq, retried, claim } = self;
        let asked = retried.as_ref().map(|retried| retried.asked);
        let with_psk = retried.as_ref().is_some_and(|retried| retried.with_psk);
        let transcript = match retried {
            Some(retried) => Some(retried.transcript(hello, &config)?),
            // RFC 9147 §5.1: nobody gave it one.
            None if hello.extensions.contains(ExtensionType::COOKIE) => return Err(PeerFault::InvalidCookie.into()),
            None => None,
        };
        let answer = Answer { config, seq, transcript };
        let config = answer.config.clone();
        let suite = select::suite13(hello, &config, asked)?;
        let mut found = resume13::find(hello, suite, &config)?;
        if let Some(alone) = found.take_if(|found| found.is_alone()) {
            if let Some(shared) = alone.claim(hello, message, answer.transcript.as_ref(), suite, &config, claim)? {
                return answer.start(hello, message, suite, None, Auth13::Psk(shared), out);
            }
        }
        if found.is_none() {
            check_psk_is_kept(hello, with_psk)?;
            select::check_certificates13(hello, &config)?;
        }
        let share = match OfferedGroups::read(hello)?.choose(&config.common, asked.and_then(|asked| asked.group))? {
            (group, Some(share)) => Some((group, share)),
            // RFC 9846 §4.2.4: asked for once, and then it has to be there.
            (_, None) if asked.is_some() => return Err(PeerFault::ChangedAfterRetry.into()),
            (group, None) => {
                let with_psk = found.is_some_and(|found| found.is_external());
                return answer.ask_again(Asked { suite, group: Some(group) }, with_psk, message, out);
            }
        };
        // From here on the hello is answered: a session is used up by that.
        let before = answer.transcript.as_ref();
        let shared = found.map(|found| found.claim(hello, message, before, suite, &config, claim));
        let shared = shared.transpose()?.flatten();
        let auth = match shared {
            Some(shared) => Auth13::Psk(shared),
            None => Auth13::Certificate(select::plan13(hello, &config)?),
        };
        answer.start(hello, message, suite, share, auth, out)
    }
}

/// What the answer to a 1.3 hello goes on from.
struct Answer {
    config: Arc<ServerConfig>,
    seq: OutgoingSeq,
    /// After a HelloRetryRequest: up to it.
    transcript: Option<Transcript13>,
}

impl Answer {
    /// Answers a hello to which nothing is lacking.
    fn start<'h>(
        self,
        hello: &ClientHello<'h>,
        message: &Message,
        suite: &'static Suite13,
        share: Option<(NamedGroup, &'h [u8])>,
        auth: Auth13,
        out: &mut Vec<Action>,
    ) -> Result<State, Error> {
        let Self { config, seq, transcript } = self;
        let selected = select::select13(hello, &config, suite, share, auth)?;
        server13::start(config, seq, hello, message, selected, transcript, out)
    }

    /// RFC 9846 §4.2.4: asks for a share of a group that the hello has none of.
    fn ask_again(self, asked: Asked, with_psk: bool, message: &Message, out: &mut Vec<Action>) -> Result<State, Error> {
        let Self { config, mut seq, .. } = self;
        let request = asked.request(None, |request| seq.message(Epoch::UNPROTECTED, request))?;
        let retried = Some(Retried::by(asked, with_psk, message, &request, &config)?);
        out.push(Action::Send(request));
        out.push(Action::EndFlight);
        let claim = EarlyClaim::ToBeMade;
        Ok(State::ServerHello(Box::new(ExpectClientHello { config, seq, retried, claim })))
    }
}

/// RFC 9846 §4.2.2: the second hello leaves out keys that do not go with the suite, and no others. Only for one in
/// which there is no key to be used; `with_psk` says whether there was one in the first.
fn check_psk_is_kept(hello: &ClientHello<'_>, with_psk: bool) -> Result<(), Error> {
    match with_psk {
        false => Ok(()),
        true if hello.extensions.contains(ExtensionType::PRE_SHARED_KEY) => Err(PeerFault::PskWithdrawn.into()),
        true => Err(PeerFault::MissingExtension(ExtensionType::PRE_SHARED_KEY).into()),
    }
}
