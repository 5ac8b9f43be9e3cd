//! Why an association does not move, and why bytes are no association.

use core::fmt;

use gramseal_wire::{CipherSuite, DecodeError};

/// No image was made. The connection is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotMovable {
    /// The handshake has not finished.
    NotConnected,
    /// The association has ended.
    Closed,
    /// The peer may not have our last flight yet, and asks for it by repeating its own, which takes what does not
    /// move. That ends when the peer acknowledges it (1.3), with the peer's first application data (1.2), or after
    /// [`last_flight_kept`](crate::config::Transport::last_flight_kept).
    LastFlight,
    /// Early data has not been fetched: see [`poll_early_data`](crate::Connection::poll_early_data).
    EarlyData,
    /// A message of the peer's has come in part, and the peer may believe that this part need not be sent again.
    MessageInPart,
    /// The client is being asked who it is, or is a client that may be
    /// ([`with_post_handshake_auth`](crate::config::ClientConfigBuilder::with_post_handshake_auth)): its answer goes on
    /// from a running hash of the handshake, which does not move.
    ClientAuthentication,
    /// More records are to be reserved than the peer could tell apart.
    TooManyRecords {
        /// The most that can be reserved.
        limit: u64,
    },
    /// There are not enough record or message numbers left: a new association is needed.
    NumbersUsedUp,
    /// The random source failed, or the provider refused to seal.
    Crypto,
    /// What the association remembers does not fit into an image.
    TooLong,
}

impl fmt::Display for NotMovable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "the handshake has not finished",
            Self::Closed => "the association has ended",
            Self::LastFlight => "the peer may not have the last flight of the handshake",
            Self::EarlyData => "early data has not been fetched",
            Self::MessageInPart => "a message of the peer's has come in part",
            Self::ClientAuthentication => "the client is or may be asked who it is",
            Self::TooManyRecords { limit } => return write!(f, "more than {limit} records are to be reserved"),
            Self::NumbersUsedUp => "there are not enough numbers left",
            Self::Crypto => "a cryptographic operation failed",
            Self::TooLong => "the association does not fit into an image",
        })
    }
}

impl core::error::Error for NotMovable {}

/// Bytes from which no association goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// They do not begin as an image does, or are too few.
    NotAnImage,
    /// They are in the format of another version of gramseal.
    UnknownFormat(u16),
    /// They were sealed with another key.
    WrongKey,
    /// They were changed since they were sealed.
    Tampered,
    /// The association has something that this version of gramseal does not know, and that it could not do without.
    UnknownField(u8),
    /// What was sealed is no association.
    Malformed,
    /// A client's association is to be a server's, or the other way round.
    WrongRole,
    /// The provider of the configuration lacks an algorithm of this cipher suite.
    MissingAlgorithm(CipherSuite),
    /// The provider refused a key.
    Crypto,
}

impl From<DecodeError> for ImportError {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnImage => "the bytes are no image of a connection",
            Self::UnknownFormat(format) => return write!(f, "images of format {format} are not known"),
            Self::WrongKey => "the image was sealed with another key",
            Self::Tampered => "the image was changed since it was sealed",
            Self::UnknownField(tag) => return write!(f, "the image has a field {tag} that is not known"),
            Self::Malformed => "what was sealed is no connection",
            Self::WrongRole => "the image is of the other role",
            Self::MissingAlgorithm(suite) => return write!(f, "the provider lacks an algorithm of {suite:?}"),
            Self::Crypto => "a cryptographic operation failed",
        })
    }
}

impl core::error::Error for ImportError {}
