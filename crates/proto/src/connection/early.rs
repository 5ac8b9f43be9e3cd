//! Early data of 1.3 (0-RTT): what a client sends before the server has answered, and what a server takes
//! (RFC 9846 §2.3, §4.3.10; RFC 9147 §5.6).
//!
//! It stays apart from all else: it has calls of its own, since others can send it again. Only what a
//! server takes waits in a queue, bounded by what its ticket allows: it may come in one datagram with
//! the hello, before anybody could look at a payload.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::{ContentType, Epoch};

use super::export::{ExportError, check_label};
use super::{Connection, Phase, Role};
use crate::discard::Discard;
use crate::error::PeerFault;
use crate::handshake::{EarlyDataAnswer, EarlyExporter, EarlyTerms};
use crate::record::{Opened, ReadEpoch, SealError, WriteEpoch};

/// Payloads that wait for a server: empty ones, which no limit counts, cost memory too.
const MAX_WAITING: usize = 64;

/// The early data of one connection: gone once nobody needs it any more.
pub(super) struct EarlyData {
    /// Bytes of payload that may still be sent, or be taken.
    left: u32,
    /// Gone if the association has failed.
    exporter: Option<EarlyExporter>,
    /// On a client, once the server has said.
    answer: Option<EarlyDataAnswer>,
    /// What came, on a server.
    waiting: VecDeque<Vec<u8>>,
}

/// Early data was not sealed. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendEarlyError {
    /// There is none in this connection: it is not the client's, the
    /// [configuration](crate::config::ClientConfigBuilder::with_early_data) does not want any, or there is no session
    /// with the server that allows it.
    NotOffered,
    /// The server has not read what came before, and would not read this.
    Rejected,
    /// The handshake is done, or the association has ended.
    Over,
    /// The payload does not fit into one datagram, or is more than the server takes.
    TooLarge {
        /// The longest payload that can be sent now, in bytes.
        limit: usize,
    },
    /// The buffer is too short for the record.
    BufferTooSmall {
        /// Bytes that the record has.
        needed: usize,
    },
    /// The keys have protected as many records as they may.
    KeysExhausted,
}

impl fmt::Display for SendEarlyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => f.write_str("there is no session that allows early data"),
            Self::Rejected => f.write_str("the server takes no early data"),
            Self::Over => f.write_str("the time for early data is over"),
            Self::TooLarge { limit } => write!(f, "early data of more than {limit} bytes cannot be sent now"),
            Self::BufferTooSmall { needed } => write!(f, "the record needs a buffer of {needed} bytes"),
            Self::KeysExhausted => f.write_str("the keys have protected as many records as they may"),
        }
    }
}

impl core::error::Error for SendEarlyError {}

