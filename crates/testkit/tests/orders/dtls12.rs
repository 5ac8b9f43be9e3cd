//! Handshakes of 1.2.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{
    ClientAuth, ClientConfig, ConnectionIds, Identity, LegacySuites, PeerVerifier, Psk, ServerConfig, Transport,
};
use gramseal_proto::wire::{CertificateType, ContentType, HandshakeType as T, ProtocolVersion};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Exchange, PSK_IDENTITY, PSK_KEY, Scene, Step};
use gramseal_testkit::sessions::Resumption;
use gramseal_testkit::sim::Side;

use crate::explore::{Kind, Path, Speaks, Stage, Word, messages};

/// How long a handshake may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

impl Speaks for Scene {
    fn speak(&mut self, word: Word) {
        match word {
            Word::Message(msg_type) => self.play(&[Step::Message(msg_type)]),
            Word::ChangeCipherSpec => self.play(&[Step::ChangeCipherSpec]),
            Word::Path(path) => {
                let record = self.peer.record(ContentType::RETURN_ROUTABILITY_CHECK, &path.content());
                self.deliver([record]);
            }
            Word::Retry | Word::EarlyData | Word::ImmediateId => unreachable!("of 1.3"),
        }
    }
}

/// Every message of either role, of 1.3, of extensions, and one that nobody has defined.
const TYPES: [T; 21] = [
    T::HELLO_REQUEST,
    T::CLIENT_HELLO,
    T::SERVER_HELLO,
    T::HELLO_VERIFY_REQUEST,
    T::NEW_SESSION_TICKET,
    T::END_OF_EARLY_DATA,
    T::ENCRYPTED_EXTENSIONS,
    T::REQUEST_CONNECTION_ID,
    T::NEW_CONNECTION_ID,
    T::CERTIFICATE,
    T::SERVER_KEY_EXCHANGE,
    T::CERTIFICATE_REQUEST,
    T::SERVER_HELLO_DONE,
    T::CERTIFICATE_VERIFY,
    T::CLIENT_KEY_EXCHANGE,
    T::FINISHED,
    T::CERTIFICATE_STATUS,
    T::SUPPLEMENTAL_DATA,
    T::KEY_UPDATE,
    T::COMPRESSED_CERTIFICATE,
    T(99),
];

fn words() -> Vec<Word> {
    let mut words = messages(&TYPES);
    words.push(Word::ChangeCipherSpec);
    words
}

/// A full handshake.
#[derive(Debug, Clone, Copy)]
struct Full {
    exchange: Exchange,
    client_auth: Auth,
    raw_keys: bool,
    staple: bool,
    /// The client keeps sessions, and is promised a ticket.
    ticket: bool,
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

const PLAIN: Full = Full {
    exchange: Exchange::Ecdhe,
    client_auth: Auth::None,
    raw_keys: false,
    staple: false,
    ticket: false,
    cids: false,
};

/// What both sides are told.
pub(crate) type Configs = (Arc<ClientConfig>, Arc<ServerConfig>);

const STATUS: &[u8] = b"a status";

impl Full {
    fn transport() -> Transport {
        Transport { handshake_timeout: PATIENCE, ..Transport::default() }
    }

    fn identity(self, name: &str) -> Identity {
        if self.raw_keys {
            let key = Arc::new(NullKey::new(ToyKind::EcdsaP256, 1));
            return Identity::raw_public_key(key).expect("the key tells its public half");
        }
        null::identity(if self.exchange == Exchange::Dhe { ToyKind::Rsa } else { ToyKind::EcdsaP256 }, name, 0)
    }

    fn verifier(self) -> Arc<dyn PeerVerifier> {
        let verifier = NullVerifier::default();
        let verifier = if self.staple { verifier.with_staple(STATUS) } else { verifier };
        Arc::new(if self.raw_keys { verifier.with_forms(&[CertificateType::RAW_PUBLIC_KEY]) } else { verifier })
    }

    fn connection_ids(self) -> ConnectionIds {
        if self.cids { ConnectionIds::random() } else { ConnectionIds::default() }
    }

