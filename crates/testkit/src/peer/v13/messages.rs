//! The bodies of the messages that a scripted peer of 1.3 sends.

use gramseal_proto::crypto::SigningKey;
use gramseal_wire::{
    CipherSuite, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, Random, SignatureScheme, Writer,
};

use super::super::messages::write;
use super::Peer13;
use crate::null::{CLIENT_NAME, NullKey, SERVER_NAME, SeededRandom, ToyKind, certificate};
use crate::sim::Side;

const SUITE: CipherSuite = CipherSuite::TLS_AES_128_GCM_SHA256;
const SCHEME: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;

impl Peer13 {
    /// The body that a message of this type has at this point. What nobody sends within a handshake is filled with
    /// something that can be read.
    pub(super) fn body(&self, msg_type: HandshakeType) -> Vec<u8> {
        match msg_type {
            HandshakeType::CLIENT_HELLO => self.client_hello(),
            HandshakeType::SERVER_HELLO => self.server_hello(),
            HandshakeType::ENCRYPTED_EXTENSIONS => self.encrypted_extensions(),
            HandshakeType::CERTIFICATE_REQUEST => write(|w| {
                w.vec8(|_| ());
                w.vec16(|w| {
                    extension(w, ExtensionType::SIGNATURE_ALGORITHMS, |w| w.vec16(|w| w.u16(SCHEME.0)));
                    self.compression_extension(w);
                });
            }),
            HandshakeType::CERTIFICATE => self.certificate(),
            HandshakeType::COMPRESSED_CERTIFICATE => self.compressed_certificate(&self.certificate()),
            HandshakeType::CERTIFICATE_VERIFY => self.certificate_verify(&key(), SCHEME),
            HandshakeType::FINISHED => self.verify_data(),
            HandshakeType::NEW_SESSION_TICKET => write(|w| {
                w.u32(3600);
                w.u32(7);
                w.vec8(|w| w.bytes(b"nonce"));
                w.vec16(|w| w.bytes(b"ticket"));
                w.vec16(|w| {
                    if self.extras.early_data {
                        extension(w, ExtensionType::EARLY_DATA, |w| w.u32(1000));
                    }
                });
            }),
            HandshakeType::KEY_UPDATE => vec![0],
            HandshakeType::REQUEST_CONNECTION_ID => vec![1],
            HandshakeType::NEW_CONNECTION_ID => write(|w| {
                w.vec16(|w| w.vec8(|w| w.bytes(b"id")));
                w.u8(1);
            }),
            HandshakeType::HELLO_VERIFY_REQUEST => write(|w| {
                w.u16(ProtocolVersion::DTLS1_0.0);
                w.vec8(|w| w.bytes(b"the scripted peer's cookie"));
            }),
            _ => Vec::new(),
        }
    }

    fn client_hello(&self) -> Vec<u8> {
        let hello = write(|w| {
            w.u16(ProtocolVersion::DTLS1_2.0);
            w.bytes(&self.random);
            w.vec8(|_| ());
            w.vec8(|_| ());
            w.vec16(|w| w.u16(SUITE.0));
            w.vec8(|w| w.u8(0));
            w.vec16(|w| {
                extension(w, ExtensionType::SUPPORTED_VERSIONS, |w| w.vec8(|w| w.u16(ProtocolVersion::DTLS1_3.0)));
                extension(w, ExtensionType::SUPPORTED_GROUPS, |w| {
                    let mut groups = vec![NamedGroup::X25519, NamedGroup::SECP256R1];
                    groups.extend([self.group].into_iter().filter(|group| group.0 > 0x1000));
                    w.vec16(|w| groups.iter().for_each(|group| w.u16(group.0)));
                });
                extension(w, ExtensionType::SIGNATURE_ALGORITHMS, |w| w.vec16(|w| w.u16(SCHEME.0)));
                extension(w, ExtensionType::KEY_SHARE, |w| w.vec16(|w| self.share(w)));
                if self.offers_later {
                    extension(w, ExtensionType::POST_HANDSHAKE_AUTH, |_| ());
                }
                if let Some(cookie) = &self.cookie {
                    extension(w, ExtensionType::COOKIE, |w| w.vec16(|w| w.bytes(cookie)));
                }
                self.cids.extensions(w);
                self.extra_offers(w);
                self.offered_keys(w);
            });
        });
        self.bind(hello)
    }

