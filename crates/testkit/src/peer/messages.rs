//! The bodies of the messages a scripted peer sends.

use gramseal_proto::crypto::SigningKey;
use gramseal_wire::{
    CipherSuite, ContentType, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme, Writer,
};

use super::Peer;
use crate::null::{CLIENT_NAME, NullKey, SERVER_NAME, SeededRandom, ToyKind, certificate};
use crate::sim::Side;

pub(super) const SUITE: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
pub(super) const GROUP: NamedGroup = NamedGroup::X25519;
const SCHEME: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;

impl Peer {
    /// The body that a message of this type has at this point. What this side never sends is
    /// filled with something that can be read.
    pub(super) fn body(&mut self, msg_type: HandshakeType) -> Vec<u8> {
        match msg_type {
            HandshakeType::CLIENT_HELLO => self.client_hello(),
            HandshakeType::HELLO_VERIFY_REQUEST => write(|w| {
                w.u16(ProtocolVersion::DTLS1_0.0);
                w.vec8(|w| w.bytes(b"the scripted peer's cookie"));
            }),
            HandshakeType::SERVER_HELLO => self.server_hello(),
            HandshakeType::CERTIFICATE => self.certificate(),
            HandshakeType::SERVER_KEY_EXCHANGE => self.server_key_exchange(),
            HandshakeType::CERTIFICATE_REQUEST => certificate_request(),
            HandshakeType::CLIENT_KEY_EXCHANGE => self.client_key_exchange(),
            HandshakeType::CERTIFICATE_VERIFY => self.certificate_verify(),
            HandshakeType::FINISHED => {
                let (side, transcript) = (self.side, self.transcript.clone());
                self.keys().verify_data(side, &transcript)
            }
            HandshakeType::NEW_SESSION_TICKET => write(|w| {
                w.u32(3600);
                w.vec16(|w| w.bytes(b"ticket"));
            }),
            _ => Vec::new(),
        }
    }

    fn client_hello(&self) -> Vec<u8> {
        write(|w| {
            w.u16(ProtocolVersion::DTLS1_2.0);
            w.bytes(&self.randoms[0]);
            w.vec8(|w| w.bytes(&self.session.id));
            w.vec8(|w| w.bytes(&self.cookie));
            w.vec16(|w| w.u16(SUITE.0));
            w.vec8(|w| w.u8(0));
            w.vec16(|w| {
                common_extensions(w);
                extension(w, ExtensionType::SUPPORTED_GROUPS, |w| w.vec16(|w| w.u16(GROUP.0)));
                extension(w, ExtensionType::SIGNATURE_ALGORITHMS, |w| w.vec16(|w| w.u16(SCHEME.0)));
                self.session_ticket(w);
            });
        })
    }

    fn server_hello(&self) -> Vec<u8> {
        write(|w| {
            w.u16(ProtocolVersion::DTLS1_2.0);
            w.bytes(&self.randoms[1]);
            let resumes = self.session.resumed.is_some();
            w.vec8(|w| w.bytes(if resumes { &self.session.peer_id } else { &self.session.id }));
            w.u16(SUITE.0);
            w.u8(0);
            w.vec16(|w| {
                common_extensions(w);
                self.session_ticket(w);
            });
        })
    }

    fn session_ticket(&self, w: &mut Writer<'_>) {
        if let Some(ticket) = &self.session.ticket {
            extension(w, ExtensionType::SESSION_TICKET, |w| w.bytes(ticket));
        }
    }

    fn certificate(&self) -> Vec<u8> {
        let name = if self.side == Side::Client { CLIENT_NAME } else { SERVER_NAME };
        let certificate = certificate(name, &key(), 0);
        write(|w| w.vec24(|w| w.vec24(|w| w.bytes(&certificate))))
    }

    fn server_key_exchange(&self) -> Vec<u8> {
        let params = write(|w| {
            w.u8(3);
            w.u16(GROUP.0);
            w.vec8(|w| w.bytes(self.share()));
        });
        let signed = signed(&[&self.randoms[0][..], &self.randoms[1], &params].concat());
        [params, signed].concat()
    }

    fn client_key_exchange(&self) -> Vec<u8> {
        write(|w| w.vec8(|w| w.bytes(self.share())))
    }

    fn certificate_verify(&self) -> Vec<u8> {
        signed(&self.transcript)
    }
}

fn certificate_request() -> Vec<u8> {
    write(|w| {
        w.vec8(|w| w.bytes(&[64, 1]));
        w.vec16(|w| w.u16(SCHEME.0));
        w.vec16(|_| ());
    })
}

fn common_extensions(w: &mut Writer<'_>) {
    extension(w, ExtensionType::EXTENDED_MASTER_SECRET, |_| ());
    extension(w, ExtensionType::RENEGOTIATION_INFO, |w| w.vec8(|_| ()));
    extension(w, ExtensionType::EC_POINT_FORMATS, |w| w.vec8(|w| w.u8(0)));
}

fn extension(w: &mut Writer<'_>, extension_type: ExtensionType, body: impl FnOnce(&mut Writer<'_>)) {
    w.u16(extension_type.0);
    w.vec16(body);
}

fn key() -> NullKey {
    NullKey::new(ToyKind::EcdsaP256, 1)
}

fn signed(message: &[u8]) -> Vec<u8> {
    let signature = key()
        .sign(SCHEME, message, &SeededRandom::new(0))
        .now()
        .expect("a local key answers at once")
        .expect("a scheme of the key");
    write(|w| {
        w.u16(SCHEME.0);
        w.vec16(|w| w.bytes(&signature));
    })
}

pub(super) fn write(body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut w = Writer::new(&mut bytes);
    body(&mut w);
    w.finish().expect("everything fits its length field");
    bytes
}

/// The content type of everything in a handshake but ChangeCipherSpec.
pub(super) const HANDSHAKE: ContentType = ContentType::HANDSHAKE;
