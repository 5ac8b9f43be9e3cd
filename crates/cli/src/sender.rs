//! What `gramseal client` does with each line: sends it, and updates keys when `--key-update` says so.

use std::num::NonZeroU32;

use gramseal::proto::wire::ProtocolVersion;
use gramseal::{Connection, KeyUpdateRequest, SendError, UpdateKeysError};

use crate::failure::Failure;
use crate::output::{self, NOTICE};

/// The sending half of a client's connection.
pub(crate) struct Sender<'c> {
    connection: &'c Connection,
    updates: Option<Updates>,
    unsent: u32,
}

/// When to update keys.
struct Updates {
    every: NonZeroU32,
    /// Lines sent since the last update began.
    sent: u32,
}

impl<'c> Sender<'c> {
    /// That updates the keys of both sides each time `every` lines were sent.
    ///
    /// # Errors
    /// If keys are to be updated, and the server speaks 1.2.
    pub(crate) fn new(connection: &'c Connection, every: Option<NonZeroU32>) -> Result<Self, Failure> {
        let is_new = connection.negotiated().version == ProtocolVersion::DTLS1_3;
        if every.is_some() && !is_new {
            return Err(Failure::connection("the server speaks DTLS 1.2, in which --key-update cannot be done"));
        }
        Ok(Self { connection, updates: every.map(|every| Updates { every, sent: 0 }), unsent: 0 })
    }

    /// Sends a line, if it fits into a datagram.
    pub(crate) fn send(&mut self, line: &[u8]) -> Result<(), Failure> {
        match self.connection.send(line) {
            Ok(()) => self.count(),
            // Receiving tells why the association has just ended.
            Err(SendError::Closed) => Ok(()),
            Err(error @ SendError::TooLarge { .. }) => {
                output::note(format_args!("{NOTICE}a line of {} bytes was not sent: {error}{NOTICE:#}", line.len()));
                self.unsent += 1;
                Ok(())
            }
            Err(error) => Err(Failure::connection(error)),
        }
    }

    fn count(&mut self) -> Result<(), Failure> {
        let Some(updates) = &mut self.updates else { return Ok(()) };
        updates.sent = updates.sent.saturating_add(1);
        if updates.sent < updates.every.get() {
            return Ok(());
        }
        match self.connection.update_keys(KeyUpdateRequest::Requested) {
            Ok(()) => updates.sent = 0,
            // Lines come faster than the peer answers: the next one tries again.
            Err(UpdateKeysError::OnItsWay | UpdateKeysError::TooManyMessages | UpdateKeysError::Closed) => {}
            Err(error) => return Err(Failure::connection(error)),
        }
        Ok(())
    }

    /// How the conversation ended.
    pub(crate) fn finish(self, reason: &'static str) -> Result<&'static str, Failure> {
        match self.unsent {
            0 => Ok(reason),
            unsent => Err(Failure::usage(format!("{unsent} lines were too long to be sent"))),
        }
    }
}
