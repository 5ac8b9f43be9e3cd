//! What a scripted peer of 1.3 says beside the plain handshake: pre-shared keys and tickets, early data, forms of
//! credentials and compression.

use std::sync::Arc;

use gramseal_proto::config::CertificateCompression;
use gramseal_wire::{
    CertificateType, Codec, CompressedCertificate, ExtensionType, HandshakeType, NewSessionTicket13,
    PreSharedKeyServerHello, PskKeyExchangeMode, ServerHello, Writer,
};

use super::super::messages::{FORMS, write};
use super::messages::extension;
use super::{EARLY, Peer13};
use crate::sim::Side;

/// All of that; nothing unless a test says so.
#[derive(Default)]
pub(super) struct Extras {
    offered: Option<Offered>,
    /// No key exchange goes with the key.
    pub(super) key_alone: bool,
    /// As client, announces early data; as server, takes it.
    pub(super) early_data: bool,
    pub(super) raw_keys: bool,
    wants_tickets: bool,
    compression: Option<Arc<dyn CertificateCompression>>,
    /// How long the transcript was behind the client's Finished.
    pub(super) until_finished: Option<usize>,
}

/// A pre-shared key as a client offers it.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests make their own")]
pub struct Offered {
    /// What it is called: a name, or a ticket.
    pub identity: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
    /// What is added to the age of a ticket; 0 for other keys.
    pub age_add: u32,
    /// Whether it is from a ticket.
    pub resumes: bool,
}

impl Peer13 {
    /// Offers a key, as client.
    pub fn offer(&mut self, offered: Offered) {
        self.extras.offered = Some(offered);
    }

    /// Lets the pre-shared key do without a key exchange (`psk_ke`), as either side.
    pub const fn use_key_alone(&mut self) {
        self.extras.key_alone = true;
    }

    /// Announces early data, as client with a key; takes it, as server.
    pub const fn use_early_data(&mut self) {
        self.extras.early_data = true;
    }

    /// Lets a server know, as client, that tickets are of use (RFC 9846 §4.3.9).
    pub const fn ask_for_tickets(&mut self) {
        self.extras.wants_tickets = true;
    }

    /// Shows raw public keys in place of certificates and wants the same of the other side (RFC 7250).
    pub const fn show_raw_keys(&mut self) {
        self.extras.raw_keys = true;
    }

    /// Lets certificates be compressed, and compresses its own if it is told to say CompressedCertificate (RFC 8879).
    pub fn compress(&mut self, compression: Arc<dyn CertificateCompression>) {
        self.extras.compression = Some(compression);
    }

    /// The key of a ticket with this nonce, sent or received in this connection (RFC 9846 §4.7.1).
    ///
    /// # Panics
    /// Before the client's Finished.
    #[must_use]
    pub fn ticket_key(&self, nonce: &[u8]) -> Vec<u8> {
        let until = self.extras.until_finished.expect("the handshake is done");
        let main = self.suite.main_secret(self.handshake_secret.as_deref().unwrap_or_default());
        self.suite.ticket_key(&main, &self.transcript[..until], nonce)
    }

