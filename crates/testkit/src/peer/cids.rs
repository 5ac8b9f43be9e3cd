//! Connection ids of a scripted peer, in either version (RFC 9146, RFC 9147 §9).

use gramseal_wire::{ClientHello, Codec, ConnectionId, ExtensionType, HandshakeType, ServerHello, Writer};

/// Whose ids are in records. None are spoken of unless a test says so.
#[derive(Debug, Default)]
pub(super) struct Cids {
    /// What this side wants in the records to it, if it speaks of ids; perhaps nothing.
    own: Option<Vec<u8>>,
    /// What the other side says that it wants in the records to it.
    wanted: Vec<u8>,
}

impl Cids {
    pub(super) fn speak_of(&mut self, own: &[u8]) {
        self.own = Some(own.to_vec());
    }

    /// How long the ids are in the records to this side.
    pub(super) fn own_len(&self) -> usize {
        self.own.as_ref().map_or(0, Vec::len)
    }

    /// What this side puts into its records.
    pub(super) fn of_peer(&self) -> &[u8] {
        if self.own.is_some() { &self.wanted } else { &[] }
    }

    /// The extensions of a hello.
    pub(super) fn extensions(&self, w: &mut Writer<'_>) {
        if let Some(own) = &self.own {
            w.u16(ExtensionType::CONNECTION_ID.0);
            w.vec16(|w| w.vec8(|w| w.bytes(own)));
            w.u16(ExtensionType::RRC.0);
            w.vec16(|_| ());
        }
    }

    /// Takes what the other side wants from a hello of it.
    pub(super) fn learn(&mut self, msg_type: HandshakeType, body: &[u8]) {
        let extensions = match msg_type {
            HandshakeType::CLIENT_HELLO => ClientHello::from_bytes(body).map(|hello| hello.extensions),
            HandshakeType::SERVER_HELLO => ServerHello::from_bytes(body).map(|hello| hello.extensions),
            _ => return,
        };
        let Ok(extensions) = extensions else { return };
        if let Ok(Some(ConnectionId { cid })) = extensions.find() {
            self.wanted = cid.to_vec();
        }
    }
}
