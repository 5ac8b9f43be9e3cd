//! Handshakes of 1.3.

use std::sync::Arc;

use gramseal_proto::config::{
    CertificateCompression, ClientAuth, ClientConfig, ConnectionIds, Identity, PeerVerifier, Psk, ResumedKeyExchange,
    ServerConfig, Transport,
};
use gramseal_proto::session::AntiReplayCache;
use gramseal_proto::wire::{CertificateType, ContentType, HandshakeType as T, NamedGroup, ProtocolVersion};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Offered, Outcome, PSK_IDENTITY, PSK_KEY, Peer13, Scene13, TYPES13};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::Side;

use crate::dtls12::PATIENCE;
use crate::explore::{Kind, Path, Speaks, Word, messages};

/// The group of HelloRetryRequests; first shares are of another one.
const OTHER: NamedGroup = NamedGroup::SECP256R1;

/// A NewConnectionId with an id that is to be used at once.
pub(crate) const IMMEDIATE: [u8; 6] = [0, 3, 2, b'i', b'2', 0];

impl Speaks for Scene13 {
    fn speak(&mut self, word: Word) {
        match word {
            Word::Message(msg_type) => self.say(&[msg_type]),
            Word::Retry => self.say_of(T::SERVER_HELLO, &Peer13::retry_body(Some(OTHER), None)),
            Word::EarlyData => {
                let record = self.peer.record_in(1, ContentType::APPLICATION_DATA, b"early");
                self.deliver([record]);
            }
            Word::ImmediateId => self.say_of(T::NEW_CONNECTION_ID, &IMMEDIATE),
            Word::Path(path) => {
                let record = self.peer.record(ContentType::RETURN_ROUTABILITY_CHECK, &path.content());
                self.deliver([record]);
            }
            Word::ChangeCipherSpec => unreachable!("of 1.2"),
        }
    }
}

/// What a kind of handshake is made of.
#[derive(Debug, Clone, Copy)]
struct Full {
    client_auth: Auth,
    raw_keys: bool,
    compress: bool,
    /// The server wants a share of another group.
    retry: bool,
    key: Option<Key>,
    early_data: bool,
    /// Both sides have connection ids.
    cids: bool,
}

/// What the server thinks of client certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Auth {
    None,
    Optional,
    Required,
}

/// A pre-shared key, and what it is used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    External,
    Ticket,
    /// Without a key exchange.
    TicketAlone,
}

const PLAIN: Full = Full {
    client_auth: Auth::None,
    raw_keys: false,
    compress: false,
    retry: false,
    key: None,
    early_data: false,
    cids: false,
};

fn zlib() -> Arc<dyn CertificateCompression> {
    gramseal_compress::zlib()
}

impl Full {
    fn transport() -> Transport {
        Transport { handshake_timeout: PATIENCE, ..Transport::default() }
    }

    fn identity(self, name: &str) -> Identity {
        if self.raw_keys {
            let key = Arc::new(NullKey::new(ToyKind::EcdsaP256, 1));
            return Identity::raw_public_key(key).expect("the key tells its public half");
        }
        null::identity(ToyKind::EcdsaP256, name, 0)
    }

    fn verifier(self) -> Arc<dyn PeerVerifier> {
        let verifier = NullVerifier::default();
        Arc::new(if self.raw_keys { verifier.with_forms(&[CertificateType::RAW_PUBLIC_KEY]) } else { verifier })
    }

    fn connection_ids(self) -> ConnectionIds {
        if self.cids { ConnectionIds::random() } else { ConnectionIds::default() }
    }

    fn psk() -> Psk {
        Psk::new(PSK_IDENTITY, PSK_KEY).expect("good lengths")
    }

    fn client(self, stores: &Stores) -> ClientConfig {
        let mut builder = match self.key {
            Some(Key::External) => ClientConfig::psk_builder(null::provider(2), Self::psk()),
            _ => ClientConfig::builder(null::provider(2), self.verifier()),
        };
        builder = builder.with_versions(&[ProtocolVersion::DTLS1_3]).with_transport(Self::transport());
        if self.client_auth != Auth::None {
            builder = builder.with_identity(self.identity(null::CLIENT_NAME));
        }
        if self.compress {
            builder = builder.with_certificate_compression([zlib()]);
        }
        if self.early_data {
            builder = builder.with_early_data();
        }
        if self.key == Some(Key::TicketAlone) {
            builder = builder.with_resumed_key_exchange(ResumedKeyExchange::Optional);
        }
        builder = builder.with_connection_ids(self.connection_ids());
        stores.client(builder).build().expect("a client configuration")
    }