    /// The latest ticket that came, as a client offers it.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn ticket(&self) -> Offered {
        let is_ticket = |message: &&super::Received| message.msg_type == HandshakeType::NEW_SESSION_TICKET;
        let message = self.received.iter().rev().find(is_ticket).expect("a ticket");
        let ticket = NewSessionTicket13::from_bytes(&message.body).expect("it can be read");
        let key = self.ticket_key(ticket.nonce);
        Offered { identity: ticket.ticket.to_vec(), key, age_add: ticket.age_add, resumes: true }
    }

    /// The key of epoch 0 and 1: what was offered, or nothing.
    pub(super) fn early_key(&self) -> Option<&[u8]> {
        self.extras.offered.as_ref().map(|offered| offered.key.as_slice()).or_else(|| self.psk())
    }

    /// Takes from a ServerHello whether the offered key is used, and whether alone.
    pub(super) fn learn_key(&mut self, hello: &ServerHello<'_>) {
        let selected = hello.extensions.find::<PreSharedKeyServerHello>().ok().flatten();
        if let Some((selected, offered)) = selected.zip(self.extras.offered.as_ref()) {
            self.psk = Some((offered.key.clone(), selected.selected_identity));
        }
    }

    /// The extensions of a ClientHello that come before the keys.
    pub(super) fn extra_offers(&self, w: &mut Writer<'_>) {
        self.compression_extension(w);
        for form in FORMS.iter().filter(|_| self.extras.raw_keys) {
            extension(w, *form, |w| w.vec8(|w| w.u8(CertificateType::RAW_PUBLIC_KEY.0)));
        }
        if self.extras.offered.is_some() || self.extras.wants_tickets {
            let mode = if self.extras.key_alone { PskKeyExchangeMode::PSK_KE } else { PskKeyExchangeMode::PSK_DHE_KE };
            extension(w, ExtensionType::PSK_KEY_EXCHANGE_MODES, |w| w.vec8(|w| w.u8(mode.0)));
        }
        if self.extras.early_data {
            extension(w, ExtensionType::EARLY_DATA, |_| ());
        }
    }

    /// The extensions of EncryptedExtensions.
    pub(super) fn encrypted_extensions(&self) -> Vec<u8> {
        write(|w| {
            w.vec16(|w| {
                for form in FORMS.iter().filter(|_| self.extras.raw_keys) {
                    extension(w, *form, |w| w.u8(CertificateType::RAW_PUBLIC_KEY.0));
                }
                if self.extras.early_data {
                    extension(w, ExtensionType::EARLY_DATA, |_| ());
                }
            });
        })
    }

    /// Says which compression this side can undo, if it is told to compress.
    pub(super) fn compression_extension(&self, w: &mut Writer<'_>) {
        if let Some(compression) = &self.extras.compression {
            let algorithm = compression.algorithm().0;
            extension(w, ExtensionType::COMPRESS_CERTIFICATE, |w| w.vec8(|w| w.u16(algorithm)));
        }
    }

    /// The keys of a hello, the last of its extensions, with a binder that says nothing yet.
    pub(super) fn offered_keys(&self, w: &mut Writer<'_>) {
        let Some(offered) = &self.extras.offered else { return };
        extension(w, ExtensionType::PRE_SHARED_KEY, |w| {
            w.vec16(|w| {
                w.vec16(|w| w.bytes(&offered.identity));
                w.u32(offered.age_add);
            });
            w.vec16(|w| w.vec8(|w| w.bytes(&[0; BINDER_LEN])));
        });
    }

    /// Puts the binder into a hello that ends in one (RFC 9846 §4.3.11.2).
    pub(super) fn bind(&self, mut hello: Vec<u8>) -> Vec<u8> {
        let Some(offered) = &self.extras.offered else { return hello };
        let truncated = hello.len() - (2 + 1 + BINDER_LEN);
        let [_, length @ ..] = u32::try_from(hello.len()).expect("short").to_be_bytes();
        let header = [&[HandshakeType::CLIENT_HELLO.0][..], &length].concat();
        let bound = [&self.transcript[..], &header, &hello[..truncated]].concat();
        let binder = self.suite.binder(&offered.key, offered.resumes, &bound);
        hello.truncate(truncated + 3);
        hello.extend(binder);
        hello
    }

    /// The Certificate message, compressed; nothing if no compression is known.
    pub(super) fn compressed_certificate(&self, plain: &[u8]) -> Vec<u8> {
        let Some(compression) = &self.extras.compression else { return Vec::new() };
        let compressed = compression.compress(plain).expect("short enough");
        let uncompressed_length = u32::try_from(plain.len()).expect("below 2^24");
        let algorithm = compression.algorithm();
        CompressedCertificate { algorithm, uncompressed_length, compressed: &compressed }.to_vec().expect("short")
    }

    /// Makes the keys of early data, as soon as the hello is said.
    pub(super) fn begin_early(&mut self) {
        if self.side == Side::Client && self.extras.early_data && self.extras.offered.is_some() {
            self.keys(EARLY);
        }
    }
}

const BINDER_LEN: usize = 32;
