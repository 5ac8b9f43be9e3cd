//! How large records may be: record_size_limit (RFC 8449) and the older max_fragment_length
//! (RFC 6066 §4).
//!
//! Both roles: the client's offer, the server's answer, the client's check of it. The record layer
//! keeps to what comes out.

use gramseal_wire::extension::{Extensions, ExtensionsBuf, MaxFragmentLength, RecordSizeLimit};
use gramseal_wire::handshake::ClientHello;

use crate::config::{ClientConfig, Common, RECORD_SIZE_LIMITS};
use crate::error::{Error, PeerFault};
use crate::session::Session;

/// The most content that records may have, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordLimits {
    /// Nothing was agreed on: what the protocol allows.
    Protocol,
    /// Each side said what it takes in a protected record (RFC 8449 §4).
    Each { ours: u16, peers: u16 },
    /// The client asked for one limit to all records of both sides (RFC 6066 §4).
    Both(u16),
}

impl RecordLimits {
    /// The same limits where the content type has a byte of its own in the record, as in 1.3
    /// (RFC 8449 §4). What comes in may be a byte longer than we asked for.
    pub(super) fn with_content_type(self) -> Self {
        match self {
            Self::Each { ours, peers } => Self::Each { ours, peers: peers.saturating_sub(1) },
            other => other,
        }
    }

    /// What stays with a session (RFC 6066 §4), in bytes.
    pub(super) fn max_fragment_length(self) -> Option<u16> {
        match self {
            Self::Both(limit) => Some(limit),
            Self::Protocol | Self::Each { .. } => None,
        }
    }

    /// Whether a client that asks for this may resume `session` (RFC 6066 §4: it asks for the same
    /// again). RFC 8449 §5: the older extension does not count beside the newer.
    pub(super) fn fit(self, session: &Session) -> bool {
        matches!(self, Self::Each { .. }) || self.max_fragment_length() == session.max_fragment_length
    }

    /// What holds in a connection that resumes `session`, if the hellos say this.
    pub(super) fn resume(self, session: &Session) -> Result<Self, Error> {
        match (self, session.max_fragment_length) {
            // RFC 8449 §4: agreed on anew in each handshake.
            (Self::Each { .. }, _) => Ok(self),
            // RFC 6066 §1.1: the server need not repeat what was agreed on.
            (Self::Protocol, Some(limit)) => Ok(Self::Both(limit)),
            (_, then) if then == self.max_fragment_length() => Ok(self),
            _ => Err(PeerFault::BadMaxFragmentLength.into()),
        }
    }
}

/// The client's offer, if it wants any.
pub(super) fn offer(config: &ClientConfig, buf: &mut ExtensionsBuf) {
    if let Some(limit) = config.common.record_size_limit {
        buf.push(&RecordSizeLimit(limit));
    }
    if let Some(code) = config.max_fragment_length {
        buf.push(&code);
    }
}

/// What the server makes of the client's offer.
pub(super) fn select(hello: &ClientHello<'_>, common: &Common) -> Result<RecordLimits, Error> {
    if let Some(RecordSizeLimit(peers)) = hello.extensions.find()? {
        let (least, most) = RECORD_SIZE_LIMITS.into_inner();
        if peers < least {
            return Err(PeerFault::BadRecordSizeLimit.into());
        }
        // RFC 8449 §4: more than we know of may make sense to the client. RFC 8449 §5: the older
        // extension does not count beside this one, whatever is in it.
        return Ok(RecordLimits::Each { ours: ours(common), peers: peers.min(most) });
    }
    match hello.extensions.find::<MaxFragmentLength>()? {
        None => Ok(RecordLimits::Protocol),
        Some(code) => Ok(code.limit().map(RecordLimits::Both).ok_or(PeerFault::BadMaxFragmentLength)?),
    }
}

/// The server's answer, if the client offered anything.
pub(super) fn answer(limits: RecordLimits, buf: &mut ExtensionsBuf) {
    match limits {
        RecordLimits::Protocol => {}
        RecordLimits::Each { ours, .. } => buf.push(&RecordSizeLimit(ours)),
        RecordLimits::Both(limit) => {
            if let Some(code) = MaxFragmentLength::of(limit) {
                buf.push(&code);
            }
        }
    }
}

/// What the server's answer agrees to.
pub(super) fn check(answers: &Extensions<'_>, config: &ClientConfig) -> Result<RecordLimits, Error> {
    match (answers.find::<RecordSizeLimit>()?, answers.find::<MaxFragmentLength>()?) {
        (None, None) => Ok(RecordLimits::Protocol),
        // RFC 8449 §5
        (Some(_), Some(_)) => Err(PeerFault::TwoRecordLimits.into()),
        (Some(RecordSizeLimit(peers)), None) => {
            if !RECORD_SIZE_LIMITS.contains(&peers) {
                return Err(PeerFault::BadRecordSizeLimit.into());
            }
            Ok(RecordLimits::Each { ours: ours(&config.common), peers })
        }
        (None, Some(code)) => {
            let limit = code.limit().filter(|_| config.max_fragment_length == Some(code));
            Ok(limit.map(RecordLimits::Both).ok_or(PeerFault::BadMaxFragmentLength)?)
        }
    }
}

/// The same of a 1.3 server, which counts the byte for the content type (RFC 8449 §4).
pub(super) fn check13(answers: &Extensions<'_>, config: &ClientConfig) -> Result<RecordLimits, Error> {
    let most = *RECORD_SIZE_LIMITS.end();
    match answers.find::<RecordSizeLimit>()? {
        Some(RecordSizeLimit(peers)) if peers == most + 1 => {
            Ok(RecordLimits::Each { ours: ours(&config.common), peers: most })
        }
        _ => check(answers, config).map(RecordLimits::with_content_type),
    }
}

/// What we take in a record (RFC 8449 §4: also who needs no limit should say so).
fn ours(common: &Common) -> u16 {
    common.record_size_limit.unwrap_or(*RECORD_SIZE_LIMITS.end())
}