    fn server(self, stores: &Stores) -> ServerConfig {
        let mut builder = match self.key {
            Some(Key::External) => ServerConfig::psk_builder(null::provider(3), Arc::new(vec![Self::psk()])),
            _ => ServerConfig::builder(null::provider(3), self.identity(null::SERVER_NAME)),
        };
        builder = builder.with_versions(&[ProtocolVersion::DTLS1_3]).with_transport(Self::transport());
        builder = match self.client_auth {
            Auth::None => builder,
            Auth::Optional => builder.with_client_auth(ClientAuth::Optional(self.verifier())),
            Auth::Required => builder.with_client_auth(ClientAuth::Required(self.verifier())),
        };
        if self.compress {
            builder = builder.with_certificate_compression([zlib()]);
        }
        if self.retry {
            builder = builder.with_groups(&[OTHER]);
        }
        if self.early_data {
            builder = builder.with_early_data(1000, Arc::new(AntiReplayCache::new(10, stores.clock.now())));
        }
        if self.key == Some(Key::TicketAlone) {
            builder = builder.with_resumed_key_exchange(ResumedKeyExchange::Optional);
        }
        builder = builder.with_connection_ids(self.connection_ids());
        stores.server(builder).build().expect("a server configuration")
    }

    fn stores(self) -> Stores {
        Stores::new(matches!(self.key, Some(Key::Ticket | Key::TicketAlone)).then_some(Resumption::Ticket))
    }

    fn begin(self, under_test: Side) -> Scene13 {
        let stores = self.stores();
        let mut scene = match under_test {
            Side::Client => self.begin_client(&stores),
            Side::Server => self.begin_server(&stores),
        };
        if self.raw_keys {
            scene.peer.show_raw_keys();
        }
        if self.compress {
            scene.peer.compress(zlib());
        }
        if self.early_data {
            scene.peer.use_early_data();
        }
        if self.key == Some(Key::TicketAlone) {
            scene.peer.use_key_alone();
        }
        if self.cids {
            scene.peer.name_records(b"me");
        }
        scene
    }

    fn begin_client(self, stores: &Stores) -> Scene13 {
        let config = Arc::new(self.client(stores));
        let key = match self.key {
            None => None,
            Some(Key::External) => Some(PSK_KEY.to_vec()),
            Some(Key::Ticket | Key::TicketAlone) => {
                let mut first = Scene13::client13(Arc::clone(&config), 2);
                first.connect13();
                if self.early_data {
                    first.peer.use_early_data();
                }
                first.say(&[T::NEW_SESSION_TICKET]);
                assert!(!stores.client.is_empty(), "the client keeps the ticket");
                Some(first.peer.ticket_key(b"nonce"))
            }
        };
        let mut scene = Scene13::client13(config, 1);
        if let Some(key) = key {
            scene.peer.resume(key, 0);
        }
        scene
    }

    fn begin_server(self, stores: &Stores) -> Scene13 {
        let config = Arc::new(self.server(stores));
        let offered = match self.key {
            None => None,
            Some(Key::External) => {
                let (identity, key) = (PSK_IDENTITY.as_bytes().to_vec(), PSK_KEY.to_vec());
                Some(Offered { identity, key, age_add: 0, resumes: false })
            }
            Some(Key::Ticket | Key::TicketAlone) => {
                let mut first = Scene13::server13(Arc::clone(&config), 2);
                first.peer.ask_for_tickets();
                self.legal_for_server()[0].iter().for_each(|word| first.speak(*word));
                assert_eq!(first.outcome(), Outcome::Connected);
                Some(first.peer.ticket())
            }
        };
        let mut scene = Scene13::server13(config, 1);
        if let Some(offered) = offered {
            scene.peer.offer(offered);
        }
        scene
    }

