//! Alerts (RFC 5246 §7.2, RFC 9846 §6).
//!
//! Owns: the two bytes. Never does: decide whether to believe them.

use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::{AlertDescription, AlertLevel};

/// One alert; a record carries exactly one.
///
/// ```text
/// struct {
///     AlertLevel level;
///     AlertDescription description;
/// } Alert;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Warning or fatal; only 1.2 gives it a meaning.
    pub level: AlertLevel,
    /// What happened.
    pub description: AlertDescription,
}

impl Alert {
    /// An alert at the level the description has in 1.3: `close_notify` and `user_canceled` are warnings.
    pub fn new(description: AlertDescription) -> Self {
        let level = match description {
            AlertDescription::CLOSE_NOTIFY | AlertDescription::USER_CANCELED | AlertDescription::NO_RENEGOTIATION => {
                AlertLevel::WARNING
            }
            _ => AlertLevel::FATAL,
        };
        Self { level, description }
    }
}

impl<'a> Codec<'a> for Alert {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { level: Codec::read(r)?, description: Codec::read(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.level.write(w);
        self.description.write(w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let alert = Alert::new(AlertDescription::HANDSHAKE_FAILURE);
        assert_eq!(alert.to_vec().unwrap(), [2, 40]);
        assert_eq!(Alert::from_bytes(&[2, 40]), Ok(alert));
        assert_eq!(Alert::new(AlertDescription::CLOSE_NOTIFY).to_vec().unwrap(), [1, 0]);
        assert_eq!(Alert::from_bytes(&[2]), Err(DecodeError::Truncated));
        assert_eq!(Alert::from_bytes(&[2, 40, 0]), Err(DecodeError::TrailingBytes));
        assert_eq!(Alert::from_bytes(&[9, 200]).unwrap().to_vec().unwrap(), [9, 200]);
    }
}