impl Connection {
    /// Writes one record with early data into `out` and returns its length in bytes: one datagram to send, behind
    /// those that [`poll_transmit`](Self::poll_transmit) has at the beginning. On a client, and from the
    /// beginning until the handshake is done or [`Event::EarlyData`](crate::Event::EarlyData) says that the server
    /// takes none.
    ///
    /// What is sent so may get lost as every datagram, and if the server takes none, all of it is: nothing is kept
    /// here, so whether to send it again, with [`seal`](super::Connection::seal), is the caller's to decide. **Others
    /// can send it again**, see [`with_early_data`](crate::config::ClientConfigBuilder::with_early_data).
    ///
    /// # Errors
    /// See [`SendEarlyError`].
    pub fn seal_early(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, SendEarlyError> {
        let limit = self.early_room()?;
        if payload.len() > limit {
            return Err(SendEarlyError::TooLarge { limit });
        }
        match self.records.seal(Epoch::EARLY_DATA, ContentType::APPLICATION_DATA, payload, out) {
            Ok(len) => {
                let sent = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                if let Some(early) = &mut self.early {
                    early.left = early.left.saturating_sub(sent);
                }
                self.stats.records_sealed += 1;
                Ok(len)
            }
            Err(SealError::BufferTooSmall) => {
                Err(SendEarlyError::BufferTooSmall { needed: self.sealed_early_len(payload.len()) })
            }
            Err(SealError::TooLong) => Err(SendEarlyError::TooLarge { limit }),
            Err(SealError::Exhausted | SealError::Reserved | SealError::NoSuchEpoch | SealError::Crypto) => {
                Err(SendEarlyError::KeysExhausted)
            }
        }
    }

    /// The longest payload that [`seal_early`](Self::seal_early) takes now, in bytes; 0 if none can be sent.
    #[must_use]
    pub fn max_early_payload(&self) -> usize {
        self.early_room().unwrap_or(0)
    }

    /// Bytes of the datagram that carries early data of `payload_len` bytes, with its
    /// [padding](crate::config::Padding).
    #[must_use]
    pub fn sealed_early_len(&self, payload_len: usize) -> usize {
        self.records.sealed_len(Epoch::EARLY_DATA, payload_len + self.records.padding(Epoch::EARLY_DATA, payload_len))
    }

    fn early_room(&self) -> Result<usize, SendEarlyError> {
        match (&self.role, &self.early) {
            _ if self.phase != Phase::Handshaking => Err(SendEarlyError::Over),
            (Role::Client(_), Some(early)) if early.answer == Some(EarlyDataAnswer::Rejected) => {
                Err(SendEarlyError::Rejected)
            }
            (Role::Client(_), Some(early)) => {
                let datagram = self.mtu.bytes().saturating_sub(self.records.overhead(Epoch::EARLY_DATA));
                let left = usize::try_from(early.left).unwrap_or(usize::MAX);
                Ok(datagram.min(self.records.max_content(Epoch::EARLY_DATA)).min(left))
            }
            (Role::Client(_), None) | (Role::Server(_), _) => Err(SendEarlyError::NotOffered),
        }
    }

    /// The oldest early data that came and was not fetched yet, on a server; `None` if there is none now. After
    /// the handshake none comes any more.
    ///
    /// Call it after each [`handle_datagram`](Self::handle_datagram) until it gives nothing, also once after
    /// [`Event::Connected`](crate::Event::Connected), which frees what there is for it.
    ///
    /// The client was at its address, and the data fresh, only if the handshake gets done; until then anybody may
    /// have sent a copy.
    pub fn poll_early_data(&mut self) -> Option<Vec<u8>> {
        let payload = self.early.as_mut()?.waiting.pop_front();
        if payload.is_none() && self.phase != Phase::Handshaking {
            self.early = None;
        }
        payload
    }

    /// Fills `out` with keying material that goes with early data (RFC 9846 §7.5): of the client's hello alone, so
    /// that it is the same for whoever repeats it. It is there on a client until the handshake is done, and on a
    /// server that takes early data until [`poll_early_data`](Self::poll_early_data) has no more after that.
    ///
    /// # Errors
    /// [`ExportError::NoEarlyData`] if there is none, [`ExportError::Failed`], [`ExportError::ReservedLabel`],
    /// [`ExportError::OutputTooLong`].
    pub fn export_early_keying_material(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        let not_rejected = |early: &&EarlyData| early.answer != Some(EarlyDataAnswer::Rejected);
        let early = self.early.as_deref().filter(not_rejected).ok_or(ExportError::NoEarlyData)?;
        let exporter = early.exporter.as_ref().ok_or(ExportError::Failed)?;
        check_label(label)?;
        if out.len() > exporter.max_len() {
            return Err(ExportError::OutputTooLong);
        }
        exporter.export(label, context, out);
        Ok(())
    }

    /// Whether there is early data that nobody has fetched, on a server.
    pub(super) fn has_early_data_waiting(&self) -> bool {
        self.early.as_ref().is_some_and(|early| !early.waiting.is_empty())
    }

    /// From now on early data can be sent, or be taken.
    pub(super) fn begin_early_data(&mut self, terms: EarlyTerms) {
        let EarlyTerms { keys, limit, exporter } = terms;
        match self.role {
            Role::Client(_) => self.records.install_write(WriteEpoch::dtls13(Epoch::EARLY_DATA, keys)),
            Role::Server(_) => {
                self.install_read(ReadEpoch::dtls13(Epoch::EARLY_DATA, keys, self.records.replay_window()))
            }
        }
        let (exporter, waiting) = (Some(exporter), VecDeque::new());
        self.early = Some(Box::new(EarlyData { left: limit, exporter, answer: None, waiting }));
    }

    /// The server has said what becomes of our early data.
    pub(super) fn early_data_answered(&mut self, answer: EarlyDataAnswer) {
        if let Some(early) = &mut self.early {
            early.answer = Some(answer);
            self.unread.early_data = Some(answer);
        }
    }

    /// The association has failed: what came can still be fetched, and no more.
    pub(super) fn forget_early_secrets(&mut self) {
        if let Some(early) = &mut self.early {
            early.exporter = None;
        }
    }

    /// The handshake is done. RFC 9147 §5.6: what is late now is not taken any more.
    pub(super) fn end_early_data(&mut self) {
        match self.role {
            Role::Client(_) => self.early = None,
            Role::Server(_) if self.early.is_some() => self.records.retire_read_before(Epoch::HANDSHAKE),
            Role::Server(_) => {}
        }
    }

    /// A record of early data that is authentic, on a server.
    pub(super) fn early_record(&mut self, opened: Opened<'_>) {
        match opened.content_type {
            ContentType::APPLICATION_DATA => self.early_payload(opened.content),
            // RFC 9846 §7.3: a client may have nothing newer to protect it with.
            ContentType::ALERT => self.alert_record(opened.number, opened.content),
            // RFC 9147 §5.6, and rfc9147bis §7: neither messages nor ACKs.
            _ => self.discard(Discard::UnexpectedContent),
        }
    }

    fn early_payload(&mut self, content: &[u8]) {
        let Some(early) = &mut self.early else { return };
        let left = u32::try_from(content.len()).ok().and_then(|len| early.left.checked_sub(len));
        // RFC 9846 §4.7.1
        let Some(left) = left else { return self.fail(PeerFault::TooMuchEarlyData.into()) };
        early.left = left;
        if early.waiting.len() >= MAX_WAITING {
            return self.discard(Discard::EarlyDataFull);
        }
        early.waiting.push_back(content.to_vec());
        self.stats.records_opened += 1;
    }
}
