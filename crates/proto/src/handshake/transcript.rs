//! The transcript of a handshake (RFC 5246 §7.4.9, RFC 6347 §4.2.6, RFC 9846 §4.4.1, RFC 9147 §5.2).
//!
//! A running hash, never a rehash. DTLS 1.2 hashes each message with its DTLS header, as if it had
//! not been fragmented; the first ClientHello and the HelloVerifyRequest are left out
//! (RFC 6347 §4.2.1). 1.3 hashes type, length and body, as TLS does.

use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::{HandshakeHeader, HandshakeType};

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

/// The messages of a 1.2 handshake so far.
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

/// The messages of a 1.3 handshake so far.
pub(super) struct Transcript13(Box<dyn HashContext>);

impl Transcript13 {
    /// Bytes of the header that count: type and length.
    const HEADER_LEN: usize = 4;

    pub(super) fn new(hash: &dyn Hash) -> Self {
        Self(hash.start())
    }

    /// Begins with a HelloRetryRequest and, in place of the hello that it answers, a message with its
    /// hash (RFC 9846 §4.4.1).
    pub(super) fn after_retry(hash: &dyn Hash, first_hello: &[u8], request: &Message) -> Self {
        let mut first = Self::new(hash);
        first.add_bytes(first_hello);
        let digest = first.digest();
        let mut transcript = Self::new(hash);
        let len = u8::try_from(digest.as_ref().len()).unwrap_or(u8::MAX);
        transcript.0.update(&[HandshakeType::MESSAGE_HASH.0, 0, 0, len]);
        transcript.0.update(digest.as_ref());
        transcript.add(request);
        transcript
    }

    pub(super) fn add(&mut self, message: &Message) {
        self.add_bytes(message.bytes());
    }

    /// Adds an encoded message, header included.
    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        // RFC 9147 §5.2: without what DTLS adds to the header.
        self.0.update(bytes.get(..Self::HEADER_LEN).unwrap_or_default());
        self.0.update(bytes.get(HandshakeHeader::LEN..).unwrap_or_default());
    }

    /// The hash of all messages so far.
    pub(super) fn digest(&self) -> Digest {
        self.0.current()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use gramseal_wire::Epoch;

    use super::Transcript13;
    use crate::crypto::test_hash::SHA256;
    use crate::message::Message;

    fn message(hex: &str) -> Message {
        let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect();
        Message::new(Epoch(0), bytes).expect("a message")
    }

    /// The hellos of the handshake recorded at dtls.xargs.org.
    const HELLOS: [&str; 2] = [
        "\
        010000910000000000000091fefde0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff00000006\
        13011302130301000061003300260024001d0020358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd16\
        6254002b000302fefc000d0020001e06030503040302030806080b0805080a08040809060105010401030102010016000000\
        0a00040002001d",
        "\
        020000560000000000000056fefd707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f00130100\
        002e00330024001d00209fd7ad6dcff4298dd3f96d5b1b2af910a0535b1488d7f8fabb349a982880b615002b0002fefc",
    ];

    #[test] // RFC 9147 §5.2
    fn the_transcript_of_1_3_leaves_out_what_dtls_adds() {
        let mut transcript = Transcript13::new(&SHA256);
        for hello in HELLOS {
            transcript.add(&message(hello));
        }
        let expected = "aee8eba0d2ee87052fbbc6864c1514c5a927d6f0ffb4f7954c7f379d95f1b1d7";
        let digest: String = transcript.digest().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, expected);
    }
}