    fn psk() -> Psk {
        Psk::new(PSK_IDENTITY, PSK_KEY).expect("good lengths")
    }

    fn client(self) -> ClientConfig {
        let mut builder = match self.exchange.has_certificate() {
            true => ClientConfig::builder(null::provider(2), self.verifier()),
            false => ClientConfig::psk_builder(null::provider(2), Self::psk()),
        };
        if self.client_auth != Auth::None {
            builder = builder.with_identity(self.identity(null::CLIENT_NAME));
        }
        if self.ticket {
            builder = gramseal_testkit::sessions::Stores::new(Some(Resumption::Ticket)).client(builder);
        }
        let builder = builder.with_legacy_suites(LegacySuites::Allowed).with_cipher_suites(&[self.exchange.suite()]);
        let builder = builder.with_versions(&[ProtocolVersion::DTLS1_2]).with_transport(Self::transport());
        builder.with_connection_ids(self.connection_ids()).build().expect("a client configuration")
    }

    fn server(self) -> ServerConfig {
        let mut builder = match self.exchange.has_certificate() {
            true => ServerConfig::builder(null::provider(3), self.identity(null::SERVER_NAME)),
            false => ServerConfig::psk_builder(null::provider(3), Arc::new(vec![Self::psk()])),
        };
        builder = match self.client_auth {
            Auth::None => builder,
            Auth::Optional => builder.with_client_auth(ClientAuth::Optional(self.verifier())),
            Auth::Required => builder.with_client_auth(ClientAuth::Required(self.verifier())),
        };
        let builder = builder.with_legacy_suites(LegacySuites::Allowed).with_cipher_suites(&[self.exchange.suite()]);
        let builder = builder.with_versions(&[ProtocolVersion::DTLS1_2]).with_transport(Self::transport());
        builder.with_connection_ids(self.connection_ids()).build().expect("a server configuration")
    }

    fn begin(self, configs: &Configs, under_test: Side) -> Scene {
        let mut scene = match under_test {
            Side::Client => Scene::client(Arc::clone(&configs.0), 1),
            Side::Server => Scene::server(Arc::clone(&configs.1), 1),
        };
        scene.peer.set_exchange(self.exchange);
        if self.raw_keys {
            scene.peer.show_raw_keys();
        }
        if self.staple {
            scene.peer.staple(STATUS);
        }
        if self.ticket {
            scene.peer.set_session_ticket(&[]);
        }
        if self.cids {
            scene.peer.name_records(b"me");
        }
        scene
    }

    /// What a server says, up to ServerHelloDone: it may ask for a certificate or not, and one that has a key alone may
    /// have nothing to say of it.
    fn server_says(self, asks: bool, exchange: bool) -> Vec<Word> {
        let mut types = vec![T::SERVER_HELLO];
        if self.exchange.has_certificate() {
            types.push(T::CERTIFICATE);
        }
        if self.staple {
            types.push(T::CERTIFICATE_STATUS);
        }
        if exchange {
            types.push(T::SERVER_KEY_EXCHANGE);
        }
        if asks {
            types.push(T::CERTIFICATE_REQUEST);
        }
        types.push(T::SERVER_HELLO_DONE);
        if self.ticket {
            types.push(T::NEW_SESSION_TICKET);
        }
        messages(&types)
    }

    /// Whether it is not just an exchange and its credentials.
    fn is_special(self) -> bool {
        self.staple || self.ticket || self.cids
    }

    fn client_says(shows: bool) -> Vec<Word> {
        let types = match shows {
            true => &[T::CLIENT_HELLO, T::CERTIFICATE, T::CLIENT_KEY_EXCHANGE, T::CERTIFICATE_VERIFY][..],
            false => &[T::CLIENT_HELLO, T::CLIENT_KEY_EXCHANGE],
        };
        messages(types)
    }

