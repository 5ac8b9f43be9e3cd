//! What cannot be read, and where it stands.

use core::fmt;

use gramseal_wire::extension::BadExtension;
use gramseal_wire::{DecodeError, ExtensionType, HandshakeType};

use super::Error;

/// A handshake message that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Malformed {
    /// What is wrong.
    pub error: DecodeError,
    /// The message, where it is known.
    pub message: Option<HandshakeType>,
    /// The extension whose content is wrong, if it is one. The list of extensions itself is part of the message.
    pub extension: Option<ExtensionType>,
}

impl From<DecodeError> for Malformed {
    fn from(error: DecodeError) -> Self {
        Self { error, message: None, extension: None }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error.into())
    }
}

impl From<BadExtension> for Error {
    fn from(bad: BadExtension) -> Self {
        Self::Decode(Malformed { extension: Some(bad.extension_type), ..bad.error.into() })
    }
}

impl Error {
    /// The same, about `message`.
    pub(crate) fn in_message(mut self, message: HandshakeType) -> Self {
        if let Self::Decode(malformed) = &mut self {
            malformed.message = Some(message);
        }
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message {
            Some(message) => write!(f, "the peer's {message} cannot be read: ")?,
            None => f.write_str("the peer sent a message that cannot be read: ")?,
        }
        if let Some(extension) = self.extension {
            write!(f, "{extension}: ")?;
        }
        self.error.fmt(f)
    }
}
