//! What a client's hello says that nobody asks a server about.

use gramseal_proto::wire::extension::{Alpn, SupportedVersionsClientHello};
use gramseal_proto::wire::handshake::ClientHello;
use gramseal_proto::wire::{
    Codec, ContentType, ExtensionType, Fragment, HandshakeType, ProtocolVersion, RecordHeader, Records,
};

/// The first ClientHello, put together from its fragments, which the runner sends in order.
#[derive(Debug, Default)]
pub(crate) struct Greeting(Vec<u8>);

impl Greeting {
    /// Keeps what `datagram` has of it.
    pub(crate) fn receive(&mut self, datagram: &[u8]) {
        for record in Records::new(datagram, 0).map_while(Result::ok) {
            let RecordHeader::Plaintext(header) = record.header else { return };
            if header.content_type != ContentType::HANDSHAKE {
                continue;
            }
            let Ok(fragment) = Fragment::from_bytes(record.body) else { return };
            let next = usize::try_from(fragment.fragment_offset) == Ok(self.0.len());
            if fragment.msg_type == HandshakeType::CLIENT_HELLO && fragment.message_seq.0 == 0 && next {
                self.0.extend_from_slice(fragment.body);
            }
        }
    }

    /// Whether it is there, and offers nothing newer than 1.2.
    pub(crate) fn is_of_12(&self) -> bool {
        let Ok(hello) = ClientHello::from_bytes(&self.0) else { return false };
        let supported = hello.extensions.find::<SupportedVersionsClientHello<'_>>();
        supported.is_ok_and(|found| found.is_none_or(|it| !it.versions.contains(&ProtocolVersion::DTLS1_3)))
    }

    /// The application protocols that it offers, as they go over the wire: a byte of length before each.
    pub(crate) fn protocols(&self) -> Option<Vec<u8>> {
        let hello = ClientHello::from_bytes(&self.0).ok()?;
        let _readable: Alpn<'_> = hello.extensions.find().ok()??;
        let list = hello.extensions.get(ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION)?;
        list.get(2..).map(<[u8]>::to_vec)
    }
}
