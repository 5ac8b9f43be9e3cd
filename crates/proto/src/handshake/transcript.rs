//! The transcript of a 1.2 handshake (RFC 5246 §7.4.9, RFC 6347 §4.2.6).
//!
//! A running hash, never a rehash. DTLS 1.2 hashes each message with its DTLS header, as if it had
//! not been fragmented; the first ClientHello and the HelloVerifyRequest are left out
//! (RFC 6347 §4.2.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::crypto::{Digest, Hash, HashContext};
use crate::message::Message;

/// Whether the messages themselves are kept beside their hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// CertificateVerify signs all messages so far with a hash of its own (RFC 5246 §7.4.8), so
    /// they are needed where the client may authenticate.
    Messages,
    HashOnly,
}

/// The messages so far.
pub(super) struct Transcript {
    hash: Box<dyn HashContext>,
    messages: Option<Vec<u8>>,
}

impl Transcript {
    pub(super) fn new(hash: &dyn Hash, keep: Keep) -> Self {
        Self { hash: hash.start(), messages: (keep == Keep::Messages).then(Vec::new) }
    }

    pub(super) fn add(&mut self, message: &Message) {
        self.add_bytes(message.bytes());
    }

    /// Adds an encoded message, header included.
    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        if let Some(messages) = &mut self.messages {
            messages.extend_from_slice(bytes);
        }
    }

    /// The hash of all messages so far.
    pub(super) fn digest(&self) -> Digest {
        self.hash.current()
    }

    /// All messages so far, for CertificateVerify; empty once forgotten.
    pub(super) fn messages(&self) -> &[u8] {
        self.messages.as_deref().unwrap_or_default()
    }

    /// No CertificateVerify will come: only the hash is needed from here.
    pub(super) fn forget_messages(&mut self) {
        self.messages = None;
    }
}
