//! Keying material for the application (RFC 5705).

use core::fmt;

use super::Connection;
use crate::handshake::Keying;

/// Labels that the protocol itself uses with the PRF (RFC 5705 §4, RFC 7627 §4).
const RESERVED: [&[u8]; 5] =
    [b"client finished", b"server finished", b"master secret", b"extended master secret", b"key expansion"];

/// No keying material was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportError {
    /// The handshake has not finished.
    NotConnected,
    /// The association has failed, and its secrets are forgotten (RFC 9846 §6).
    Failed,
    /// The label is one that the protocol uses itself.
    ReservedLabel,
    /// The context is longer than 65,535 bytes.
    ContextTooLong,
    /// In 1.3 HKDF gives no more than 255 digests of its hash (RFC 5869 §2.3).
    OutputTooLong,
    /// No SRTP profile was agreed on.
    NoSrtp,
    /// There is no early data, or not any more.
    NoEarlyData,
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "the handshake has not finished",
            Self::Failed => "the association has failed, and its secrets are forgotten",
            Self::ReservedLabel => "the label is reserved for the protocol",
            Self::NoEarlyData => "there is no early data",
            Self::NoSrtp => "no SRTP profile was agreed on",
            Self::OutputTooLong => "more bytes than keys of this connection can be expanded to",
            Self::ContextTooLong => "the context is longer than 65535 bytes",
        })
    }
}

impl core::error::Error for ExportError {}

/// Refuses what the protocol uses itself.
pub(super) fn check_label(label: &[u8]) -> Result<(), ExportError> {
    if RESERVED.contains(&label) { Err(ExportError::ReservedLabel) } else { Ok(()) }
}

impl Connection {
    /// Fills `out` with keying material that only the two peers can compute (RFC 5705). No context
    /// and an empty one give different bytes.
    ///
    /// That also goes after an end in good order, for as long as the `Connection` is there. One that failed, for
    /// whichever side's reasons, or was [aborted](Self::abort) has no secrets any more.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        let keying = self.keying()?;
        check_label(label)?;
        let context = match context {
            Some(context) => {
                let len = u16::try_from(context.len()).map_err(|_| ExportError::ContextTooLong)?;
                Some((context, len))
            }
            None => None,
        };
        if out.len() > keying.max_export() {
            return Err(ExportError::OutputTooLong);
        }
        keying.export(label, context, out);
        Ok(())
    }

    /// What there is to export from.
    pub(super) fn keying(&self) -> Result<&Keying, ExportError> {
        let agreed = self.agreed.as_ref().ok_or(ExportError::NotConnected)?;
        agreed.keying.as_ref().ok_or(ExportError::Failed)
    }
}