    /// What a server says behind its ServerHello.
    fn server_says(self) -> Vec<Vec<T>> {
        if self.key.is_some() {
            return vec![vec![T::ENCRYPTED_EXTENSIONS, T::FINISHED]];
        }
        let certificates =
            if self.compress { &[T::CERTIFICATE, T::COMPRESSED_CERTIFICATE][..] } else { &[T::CERTIFICATE] };
        let mut all = Vec::new();
        for certificate in certificates {
            let rest = [*certificate, T::CERTIFICATE_VERIFY, T::FINISHED];
            all.push([&[T::ENCRYPTED_EXTENSIONS][..], &rest].concat());
            all.push([&[T::ENCRYPTED_EXTENSIONS, T::CERTIFICATE_REQUEST][..], &rest].concat());
        }
        all
    }

    fn legal_for_client(self) -> Vec<Vec<Word>> {
        let hello = messages(&[T::SERVER_HELLO]);
        let plain: Vec<_> = self.server_says().iter().map(|rest| [&hello[..], &messages(rest)].concat()).collect();
        let asked: Vec<_> = plain.iter().map(|words| [&[Word::Retry][..], words].concat()).collect();
        // Also found elsewhere, but there not gone through word by word.
        let thorough = self.client_auth == Auth::None && !self.early_data;
        if thorough { [plain, asked].concat() } else { plain }
    }

    fn legal_for_server(self) -> Vec<Vec<Word>> {
        let mut hello = messages(&[T::CLIENT_HELLO]);
        if self.retry {
            hello.extend(messages(&[T::CLIENT_HELLO]));
        }
        let mut all = Vec::new();
        if self.client_auth == Auth::None {
            all.push([&hello[..], &messages(&[T::FINISHED])].concat());
        } else {
            let certificates =
                if self.compress { &[T::CERTIFICATE, T::COMPRESSED_CERTIFICATE][..] } else { &[T::CERTIFICATE] };
            for certificate in certificates {
                all.push([&hello[..], &messages(&[*certificate, T::CERTIFICATE_VERIFY, T::FINISHED])].concat());
            }
        }
        if self.early_data {
            all.push([&hello[..], &[Word::EarlyData, Word::Message(T::FINISHED)]].concat());
        }
        all
    }

    fn kind(self, name: &'static str, under_test: Side) -> Kind {
        let mut words = messages(&TYPES13);
        words.extend(messages(&[T::REQUEST_CONNECTION_ID, T::NEW_CONNECTION_ID, T::CERTIFICATE_STATUS]));
        words.push(Word::Retry);
        if self.cids {
            words.extend([Word::ImmediateId, Word::Path(Path::Challenge)]);
        }
        if self.early_data && under_test == Side::Server {
            words.push(Word::EarlyData);
        }
        let legal = match under_test {
            Side::Client => self.legal_for_client(),
            Side::Server => self.legal_for_server(),
        };
        Kind { name, under_test, begin: Box::new(move || Box::new(self.begin(under_test))), words, legal }
    }
}

/// All of them.
pub(crate) fn kinds() -> Vec<Kind> {
    let both = [
        ("full", PLAIN),
        ("with client certificate", Full { client_auth: Auth::Required, ..PLAIN }),
        ("raw public keys", Full { client_auth: Auth::Required, raw_keys: true, ..PLAIN }),
        ("compressed certificates", Full { client_auth: Auth::Required, compress: true, ..PLAIN }),
        ("external PSK", Full { key: Some(Key::External), ..PLAIN }),
        ("resumed, psk_dhe_ke", Full { key: Some(Key::Ticket), ..PLAIN }),
        ("resumed, psk_ke", Full { key: Some(Key::TicketAlone), ..PLAIN }),
        ("connection ids", Full { cids: true, ..PLAIN }),
        ("resumed, early data", Full { key: Some(Key::Ticket), early_data: true, ..PLAIN }),
    ];
    // A client under test can be asked for another share in every kind; a server that asks is a kind of its own.
    let of_server = [
        ("a client certificate would do", Full { client_auth: Auth::Optional, ..PLAIN }),
        ("full, after a HelloRetryRequest", Full { retry: true, ..PLAIN }),
        ("external PSK, after a HelloRetryRequest", Full { retry: true, key: Some(Key::External), ..PLAIN }),
        ("resumed, after a HelloRetryRequest", Full { retry: true, key: Some(Key::Ticket), ..PLAIN }),
    ];
    let both = both.into_iter().flat_map(|(name, full)| Side::BOTH.map(|side| full.kind(name, side)));
    both.chain(of_server.into_iter().map(|(name, full)| full.kind(name, Side::Server))).collect()
}
