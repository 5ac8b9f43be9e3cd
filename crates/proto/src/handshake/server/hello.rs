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

use gramseal_wire::extension::{ExtensionsBuf, KeyShareHelloRetryRequest, SupportedVersionsServerHello};
use gramseal_wire::handshake::{ClientHello, ServerHello};
use gramseal_wire::{Codec, CompressionMethod, HandshakeType, MessageSeq, NamedGroup, ProtocolVersion, Random};

use crate::config::ServerConfig;
use crate::error::{Error, LocalFault, PeerFault};
use crate::handshake::auth12::PLAINTEXT;
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::select::Auth13;
use crate::handshake::transcript::Transcript13;
use crate::handshake::{Action, Protection, State, expect, resume, resume13, select, server12, server13};
use crate::message::Message;
use crate::suite::Suite13;

/// A server that waits for its client; its first message will have the number `first`.
pub(crate) fn start(config: Arc<ServerConfig>, first: MessageSeq) -> State {
    State::ServerHello(Box::new(ExpectClientHello { config, seq: OutgoingSeq::new(first), retried: None }))
}

/// Waits for the ClientHello that begins the handshake.
pub(crate) struct ExpectClientHello {
    config: Arc<ServerConfig>,
    seq: OutgoingSeq,
    /// After a HelloRetryRequest.
    retried: Option<Retried>,
}

/// What a HelloRetryRequest of ours said, and to what.
struct Retried {
    suite: &'static Suite13,
    group: NamedGroup,
    /// The body of the hello that it answered.
    first: Vec<u8>,
    transcript: Transcript13,
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
        // RFC 9846 §4.1.4: the version is chosen once.
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
        if let Some(retried) = &self.retried {
            let same = select::is_same_hello(&ClientHello::from_bytes(&retried.first)?, hello);
            if !same || !select::has_only_share(hello, retried.group)? {
                return Err(PeerFault::ChangedAfterRetry.into());
            }
        }
        let config = self.config.clone();
        let suite = select::suite13(hello, &config.common)?;
        let before = self.retried.as_ref().map(|retried| &retried.transcript);
        let mut found = resume13::find(hello, suite, &config)?;
        if let Some(alone) = found.take_if(|found| found.is_alone()) {
            if let Some(resumed) = alone.claim(message, before, suite, &config)? {
                return self.start13(hello, message, suite, None, Auth13::Session(resumed), out);
            }
        }
        if found.is_none() {
            select::check_full13(hello)?;
        }
        let share = match select::share13(hello, &config.common)? {
            (group, Some(share)) => Some((group, share)),
            (group, None) => return self.ask_again(suite, group, message, out),
        };
        // From here on the hello is answered: a session is used up by that.
        let resumed = found.map(|found| found.claim(message, before, suite, &config)).transpose()?.flatten();
        let auth = match resumed {
            Some(resumed) => Auth13::Session(resumed),
            None => Auth13::Certificate(select::plan13(hello, &config)?),
        };
        self.start13(hello, message, suite, share, auth, out)
    }

    /// Answers a hello to which nothing is lacking.
    fn start13<'h>(
        self,
        hello: &ClientHello<'h>,
        message: &Message,
        suite: &'static Suite13,
        share: Option<(NamedGroup, &'h [u8])>,
        auth: Auth13,
        out: &mut Vec<Action>,
    ) -> Result<State, Error> {
        let Self { config, seq, retried } = self;
        let transcript = match retried {
            None => None,
            Some(retried) => {
                let same_group = share.is_none_or(|(group, _)| group == retried.group);
                if retried.suite != suite || !same_group {
                    return Err(PeerFault::ChangedAfterRetry.into());
                }
                Some(retried.transcript)
            }
        };
        let selected = select::select13(hello, &config, suite, share, auth)?;
        server13::start(config, seq, hello, message, selected, transcript, out)
    }

    /// RFC 9846 §4.1.4: asks for a share of `group`. Once.
    fn ask_again(
        mut self,
        suite: &'static Suite13,
        group: NamedGroup,
        message: &Message,
        out: &mut Vec<Action>,
    ) -> Result<State, Error> {
        if self.retried.is_some() {
            return Err(PeerFault::ChangedAfterRetry.into());
        }
        let hash = self.config.common.provider.hash(suite.hash).ok_or(LocalFault::MissingAlgorithm)?;
        let mut extensions = ExtensionsBuf::new();
        extensions.push(&SupportedVersionsServerHello { selected_version: ProtocolVersion::DTLS1_3 });
        extensions.push(&KeyShareHelloRetryRequest { selected_group: group });
        let request = ServerHello {
            legacy_version: ProtocolVersion::DTLS1_2,
            random: Random::HELLO_RETRY_REQUEST,
            session_id: &[],
            cipher_suite: suite.id,
            compression_method: CompressionMethod::NULL,
            extensions: extensions.as_extensions(),
        };
        let request = self.seq.message(PLAINTEXT, &request)?;
        let transcript = Transcript13::after_retry(hash, message.bytes(), &request);
        self.retried = Some(Retried { suite, group, first: message.body().to_vec(), transcript });
        out.push(Action::Send(request));
        out.push(Action::EndFlight);
        Ok(State::ServerHello(Box::new(self)))
    }
}
