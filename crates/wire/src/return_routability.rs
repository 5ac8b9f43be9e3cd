//! Return routability check (RFC 9853 §4).
//!
//! Owns: the messages. Never does: send one, or remember a cookie.

use crate::codec::{Codec, DecodeError, Reader, Writer};

/// Eight unpredictable bytes that tie an answer to its challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RrcCookie(pub [u8; 8]);

/// The content of a `return_routability_check` record (RFC 9853 §4). A message of unknown type is kept as it is, since
/// the receiver ignores it (RFC 9853 §4).
///
/// ```text
/// enum { path_challenge(0), path_response(1), path_drop(2), (255) } rrc_msg_type;
/// struct {
///     rrc_msg_type msg_type;
///     opaque Cookie[8];
/// } return_routability_check;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnRoutabilityCheck<'a> {
    /// Asks for the cookie back.
    PathChallenge(RrcCookie),
    /// Gives it back: the path works.
    PathResponse(RrcCookie),
    /// Gives it back: the path is to be dropped.
    PathDrop(RrcCookie),
    /// Something newer.
    Unknown {
        /// Its type, 3 or more.
        msg_type: u8,
        /// What follows.
        body: &'a [u8],
    },
}

const PATH_CHALLENGE: u8 = 0;
const PATH_RESPONSE: u8 = 1;
const PATH_DROP: u8 = 2;

impl<'a> Codec<'a> for ReturnRoutabilityCheck<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match r.u8()? {
            PATH_CHALLENGE => Self::PathChallenge(RrcCookie(r.array()?)),
            PATH_RESPONSE => Self::PathResponse(RrcCookie(r.array()?)),
            PATH_DROP => Self::PathDrop(RrcCookie(r.array()?)),
            msg_type => Self::Unknown { msg_type, body: r.rest() },
        })
    }

    fn write(&self, w: &mut Writer<'_>) {
        let (msg_type, body): (u8, &[u8]) = match self {
            Self::PathChallenge(cookie) => (PATH_CHALLENGE, &cookie.0),
            Self::PathResponse(cookie) => (PATH_RESPONSE, &cookie.0),
            Self::PathDrop(cookie) => (PATH_DROP, &cookie.0),
            Self::Unknown { msg_type, body } => (*msg_type, body),
        };
        w.u8(msg_type);
        w.bytes(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let cookie = RrcCookie([1, 2, 3, 4, 5, 6, 7, 8]);
        let messages = [
            ReturnRoutabilityCheck::PathChallenge(cookie),
            ReturnRoutabilityCheck::PathResponse(cookie),
            ReturnRoutabilityCheck::PathDrop(cookie),
        ];
        for (message, msg_type) in messages.into_iter().zip(0..) {
            let bytes = [msg_type, 1, 2, 3, 4, 5, 6, 7, 8];
            assert_eq!(message.to_vec().unwrap(), bytes);
            assert_eq!(ReturnRoutabilityCheck::from_bytes(&bytes), Ok(message));
            assert_eq!(ReturnRoutabilityCheck::from_bytes(&bytes[..8]), Err(DecodeError::Truncated));
        }
    }

    #[test] // RFC 9853 §4
    fn an_unknown_type_is_no_error() {
        let unknown = ReturnRoutabilityCheck::Unknown { msg_type: 3, body: &[9] };
        assert_eq!(ReturnRoutabilityCheck::from_bytes(&[3, 9]), Ok(unknown));
        assert_eq!(unknown.to_vec().unwrap(), [3, 9]);
    }
}
