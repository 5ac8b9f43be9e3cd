//! BoringSSL's severity: what is wrong with a record that nothing authenticates ends the association there.
//!
//! The engine drops such records and counts them with a reason, because anybody can send them; a caller who wants to be
//! told can look at the counts and end the association himself. That is what happens here, so that the suite sees that
//! each fault was found, and for what it is.

use std::fmt;

use gramseal_proto::wire::{AlertDescription, ContentType};
use gramseal_proto::{Discard, DiscardCounts};

/// A fault that BoringSSL does not forgive.
pub(crate) struct Severity {
    token: &'static str,
    pub(crate) alert: AlertDescription,
    reason: Discard,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.token, self.reason)
    }
}

/// What is looked at of a datagram before it is handled: BoringSSL drops what is no record, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Of the first record; of a protected one of 1.3 its first byte.
    content_type: ContentType,
    /// Whether the first record could be one.
    is_record: bool,
}

impl Shape {
    pub(crate) fn of(datagram: &[u8]) -> Self {
        const HEADER: usize = 13;
        const LONGEST: usize = (1 << 14) + 2048;
        let content_type = ContentType(datagram.first().copied().unwrap_or(0));
        let cut = match datagram.get(HEADER - 2..HEADER) {
            Some(&[high, low]) => datagram.len() < HEADER + usize::from(u16::from_be_bytes([high, low])),
            _ => true,
        };
        let is_record = datagram.len() <= HEADER + LONGEST && (is_protected(content_type) || !cut);
        Self { content_type, is_record }
    }
}

/// The first fault among those that a datagram of this shape added to the counts.
pub(crate) fn fault(before: &DiscardCounts, after: &DiscardCounts, shape: Shape) -> Option<Severity> {
    let added = after.iter().filter(|(reason, count)| shape.is_record && *count > before.get(*reason));
    added.map(|(reason, _)| reason).find_map(|reason| severity(reason, shape.content_type))
}

fn severity(reason: Discard, content_type: ContentType) -> Option<Severity> {
    let (token, alert) = match reason {
        Discard::UnknownContentType => (":UNEXPECTED_RECORD:", AlertDescription::UNEXPECTED_MESSAGE),
        Discard::UnexpectedContent if content_type == ContentType::APPLICATION_DATA => {
            (":UNEXPECTED_RECORD:", AlertDescription::UNEXPECTED_MESSAGE)
        }
        // The content of a protected record is any.
        Discard::UnexpectedContent if content_type == ContentType::HANDSHAKE || is_protected(content_type) => {
            (":EXCESS_HANDSHAKE_DATA:", AlertDescription::UNEXPECTED_MESSAGE)
        }
        // One that has no content type in it.
        Discard::Malformed if is_protected(content_type) => {
            (":DECRYPTION_FAILED_OR_BAD_RECORD_MAC:", AlertDescription::BAD_RECORD_MAC)
        }
        Discard::Malformed => match content_type {
            ContentType::HANDSHAKE => (":BAD_HANDSHAKE_RECORD:", AlertDescription::DECODE_ERROR),
            ContentType::ALERT => (":BAD_ALERT:", AlertDescription::DECODE_ERROR),
            ContentType::CHANGE_CIPHER_SPEC => (":BAD_CHANGE_CIPHER_SPEC:", AlertDescription::ILLEGAL_PARAMETER),
            ContentType::ACK => (":DECODE_ERROR:", AlertDescription::DECODE_ERROR),
            _ => return None,
        },
        Discard::FragmentMismatch => (":FRAGMENT_MISMATCH:", AlertDescription::ILLEGAL_PARAMETER),
        Discard::MessageTooLong => (":EXCESSIVE_MESSAGE_SIZE:", AlertDescription::ILLEGAL_PARAMETER),
        Discard::Oversized => (":DATA_LENGTH_TOO_LONG:", AlertDescription::RECORD_OVERFLOW),
        _ => return None,
    };
    Some(Severity { token, alert, reason })
}

/// Whether what stands in the place of the content type begins a protected record of 1.3.
fn is_protected(content_type: ContentType) -> bool {
    content_type.0 >> 5 == 1
}