    fn legal(self, under_test: Side) -> Vec<Vec<Word>> {
        let end = [Word::ChangeCipherSpec, Word::Message(T::FINISHED)];
        match under_test {
            Side::Client => {
                // A client without a certificate says so; keys alone are not asked for one.
                let asks = if self.exchange.has_certificate() { &[false, true][..] } else { &[false] };
                let exchanges = if self.exchange == Exchange::Psk { &[false, true][..] } else { &[true] };
                let plain = asks.iter().flat_map(|asks| exchanges.iter().map(move |exchange| (*asks, *exchange)));
                let plain = plain.map(|(asks, exchange)| [self.server_says(asks, exchange), end.to_vec()].concat());
                let verified = plain.clone().map(|words| [messages(&[T::HELLO_VERIFY_REQUEST]), words].concat());
                // Also found elsewhere, but there not gone through word by word.
                let thorough = self.exchange == Exchange::Ecdhe && self.client_auth == Auth::None && !self.is_special();
                plain.chain(verified.filter(|_| thorough)).collect()
            }
            Side::Server => {
                let shows = self.client_auth != Auth::None;
                vec![[Self::client_says(shows), end.to_vec()].concat()]
            }
        }
    }

    fn kind(self, name: &'static str, under_test: Side) -> Kind {
        let mut words = words();
        if self.cids {
            words.push(Word::Path(Path::Challenge));
        }
        let configs = move || -> Configs { (Arc::new(self.client()), Arc::new(self.server())) };
        let same = configs();
        Kind {
            name,
            under_test,
            // With a store, no connection shall know of one before it.
            begin: Box::new(move || match self.ticket {
                true => Box::new(self.begin(&configs(), under_test)),
                false => Box::new(self.begin(&same, under_test)),
            }),
            words,
            legal: self.legal(under_test),
        }
    }
}

fn resumed(name: &'static str, under_test: Side, resumption: Resumption) -> Kind {
    let mut legal = match under_test {
        Side::Client => messages(&[T::SERVER_HELLO]),
        Side::Server => messages(&[T::CLIENT_HELLO]),
    };
    if under_test == Side::Client && resumption == Resumption::NewTicket {
        legal.extend(messages(&[T::NEW_SESSION_TICKET]));
    }
    legal.extend([Word::ChangeCipherSpec, Word::Message(T::FINISHED)]);
    let mut all = vec![legal.clone()];
    if under_test == Side::Client && resumption == Resumption::Id {
        all.push([messages(&[T::HELLO_VERIFY_REQUEST]), legal].concat());
    }
    let begin = Box::new(move || Box::new(Scene::resumed(under_test, resumption)) as Box<dyn Stage>);
    Kind { name, under_test, begin, words: words(), legal: all }
}

/// All of them.
pub(crate) fn kinds() -> Vec<Kind> {
    let full = [
        ("ECDHE", PLAIN),
        ("ECDHE with client certificate", Full { client_auth: Auth::Required, ..PLAIN }),
        ("DHE", Full { exchange: Exchange::Dhe, ..PLAIN }),
        ("PSK", Full { exchange: Exchange::Psk, ..PLAIN }),
        ("ECDHE_PSK", Full { exchange: Exchange::EcdhePsk, ..PLAIN }),
        ("ECDHE, raw public keys", Full { client_auth: Auth::Required, raw_keys: true, ..PLAIN }),
        ("ECDHE, connection ids", Full { cids: true, ..PLAIN }),
    ];
    let wanted = Full { client_auth: Auth::Optional, ..PLAIN };
    let of_client = [
        ("ECDHE, a stapled status", Full { staple: true, ..PLAIN }),
        ("ECDHE, a ticket is promised", Full { ticket: true, ..PLAIN }),
    ];
    let both = full.into_iter().flat_map(|(name, full)| Side::BOTH.map(|side| full.kind(name, side)));
    let clients = of_client.into_iter().map(|(name, full)| full.kind(name, Side::Client));
    let sessions = [
        ("resumed by id", Resumption::Id),
        ("resumed by ticket", Resumption::Ticket),
        ("resumed by ticket, a new one is promised", Resumption::NewTicket),
    ];
    let resumed = sessions.into_iter().flat_map(|(name, kind)| Side::BOTH.map(|side| resumed(name, side, kind)));
    let wanted = wanted.kind("ECDHE, a client certificate would do", Side::Server);
    both.chain([wanted]).chain(clients).chain(resumed).collect()
}
