//! The bodies of the messages a scripted peer sends.

use gramseal_proto::crypto::SigningKey;
use gramseal_wire::{
    CertificateType, ContentType, ExtensionType, HandshakeType, ProtocolVersion, SignatureScheme, Writer,
};

use super::Peer;
use crate::null::{CLIENT_NAME, NullKey, SERVER_NAME, SeededRandom, ToyKind, certificate};
use crate::sim::Side;

const SCHEME: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;

/// The extensions that say which forms of credentials a side has, the client's and the server's.
pub(super) const FORMS: [ExtensionType; 2] =
    [ExtensionType::CLIENT_CERTIFICATE_TYPE, ExtensionType::SERVER_CERTIFICATE_TYPE];

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
            HandshakeType::CERTIFICATE_STATUS => match &self.shown.status {
                Some(status) => write(|w| {
                    w.u8(1);
                    w.vec24(|w| w.bytes(status));
                }),
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn client_hello(&self) -> Vec<u8> {
        write(|w| {
            w.u16(ProtocolVersion::DTLS1_2.0);
            w.bytes(&self.randoms[0]);
            w.vec8(|w| w.bytes(&self.session.id));
            w.vec8(|w| w.bytes(&self.cookie));
            w.vec16(|w| w.u16(self.exchange.suite().0));
            w.vec8(|w| w.u8(0));
            w.vec16(|w| {
                common_extensions(w);
                let (group, scheme) = (self.exchange.group(), self.exchange.scheme());
                extension(w, ExtensionType::SUPPORTED_GROUPS, |w| w.vec16(|w| w.u16(group.0)));
                extension(w, ExtensionType::SIGNATURE_ALGORITHMS, |w| w.vec16(|w| w.u16(scheme.0)));
                for form in FORMS.iter().filter(|_| self.shown.raw_keys) {
                    extension(w, *form, |w| w.vec8(|w| w.u8(CertificateType::RAW_PUBLIC_KEY.0)));
                }
                self.session_ticket(w);
                self.cids.extensions(w);
            });
        })
    }

    fn server_hello(&self) -> Vec<u8> {
        write(|w| {
            w.u16(ProtocolVersion::DTLS1_2.0);
            w.bytes(&self.randoms[1]);
            let resumes = self.session.resumed.is_some();
            w.vec8(|w| w.bytes(if resumes { &self.session.peer_id } else { &self.session.id }));
            w.u16(self.exchange.suite().0);
            w.u8(0);
            w.vec16(|w| {
                common_extensions(w);
                for form in FORMS.iter().filter(|_| self.shown.raw_keys) {
                    extension(w, *form, |w| w.u8(CertificateType::RAW_PUBLIC_KEY.0));
                }
                if self.shown.status.is_some() {
                    extension(w, ExtensionType::STATUS_REQUEST, |_| ());
                }
                self.session_ticket(w);
                self.cids.extensions(w);
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
        let key = self.exchange.key();
        if self.shown.raw_keys {
            let public = key.public_key().expect("toy keys tell their public half");
            return write(|w| w.vec24(|w| w.bytes(&public)));
        }
        let certificate = certificate(name, &key, 0);
        write(|w| w.vec24(|w| w.vec24(|w| w.bytes(&certificate))))
    }

    fn certificate_verify(&self) -> Vec<u8> {
        signed_by(&NullKey::new(ToyKind::EcdsaP256, 1), SCHEME, &self.transcript)
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

/// The signature by `key` with its scheme.
pub(super) fn signed_by(key: &NullKey, scheme: SignatureScheme, message: &[u8]) -> Vec<u8> {
    let signature = key.sign(scheme, message, &SeededRandom::new(0)).now().expect("a local key answers at once");
    let signature = signature.expect("a scheme of the key");
    write(|w| {
        w.u16(scheme.0);
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
