//! Early data: what a client sends with its first flight, under a key that comes from a ticket (RFC 9846
//! §2.3, §4.3.10; RFC 9147 §5.6 and §6.1).
//!
//! Here is decided what it is protected with and, on a server, whether it is taken (RFC 9846 §8). Never sees
//! the data itself.
//!
//! ```text
//! ClientHello          ------>
//! (early data)         ------>
//!                               ServerHello
//!                      <------  {EncryptedExtensions: taken or not} {Finished}
//! (early data)
//! {Finished}           ------>
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{Epoch, ExtensionType, HandshakeHeader, HandshakeType, MessageSeq, Random};
use pki_types::UnixTime;

use super::offered_groups::OfferedGroups;
use super::resume13::{self, Shown};
use super::schedule13::{EarlyExporter, EarlySecret};
use super::{Action, select};
use crate::config::{Common, ServerConfig};
use crate::crypto::{Digest, RecordKeys13};
use crate::error::{Error, PeerFault};
use crate::message::Message;
use crate::session::EarlyHello;
use crate::suite::Suite13;

/// What the server said of early data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it takes all of it or nothing")]
pub enum EarlyDataAnswer {
    /// It takes what it got.
    Accepted,
    /// It has read nothing of it.
    Rejected,
}

/// What early data goes with: on a client what it may send, on a server what it takes.
pub(crate) struct EarlyTerms {
    pub(crate) keys: RecordKeys13,
    /// In bytes of payload.
    pub(crate) limit: u32,
    pub(crate) exporter: EarlyExporter,
}

impl EarlyTerms {
    /// After a ClientHello that hashes to `transcript`, with the suite of the session. Secrets go to the log.
    pub(super) fn new(
        secret: &EarlySecret,
        transcript: &Digest,
        suite: &Suite13,
        limit: u32,
        common: &Common,
        random: &Random,
        out: &mut Vec<Action>,
    ) -> Result<Box<Self>, Error> {
        let traffic = secret.traffic(transcript);
        let exporter = secret.exporter(transcript);
        traffic.log("CLIENT_EARLY_TRAFFIC_SECRET", common, random, out);
        exporter.log(common, random, out);
        Ok(Box::new(Self { keys: traffic.record_keys(suite.aead, &common.provider)?, limit, exporter }))
    }
}

/// A client's early data when the server has said hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// None is offered, or not any more.
    Nothing,
    /// The server goes on with its key and its suite.
    Fitting,
    /// The server goes on with something else, and so cannot have read it.
    Void,
}

impl Offered {
    /// What EncryptedExtensions make of it: whether they have the extension, and whether the application
    /// protocol is that of the session.
    pub(super) fn answered(self, extension: bool, same_alpn: bool) -> Result<Option<EarlyDataAnswer>, Error> {
        match (self, extension) {
            (Self::Nothing, _) => Ok(None),
            (Self::Fitting, true) if same_alpn => Ok(Some(EarlyDataAnswer::Accepted)),
            // RFC 9846 §4.3.10, §4.3.11: only with the first key and all that belongs to it.
            (Self::Fitting | Self::Void, true) => Err(PeerFault::EarlyDataMismatch.into()),
            (Self::Fitting | Self::Void, false) => Ok(Some(EarlyDataAnswer::Rejected)),
        }
    }
}

/// Whether a hello's early data was marked as taken before its connection began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EarlyClaim {
    Made,
    ToBeMade,
}

/// How many bytes of early data a server takes that come with `hello`; `None` for none at all. The client
/// has shown that it knows the session.
pub(super) fn taken(
    hello: &ClientHello<'_>,
    shown: &Shown<'_>,
    suite: &Suite13,
    config: &ServerConfig,
    claim: EarlyClaim,
) -> Option<u32> {
    let early = config.early_data.as_ref().filter(|_| hello.extensions.contains(ExtensionType::EARLY_DATA))?;
    let session = shown.session;
    let limit = session.max_early_data;
    // RFC 9846 §4.3.10: the first key, with all that belongs to it; that the application protocol is the same
    // was a condition to resume the session at all.
    let fits = shown.index == 0 && session.cipher_suite == suite.id && (1..=early.max_bytes).contains(&limit);
    if !fits {
        return None;
    }
    let age = Duration::from_millis(shown.obfuscated_age.wrapping_sub(session.age_add).into());
    let hello = fresh(shown, age, early.replays.window())?;
    // Last, for this uses it up.
    (claim == EarlyClaim::Made || early.replays.claim(&hello)).then_some(limit)
}

/// What stands for the hello, if it was sent when it says (RFC 9846 §8.3).
fn fresh(shown: &Shown<'_>, age: Duration, window: Duration) -> Option<EarlyHello> {
    let issued = Duration::from_secs(shown.session.issued);
    let (sent, now) = (issued.checked_add(age)?, Duration::from_secs(shown.now.as_secs()));
    let (from, until) = (sent.saturating_sub(window), sent.checked_add(window)?);
    if !(from..=until).contains(&now) {
        return None;
    }
    // Every hash gives more bytes than these.
    let binder = *shown.binder.first_chunk()?;
    let at = UnixTime::since_unix_epoch;
    Some(EarlyHello { binder, issued: at(issued), now: shown.now, fresh_from: at(from), fresh_until: at(until) })
}

/// Whether the early data that the hello with this `body` announces would be taken, and then marks it as
/// taken: for an endpoint that lets such hellos begin a handshake without a cookie. Whoever made the hello,
/// or a copy of it, knows a session of ours.
pub(crate) fn claims_early_data(hello: &ClientHello<'_>, body: &[u8], config: &ServerConfig) -> bool {
    claims(hello, body, config).unwrap_or(false)
}

fn claims(hello: &ClientHello<'_>, body: &[u8], config: &ServerConfig) -> Result<bool, Error> {
    if config.early_data.is_none() || !hello.extensions.contains(ExtensionType::EARLY_DATA) {
        return Ok(false);
    }
    let suite = select::suite13(hello, config, None)?;
    // RFC 9846 §4.3.10: early data goes with the first key alone, and a stranger shall not make us look for more.
    let Some(found) = resume13::find_among(1, hello, suite, config)? else { return Ok(false) };
    // What has to be asked for another share loses its early data.
    if !found.is_alone() && OfferedGroups::read(hello)?.choose(&config.common, None)?.1.is_none() {
        return Ok(false);
    }
    let Ok(length) = u32::try_from(body.len()) else { return Ok(false) };
    let header = HandshakeHeader::whole(HandshakeType::CLIENT_HELLO, length, MessageSeq(0)).to_bytes();
    let message = Message::new(Epoch::UNPROTECTED, [&header[..], body].concat())?;
    found.check_binder(&message, None, suite, config)?;
    Ok(found.shown().is_some_and(|shown| taken(hello, &shown, suite, config, EarlyClaim::ToBeMade).is_some()))
}