    fn server_hello(&self) -> Vec<u8> {
        hello(self.random, |w| {
            if !self.extras.key_alone {
                extension(w, ExtensionType::KEY_SHARE, |w| self.share(w));
            }
            if let Some((_, selected)) = self.psk {
                extension(w, ExtensionType::PRE_SHARED_KEY, |w| w.u16(selected));
            }
            self.cids.extensions(w);
        })
    }

    fn share(&self, w: &mut Writer<'_>) {
        w.u16(self.group.0);
        w.vec16(|w| w.bytes(&self.own_share));
    }

    fn certificate(&self) -> Vec<u8> {
        let name = if self.side == Side::Client { CLIENT_NAME } else { SERVER_NAME };
        match key().public_key().filter(|_| self.extras.raw_keys) {
            Some(public) => certificate_message(&public),
            None => certificate_message(&certificate(name, &key(), 0)),
        }
    }

    /// A CertificateVerify for this moment, by a key of the test's choice.
    ///
    /// # Panics
    /// If the key does not sign with `scheme`.
    #[must_use]
    pub fn certificate_verify(&self, key: &NullKey, scheme: SignatureScheme) -> Vec<u8> {
        self.signed(self.side, key, scheme)
    }

    /// The CertificateVerify that `side` would send, by an ECDSA key.
    ///
    /// # Panics
    /// If the key is of another kind.
    #[must_use]
    pub fn certificate_verify_as(&self, side: Side, key: &NullKey) -> Vec<u8> {
        self.signed(side, key, SCHEME)
    }

    fn signed(&self, side: Side, key: &NullKey, scheme: SignatureScheme) -> Vec<u8> {
        let context = match side {
            Side::Client => b"TLS 1.3, client CertificateVerify",
            Side::Server => b"TLS 1.3, server CertificateVerify",
        };
        let signed = [&[b' '; 64][..], context, &[0], &self.suite.digest(&self.transcript)].concat();
        let signature = key.sign(scheme, &signed, &SeededRandom::new(0)).now().expect("a local key answers at once");
        let signature = signature.expect("a scheme of the key");
        write(|w| {
            w.u16(scheme.0);
            w.vec16(|w| w.bytes(&signature));
        })
    }
}

/// A HelloRetryRequest that asks for a share of `group` and for `cookie`.
pub(super) fn retry(group: Option<NamedGroup>, cookie: Option<&[u8]>) -> Vec<u8> {
    hello(Random::HELLO_RETRY_REQUEST.0, |w| {
        if let Some(group) = group {
            extension(w, ExtensionType::KEY_SHARE, |w| w.u16(group.0));
        }
        if let Some(cookie) = cookie {
            extension(w, ExtensionType::COOKIE, |w| w.vec16(|w| w.bytes(cookie)));
        }
    })
}

/// A Certificate message that shows `certificate` alone.
pub(super) fn certificate_message(certificate: &[u8]) -> Vec<u8> {
    write(|w| {
        w.vec8(|_| ());
        w.vec24(|w| {
            w.vec24(|w| w.bytes(certificate));
            w.vec16(|_| ());
        });
    })
}

fn hello(random: [u8; 32], extensions: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    write(|w| {
        w.u16(ProtocolVersion::DTLS1_2.0);
        w.bytes(&random);
        w.vec8(|_| ());
        w.u16(SUITE.0);
        w.u8(0);
        w.vec16(|w| {
            extension(w, ExtensionType::SUPPORTED_VERSIONS, |w| w.u16(ProtocolVersion::DTLS1_3.0));
            extensions(w);
        });
    })
}

pub(super) fn extension(w: &mut Writer<'_>, extension_type: ExtensionType, body: impl FnOnce(&mut Writer<'_>)) {
    w.u16(extension_type.0);
    w.vec16(body);
}

fn key() -> NullKey {
    NullKey::new(ToyKind::EcdsaP256, 1)
}
