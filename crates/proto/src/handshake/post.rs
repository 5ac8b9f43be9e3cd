//! What comes after a handshake of 1.3: numbering our messages, and the secrets that updated keys are
//! made of. How clients authenticate themselves is in `later`.
//!
//! Of the traffic secrets the latest of each side is kept, and those of the peer's before it as long as their keys are
//! (RFC 9846 §7.2). When keys change,
//! and how messages arrive, is not known here. RFC 9846 §4.7, RFC 9147 §8.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use gramseal_wire::handshake::{KeyUpdate, KeyUpdateRequest};
use gramseal_wire::{Codec, DecodeError, Epoch, HandshakeMessage, Random};

use super::LoggedSecret;
use super::auth13::Signer;
use super::compose::OutgoingSeq;
use super::later::Later;
use super::schedule13::{TrafficSecret, TrafficSecrets};
use crate::crypto::{AeadAlgorithm, CryptoProvider, RecordKeys13};
use crate::error::{Error, PeerFault};
use crate::message::Message;

/// What one side goes on with after the handshake. Wiped when dropped.
pub(crate) struct PostHandshake {
    pub(super) seq: OutgoingSeq,
    /// Which side this is.
    pub(super) side: Signer,
    pub(super) secrets: TrafficSecrets,
    pub(super) algorithm: AeadAlgorithm,
    pub(super) client_random: Random,
    /// Those that the peer wrote with before and whose records can still be read, oldest first.
    pub(super) previous: Vec<(Epoch, TrafficSecret)>,
    /// What authenticating the client takes, if it offered that.
    pub(super) later: Option<Box<Later>>,
}

/// The keys of a new epoch.
pub(crate) struct Updated {
    pub(crate) keys: RecordKeys13,
    pub(crate) logged: LoggedSecret,
}

impl PostHandshake {
    /// With the secrets of epoch 3; our next message is the one that `seq` says.
    pub(super) fn new(
        side: Signer,
        seq: OutgoingSeq,
        secrets: TrafficSecrets,
        algorithm: AeadAlgorithm,
        client_random: Random,
    ) -> Self {
        Self { seq, side, secrets, algorithm, client_random, previous: Vec::new(), later: None }
    }

    /// With the secret of the epoch of the handshake, in which the client may repeat its last flight.
    pub(super) fn with_previous(mut self, secret: TrafficSecret) -> Self {
        self.previous = Vec::from([(Epoch::HANDSHAKE, secret)]);
        self
    }

    /// The client can be asked for a certificate.
    pub(super) fn with_later(self, later: Option<Later>) -> Self {
        Self { later: later.map(Box::new), ..self }
    }

    /// Encodes `body` as our next message. In which epoch it goes out is decided when it does.
    ///
    /// # Errors
    /// If the numbers are used up, which must not wrap (rfc9147bis §5.2), or `body` does not encode.
    pub(crate) fn message<'a, B: HandshakeMessage<'a>>(&mut self, body: &B) -> Result<Message, Error> {
        self.seq.message(Epoch::APPLICATION, body)
    }

    /// The keys of the newest epochs once more: those we read with, and those we write with.
    pub(crate) fn current_keys(&self, provider: &CryptoProvider) -> Result<[RecordKeys13; 2], Error> {
        let TrafficSecrets { client, server } = &self.secrets;
        let [read, write] = match self.side {
            Signer::Client => [server, client],
            Signer::Server => [client, server],
        };
        Ok([read.record_keys(self.algorithm, provider)?, write.record_keys(self.algorithm, provider)?])
    }

    /// What the peer writes with from `epoch` on.
    pub(crate) fn update_read(&mut self, epoch: Epoch, provider: &CryptoProvider) -> Result<Updated, Error> {
        let secret = match self.side {
            Signer::Client => &mut self.secrets.server,
            Signer::Server => &mut self.secrets.client,
        };
        let other = match self.side {
            Signer::Client => "SERVER",
            Signer::Server => "CLIENT",
        };
        let (updated, previous) = update(secret, other, epoch, self.algorithm, &self.client_random, provider)?;
        // No more than there are epochs beside the newest one.
        if self.previous.len() >= 2 {
            self.previous.remove(0);
        }
        self.previous.push((Epoch(epoch.0.saturating_sub(1)), previous));
        Ok(updated)
    }

    /// No record before `epoch` is read any more.
    pub(crate) fn forget_read_before(&mut self, epoch: Epoch) {
        self.previous.retain(|(previous, _)| *previous >= epoch);
        if self.previous.is_empty() {
            self.previous = Vec::new();
        }
    }

    /// What we write with from `epoch` on.
    pub(crate) fn update_write(&mut self, epoch: Epoch, provider: &CryptoProvider) -> Result<Updated, Error> {
        let (secret, own) = match self.side {
            Signer::Client => (&mut self.secrets.client, "CLIENT"),
            Signer::Server => (&mut self.secrets.server, "SERVER"),
        };
        let (updated, _) = update(secret, own, epoch, self.algorithm, &self.client_random, provider)?;
        Ok(updated)
    }
}

/// Replaces `secret` by the one that follows (RFC 9846 §7.2), and gives it back.
fn update(
    secret: &mut TrafficSecret,
    side: &str,
    epoch: Epoch,
    algorithm: AeadAlgorithm,
    client_random: &Random,
    provider: &CryptoProvider,
) -> Result<(Updated, TrafficSecret), Error> {
    let next = secret.next();
    let keys = next.record_keys(algorithm, provider)?;
    // RFC 9147 §6.1: epoch 3 is that of the secret with number 0.
    let number = epoch.0.saturating_sub(Epoch::APPLICATION.0);
    let logged = next.logged(format!("{side}_TRAFFIC_SECRET_{number}"), client_random);
    Ok((Updated { keys, logged }, core::mem::replace(secret, next)))
}

/// Whether the peer asks us, with a KeyUpdate, to update our keys too.
pub(crate) fn read_key_update(message: &Message) -> Result<KeyUpdateRequest, Error> {
    match KeyUpdate::from_bytes(message.body()) {
        Ok(update) => Ok(update.request_update),
        // RFC 9846 §4.7.3
        Err(DecodeError::IllegalValue) => Err(PeerFault::BadKeyUpdateRequest.into()),
        Err(error) => Err(error.into()),
    }
}
