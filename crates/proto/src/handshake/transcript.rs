//! The transcript of a handshake (RFC 5246 §7.4.9, RFC 6347 §4.2.6, RFC 9846 §4.1, RFC 9147 §5.2).
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
    /// hash (RFC 9846 §4.1).
    pub(super) fn after_retry(hash: &dyn Hash, first_hello: &[u8], request: &Message) -> Self {
        let mut first = Self::new(hash);
        first.add_bytes(first_hello);
        Self::after_hashed(hash, &first.digest(), request)
    }

    /// The same where only the hash of the hello is known.
    pub(super) fn after_hashed(hash: &dyn Hash, first_hello: &Digest, request: &Message) -> Self {
        let mut transcript = Self::new(hash);
        let len = u8::try_from(first_hello.as_ref().len()).unwrap_or(u8::MAX);
        transcript.0.update(&[HandshakeType::MESSAGE_HASH.0, 0, 0, len]);
        transcript.0.update(first_hello.as_ref());
        transcript.add(request);
        transcript
    }

    /// The hash of a ClientHello alone, from its body.
    pub(super) fn hash_of_hello(hash: &dyn Hash, body: &[u8]) -> Digest {
        let [_, len @ ..] = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
        hash.digest(&[&[HandshakeType::CLIENT_HELLO.0], &len, body])
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

    /// The hash of what came `before`, if anything, and of one more encoded message without its last
    /// `cut` bytes (RFC 9846 §4.3.11.2).
    pub(super) fn digest_of_cut(hash: &dyn Hash, before: Option<&Self>, bytes: &[u8], cut: usize) -> Digest {
        let mut transcript = before.map_or_else(|| Self::new(hash), Self::fork);
        transcript.add_bytes(bytes.get(..bytes.len().saturating_sub(cut)).unwrap_or_default());
        transcript.digest()
    }

    /// A second transcript of the same messages.
    pub(super) fn fork(&self) -> Self {
        Self(self.0.fork())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use gramseal_wire::Epoch;

    use super::Transcript13;
    use crate::crypto::test_hash::SHA256;
    use crate::crypto::test_hex::unhex;
    use crate::message::Message;

    fn message(digits: &str) -> Message {
        Message::new(Epoch(0), unhex(digits)).expect("a message")
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

    /// The hello of RFC 8448 §4 up to its binders, with what DTLS adds to the header.
    const RESUMING: &str = "\
        010001fc00000000000001fc03031bc3ceb6bbe39cff938355b5a50adb6db21b7a6af649d7b4bc419d7876487d9500000613\
        0113031302010001cd0000000b0009000006736572766572ff01000100000a00140012001d00170018001901000101010201\
        030104003300260024001d0020e4ffb68ac05f8d96c99da26698346c6be16482badddafe051a66b4f18d668f0b002a000000\
        2b0003020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d00020101001c\
        0002400100150057000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
        000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000002900dd00\
        b800b22c035d829359ee5ff7af4ec900000000262a6494dc486d2c8a34cb33fa90bf1b0070ad3c498883c9367c09a2be785a\
        bc55cd226097a3a982117283f82a03a143efd3ff5dd36d64e861be7fd61d2827db279cce145077d454a3664d4e6da4d29ee0\
        3725a6a4dafcd0fc67d2aea70529513e3da2677fa5906c5b3f7d8f92f228bda40dda721470f9fbf297b5aea617646fac5c03\
        272e970727c621a79141ef5f7de6505e5bfbc388e93343694093934ae4d357fad6aacb";

    #[test] // RFC 9846 §4.3.11.2
    fn a_binder_covers_the_hello_without_the_binders() {
        let cut = 35;
        let hello = [RESUMING, &"5a".repeat(cut)].concat();
        let hello = message(&hello);
        let digest = |before: Option<&Transcript13>| -> String {
            let digest = Transcript13::digest_of_cut(&SHA256, before, hello.bytes(), cut);
            digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(digest(None), "63224b2e4573f2d3454ca84b9d009a04f6be9e05711a8396473aefa01e924a14");
        let before = Transcript13::after_retry(&SHA256, message(HELLOS[0]).bytes(), &message(HELLOS[1]));
        assert_ne!(digest(Some(&before)), digest(None));
        assert_eq!(digest(Some(&before)), digest(Some(&before)), "the transcript stays as it is");
    }
}
