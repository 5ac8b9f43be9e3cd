//! Why the program ends otherwise than it should, and its exit status.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gramseal::proto::Error;
use gramseal::proto::wire::AlertDescription;
use gramseal::{ConnectError, ConnectionError};

use crate::report::Event;

/// Something about the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    /// Which one, if that is known.
    pub(crate) about: Option<About>,
    text: String,
}

/// Which option something is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// The one of this name, without hyphens.
    Option(&'static str),
    /// One that names this file.
    File(PathBuf),
}

impl Remark {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self { about: None, text: text.to_string() }
    }

    /// The same, and which file it is about.
    pub(crate) fn at(self, file: &Path) -> Self {
        let text = format!("{}: {}", file.display(), self.text);
        Self { about: Some(About::File(file.to_owned())), text }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Wrong use: options, files, values. Exit status 2.
    Usage(Remark),
    /// The connection failed, or the network did not let one begin. Exit status 1.
    Connection {
        reason: String,
        /// Sent or received.
        alert: Option<AlertDescription>,
        /// Nobody answered, or not in time.
        timed_out: bool,
    },
}

impl Failure {
    pub(crate) fn usage(reason: impl fmt::Display) -> Self {
        Self::Usage(Remark::new(reason))
    }

    /// What is wrong with the value of `--option`.
    pub(crate) fn option(option: &'static str, reason: impl fmt::Display) -> Self {
        Self::Usage(Remark { about: Some(About::Option(option)), text: format!("--{option} {reason}") })
    }

    pub(crate) fn connection(reason: impl fmt::Display) -> Self {
        Self::Connection { reason: reason.to_string(), alert: None, timed_out: false }
    }

    fn protocol(reason: impl fmt::Display, error: &Error) -> Self {
        let alert = match error {
            Error::AlertReceived(received) => Some(received.description),
            error => error.alert(),
        };
        Self::Connection { reason: reason.to_string(), alert, timed_out: matches!(error, Error::TimedOut(_)) }
    }

    /// The same, and which file it is about.
    pub(crate) fn at(self, file: &Path) -> Self {
        match self {
            Self::Usage(remark) => Self::Usage(remark.at(file)),
            Self::Connection { reason, alert, timed_out } => {
                Self::Connection { reason: format!("{}: {reason}", file.display()), alert, timed_out }
            }
        }
    }

    /// Which option it is about, if that is known.
    pub(crate) fn about(&self) -> Option<&About> {
        match self {
            Self::Usage(remark) => remark.about.as_ref(),
            Self::Connection { .. } => None,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Connection { .. } => 1,
            Self::Usage(_) => 2,
        })
    }

    /// The line of `--json`.
    pub(crate) fn event(&self, peer: Option<SocketAddr>) -> Event<'static> {
        let alert = match self {
            Self::Connection { alert, .. } => alert.map(|alert| alert.to_string()),
            Self::Usage(_) => None,
        };
        Event::Failed { peer, reason: self.to_string(), alert }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(remark) => remark.fmt(f),
            Self::Connection { reason, .. } => f.write_str(reason),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::from(&error)
    }
}

impl From<&ConnectError> for Failure {
    fn from(error: &ConnectError) -> Self {
        match error {
            ConnectError::Failed(inner) => Self::protocol(error, inner),
            ConnectError::InvalidName(_) => Self::usage(error),
            _ => Self::connection(error),
        }
    }
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        match &error {
            ConnectionError::Failed(inner) => Self::protocol(&error, inner),
            _ => Self::connection(error),
        }
    }
}
