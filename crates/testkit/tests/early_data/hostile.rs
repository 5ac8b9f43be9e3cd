//! Peers that do with early data what nobody does who follows the rules (RFC 9846 §4.3.10, §4.3.11, §4.7.1).

use std::sync::{Arc, Mutex};

use gramseal_proto::config::ClientConfig;
use gramseal_proto::session::{ClientSessionCache, ClientSessionStore, Session};
use gramseal_proto::wire::{
    AlertDescription, CipherSuite, ClientHello, Codec, ContentType, DecodeError, ExtensionType, ExtensionsBuf,
    HandshakeType, MessageSeq, NamedGroup, ProtocolVersion, Reader, SequenceNumber,
};
use gramseal_proto::{
    AlertReceived, CloseReason, Connection, Discard, EarlyDataAnswer, Error, Event, FirstHello, Instant, PeerFault,
};
use gramseal_testkit::decode::{fragments, records};
use gramseal_testkit::null;
use gramseal_testkit::peer::{Outcome, Peer13, Scene13, Wiretap};
use gramseal_testkit::sessions::{ChangeServer, Resumption, Stores};
use gramseal_testkit::sim::{Side, Sim};
use pki_types::UnixTime;

use super::{PATIENCE, REJECTED, VERSIONS, come, same, server};

const NOW: Instant = Instant::from_micros(1_000_000);

/// A client's store that tells the keys of the sessions that the client takes out.
#[derive(Debug)]
struct Watched {
    store: Arc<ClientSessionCache>,
    keys: Mutex<Vec<Vec<u8>>>,
}

impl ClientSessionStore for Watched {
    fn now(&self) -> UnixTime {
        self.store.now()
    }

    fn take(&self, server_name: &str, context: &[u8; 32]) -> Option<Session> {
        let session = self.store.take(server_name, context)?;
        self.keys.lock().expect("not poisoned").push(key(&session.to_bytes()).expect("a session of 1.3"));
        Some(session)
    }

    fn put(&self, session: Session) {
        self.store.put(session);
    }
}

/// The key in what a session of 1.3 is written to.
fn key(session: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut r = Reader::new(session);
    let _format = r.u8()?;
    assert_eq!(ProtocolVersion(r.u16()?), ProtocolVersion::DTLS1_3);
    let _suite = r.u16()?;
    let _established_expires_issued = (r.u64()?, r.u64()?, r.u64()?);
    let _age_add_and_limit = (r.u32()?, r.u32()?);
    let _group_scheme_and_fragments = (r.u16()?, r.u16()?, r.u16()?);
    Ok(r.vec8()?.to_vec())
}

/// A client with sessions of a server that has since been taken over.
struct TakenOver {
    watched: Arc<Watched>,
    client: Arc<ClientConfig>,
    tap: Arc<Wiretap>,
    server: Arc<gramseal_proto::config::ServerConfig>,
}

fn taken_over(early_data: bool, suites: &[CipherSuite], change: ChangeServer) -> TakenOver {
    let stores = Stores::new(Some(Resumption::Ticket));
    let watched = Arc::new(Watched { store: stores.client.clone(), keys: Mutex::default() });
    let tap = Arc::new(Wiretap::default());
    let builder = null::client_config(1).with_session_context("test").with_versions(&VERSIONS).with_alpn(["a"]);
    let mut builder = builder.with_session_store(watched.clone()).with_cipher_suites(suites).with_key_log(tap.clone());
    if early_data {
        builder = builder.with_early_data();
    }
    let client = Arc::new(builder.build().expect("a client"));
    let server = server(2, &stores, change);
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(Arc::clone(&client), Arc::clone(&server));
    sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
    sim.run_for(std::time::Duration::from_secs(1));
    watched.keys.lock().expect("not poisoned").clear();
    TakenOver { watched, client, tap, server }
}

const SHA256: [CipherSuite; 2] = [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_CHACHA20_POLY1305_SHA256];

/// EncryptedExtensions with these.
fn encrypted(extensions: &[(ExtensionType, &[u8])]) -> Vec<u8> {
    let mut buf = ExtensionsBuf::new();
    extensions.iter().for_each(|(extension, content)| buf.push_raw(*extension, content));
    let bytes = buf.as_extensions().as_bytes();
    [&u16::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
}

const EARLY_DATA: (ExtensionType, &[u8]) = (ExtensionType::EARLY_DATA, &[]);
const ALPN: (ExtensionType, &[u8]) = (ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &[0, 2, 1, b'a']);

/// What a client makes of a server that goes on with its session at `selected`, and says this in
/// EncryptedExtensions.
fn outcome(taken: &TakenOver, selected: Option<u16>, extensions: &[(ExtensionType, &[u8])]) -> Outcome {
    let mut scene = Scene13::client13(Arc::clone(&taken.client), 7);
    if let Some(selected) = selected {
        // The scripted server has SHA-256 alone, and the client offers the latest key of each hash.
        let keys = taken.watched.keys.lock().expect("not poisoned").clone();
        let key = keys.into_iter().find(|key| key.len() == 32).expect("a key");
        scene.peer.resume(key, selected);
    }
    scene.say(&[HandshakeType::SERVER_HELLO]);
    scene.say_of(HandshakeType::ENCRYPTED_EXTENSIONS, &encrypted(extensions));
    if selected.is_some() && scene.outcome() == Outcome::Waiting {
        scene.say(&[HandshakeType::FINISHED]);
    }
    scene.outcome()
}

fn failed(fault: PeerFault) -> Outcome {
    Outcome::Closed(CloseReason::Failed(Error::Peer(fault)))
}

#[test] // RFC 9846 §4.3.10, §4.3.11
fn a_server_takes_early_data_only_as_it_was_offered() {
    let alpn: ChangeServer = |builder| builder.with_alpn(["a"]);
    let mismatch = || failed(PeerFault::EarlyDataMismatch);
    assert_eq!(Error::Peer(PeerFault::EarlyDataMismatch).alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
    let with = |suites: &[CipherSuite], change| taken_over(true, suites, change);
    let aes = &SHA256[..1];
    assert_eq!(outcome(&with(aes, alpn), Some(0), &[EARLY_DATA, ALPN]), Outcome::Connected);
    assert_eq!(outcome(&with(aes, alpn), Some(0), &[ALPN]), Outcome::Connected, "it need not");
    assert_eq!(outcome(&with(aes, alpn), Some(0), &[EARLY_DATA]), mismatch(), "another protocol");
    assert_eq!(outcome(&with(aes, same), Some(0), &[EARLY_DATA, ALPN]), mismatch(), "another protocol");
    assert_eq!(outcome(&with(aes, alpn), None, &[EARLY_DATA, ALPN]), mismatch(), "without the session");
    let none = taken_over(false, aes, alpn);
    assert_eq!(outcome(&none, Some(0), &[EARLY_DATA, ALPN]), failed(PeerFault::UnofferedExtension));
    // The scripted server has AES alone; the session is of the other suite with its hash.
    let chacha: ChangeServer =
        |builder| builder.with_alpn(["a"]).with_cipher_suites(&[CipherSuite::TLS_CHACHA20_POLY1305_SHA256]);
    assert_eq!(outcome(&with(&SHA256, chacha), Some(0), &[EARLY_DATA, ALPN]), mismatch(), "another suite");
    assert_eq!(outcome(&with(&SHA256, chacha), Some(0), &[ALPN]), Outcome::Connected);
}

/// A client with a session of each hash, the one with SHA-384 first in its hellos.
fn with_two_keys() -> (TakenOver, Stores) {
    let stores = Stores::new(Some(Resumption::Ticket));
    let watched = Arc::new(Watched { store: stores.client.clone(), keys: Mutex::default() });
    let tap = Arc::new(Wiretap::default());
    let builder = null::client_config(1).with_session_context("test").with_versions(&VERSIONS);
    let builder = builder.with_session_store(watched.clone()).with_key_log(tap.clone()).with_early_data();
    let client = Arc::new(builder.build().expect("a client"));
    let of = |seed, suite: ChangeServer| server(seed, &stores, suite);
    let sha256 = of(2, |builder| builder.with_cipher_suites(&[CipherSuite::TLS_AES_128_GCM_SHA256]));
    let sha384 = of(3, |builder| builder.with_cipher_suites(&[CipherSuite::TLS_AES_256_GCM_SHA384]));
    let mut sim = Sim::new(1).without_cookies();
    for server in [&sha256, &sha384] {
        let pair = sim.connect(Arc::clone(&client), Arc::clone(server));
        sim.run_until(|sim| sim.connected(pair), PATIENCE).expect("both sides connect");
        sim.run_for(std::time::Duration::from_secs(1));
        // A client holds it against no other session that the server could not use one of its own.
        stores.clock.advance(std::time::Duration::from_secs(1));
    }
    watched.keys.lock().expect("not poisoned").clear();
    (TakenOver { watched, client, tap, server: sha256 }, stores)
}

#[test] // RFC 9846 §4.3.11
fn early_data_is_not_taken_with_another_key_than_the_first() {
    let (taken, _stores) = with_two_keys();
    assert_eq!(outcome(&taken, Some(1), &[EARLY_DATA]), failed(PeerFault::EarlyDataMismatch));
    let (taken, _stores) = with_two_keys();
    assert_eq!(outcome(&taken, Some(1), &[]), Outcome::Connected);
    let (taken, _stores) = with_two_keys();
    let (_, came) = come(&mut Sim::new(2).without_cookies(), &taken.client, &taken.server);
    assert_eq!(came, REJECTED, "our server knows that as well");
}

#[test] // RFC 9846 §4.2.4, §4.3.10
fn who_asked_for_another_hello_takes_no_early_data() {
    let taken = taken_over(true, &SHA256[..1], |builder| builder.with_alpn(["a"]));
    let mut scene = Scene13::client13(Arc::clone(&taken.client), 7);
    let hello = |scene: &mut Scene13| {
        let sent = scene.take_sent();
        let body = fragments(records(&sent[0])[0].body)[0].body.to_vec();
        ClientHello::from_bytes(&body).expect("a hello").extensions.contains(ExtensionType::EARLY_DATA)
    };
    assert!(hello(&mut scene));
    scene.say_of(HandshakeType::SERVER_HELLO, &Peer13::retry_body(Some(NamedGroup::SECP256R1), None));
    assert!(!hello(&mut scene));
    let key = taken.watched.keys.lock().expect("not poisoned")[0].clone();
    scene.peer.resume(key, 0);
    scene.say(&[HandshakeType::SERVER_HELLO]);
    scene.say_of(HandshakeType::ENCRYPTED_EXTENSIONS, &encrypted(&[EARLY_DATA, ALPN]));
    assert_eq!(scene.outcome(), failed(PeerFault::UnofferedExtension));
}

/// A server that has the hello of a client whose keys the test knows.
struct Begun {
    server: Connection,
    tap: Arc<Wiretap>,
    next: u64,
}

impl Begun {
    fn new() -> Self {
        let TakenOver { client, tap, server, .. } = taken_over(true, &SHA256[..1], |builder| builder.with_alpn(["a"]));
        let name = null::SERVER_NAME.try_into().expect("a name");
        let mut client = Connection::client(client, name, NOW).expect("begun");
        let mut hello = Vec::new();
        assert!(client.poll_transmit(NOW, &mut hello));
        let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
        let mut server = Connection::server(server, first, NOW);
        drop(server.handle_datagram(NOW, &mut hello));
        Self { server, tap, next: 0 }
    }

    /// Lets an authentic record of early data come; what comes of it as a payload of another kind.
    fn early(&mut self, content_type: ContentType, content: &[u8]) {
        let mut record = self.tap.seal(Side::Client, 1, self.next, content_type, content);
        self.next += 1;
        assert_eq!(self.server.handle_datagram(NOW, &mut record).count(), 0);
    }

    fn closed(&mut self) -> Option<CloseReason> {
        std::iter::from_fn(|| self.server.poll_event()).find_map(|event| match event {
            Event::Closed(reason) => Some(reason),
            _ => None,
        })
    }
}

#[test] // RFC 9846 §4.7.1
fn more_early_data_than_the_ticket_allows_ends_the_connection() {
    let mut begun = Begun::new();
    begun.early(ContentType::APPLICATION_DATA, &[1; 600]);
    begun.early(ContentType::APPLICATION_DATA, &[2; 400]);
    assert_eq!(begun.closed(), None);
    begun.early(ContentType::APPLICATION_DATA, &[3; 1]);
    let error = Error::Peer(PeerFault::TooMuchEarlyData);
    assert_eq!(error.alert(), Some(AlertDescription::UNEXPECTED_MESSAGE));
    assert_eq!(begun.closed(), Some(CloseReason::Failed(error)));
    let taken: Vec<_> = std::iter::from_fn(|| begun.server.poll_early_data()).collect();
    assert_eq!(taken, [vec![1; 600], vec![2; 400]], "what was within the limit is still there");
}

#[test]
fn a_flood_of_empty_payloads_is_bounded() {
    let mut begun = Begun::new();
    for _ in 0..1000 {
        begun.early(ContentType::APPLICATION_DATA, &[]);
    }
    assert_eq!(begun.closed(), None);
    assert_eq!(std::iter::from_fn(|| begun.server.poll_early_data()).count(), 64);
    assert_eq!(begun.server.stats().discards.get(Discard::EarlyDataFull), 1000 - 64);
}

#[test] // RFC 9147 §5.6, §7
fn neither_messages_nor_acks_come_as_early_data() {
    let mut begun = Begun::new();
    let end_of_early_data = Peer13::whole(HandshakeType::END_OF_EARLY_DATA, 1, &[]);
    let finished = Peer13::whole(HandshakeType::FINISHED, 1, &[0; 32]);
    begun.early(ContentType::HANDSHAKE, &end_of_early_data);
    begun.early(ContentType::HANDSHAKE, &finished);
    begun.early(ContentType::ACK, &[0, 0]);
    begun.early(ContentType::CHANGE_CIPHER_SPEC, &[1]);
    assert_eq!(begun.closed(), None);
    assert_eq!(begun.server.stats().discards.get(Discard::UnexpectedContent), 4);
    assert_eq!(begun.server.poll_early_data(), None);
    begun.early(ContentType::APPLICATION_DATA, b"and on");
    assert_eq!(begun.server.poll_early_data().as_deref(), Some(&b"and on"[..]));
}

#[test] // RFC 9846 §6
fn an_alert_among_early_data_is_as_good_as_any() {
    let mut begun = Begun::new();
    begun.early(ContentType::ALERT, &[2, AlertDescription::INTERNAL_ERROR.0]);
    let received = AlertReceived { description: AlertDescription::INTERNAL_ERROR, authenticated: true };
    assert_eq!(begun.closed(), Some(CloseReason::Failed(Error::AlertReceived(received))));
}

#[test] // RFC 9147 §4.5.2
fn forged_early_data_is_dropped_and_counted() {
    let mut begun = Begun::new();
    let mut forged = begun.tap.seal(Side::Client, 1, 0, ContentType::APPLICATION_DATA, b"x");
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(begun.server.handle_datagram(NOW, &mut forged).count(), 0);
    assert_eq!(begun.server.stats().discards.get(Discard::BadTag), 1);
    assert_eq!((begun.closed(), begun.server.poll_early_data()), (None, None));
}

#[test]
fn a_client_that_closes_at_once_says_so_in_the_clear() {
    let TakenOver { client, .. } = taken_over(true, &SHA256[..1], |builder| builder.with_alpn(["a"]));
    let mut client = Connection::client(client, null::SERVER_NAME.try_into().expect("a name"), NOW).expect("begun");
    let mut datagram = Vec::new();
    assert!(client.poll_transmit(NOW, &mut datagram));
    client.close();
    assert!(client.poll_transmit(NOW, &mut datagram));
    // Nobody who does not take early data could read it otherwise.
    assert_eq!(records(&datagram)[0].header.content_type, ContentType::ALERT);
}

/// What comes of a hello of the client's that somebody has changed.
fn hello_changed(change: impl FnOnce(&mut Vec<(ExtensionType, Vec<u8>)>)) -> (Connection, Vec<Event>) {
    let TakenOver { client, server, .. } = taken_over(false, &SHA256[..1], |builder| builder.with_alpn(["a"]));
    let mut client = Connection::client(client, null::SERVER_NAME.try_into().expect("a name"), NOW).expect("begun");
    let mut datagram = Vec::new();
    assert!(client.poll_transmit(NOW, &mut datagram));
    let body = fragments(records(&datagram)[0].body)[0].body.to_vec();
    let hello = ClientHello::from_bytes(&body).expect("a hello");
    let mut list: Vec<_> = hello.extensions.iter().map(|(extension, content)| (extension, content.to_vec())).collect();
    change(&mut list);
    let mut extensions = ExtensionsBuf::new();
    list.iter().for_each(|(extension, content)| extensions.push_raw(*extension, content));
    let body = ClientHello { extensions: extensions.as_extensions(), ..hello }.to_vec().expect("short");
    let message = Peer13::whole(HandshakeType::CLIENT_HELLO, 0, &body);
    let mut record = Peer13::new(Side::Client, 1).record_numbered(ContentType::HANDSHAKE, 0, 0, &message);
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    let mut server = Connection::server(server, first, NOW);
    drop(server.handle_datagram(NOW, &mut record));
    let events = std::iter::from_fn(|| server.poll_event()).collect();
    (server, events)
}

#[test] // RFC 9846 §4.3.10
fn early_data_without_a_session_is_ignored() {
    let (mut server, events) = hello_changed(|list| {
        list.retain(|(extension, _)| *extension != ExtensionType::PRE_SHARED_KEY);
        list.push((ExtensionType::EARLY_DATA, Vec::new()));
    });
    assert_eq!(events, [], "a full handshake goes on");
    assert!(server.poll_transmit(NOW, &mut Vec::new()));
    assert!(server.export_early_keying_material(b"label", b"", &mut [0; 8]).is_err());
}

#[test] // RFC 9147 §4.2.1
fn a_flood_before_the_hello_is_bounded_and_keeps_nobody_out() {
    let TakenOver { client, server, .. } = taken_over(true, &SHA256[..1], |builder| builder.with_alpn(["a"]));
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    let mut server = Connection::server(server, first, NOW);
    let junk = [&[0x2D, 0, 0, 0, 40][..], &[7; 40]].concat();
    for _ in 0..1000 {
        assert_eq!(server.handle_datagram(NOW, &mut junk.clone()).count(), 0);
    }
    assert_eq!(server.stats().discards.get(Discard::NextEpochFull), 1000 - 16);
    let mut client = Connection::client(client, null::SERVER_NAME.try_into().expect("a name"), NOW).expect("begun");
    let mut hello = Vec::new();
    assert!(client.poll_transmit(NOW, &mut hello));
    let mut early = vec![0; 100];
    let len = client.seal_early(b"early", &mut early).expect("the session allows it");
    drop(server.handle_datagram(NOW, &mut hello));
    assert_eq!(server.stats().discards.get(Discard::BadTag), 16);
    drop(server.handle_datagram(NOW, &mut early[..len]));
    assert_eq!(server.poll_early_data().as_deref(), Some(&b"early"[..]));
}

#[test] // RFC 9846 §4.3.10
fn records_of_early_data_that_was_not_announced_are_dropped_and_counted() {
    let (mut server, events) = hello_changed(|_| ());
    assert_eq!(events, []);
    let junk = [&[0x2D, 0, 0, 0, 40][..], &[7; 40]].concat();
    for _ in 0..5 {
        drop(server.handle_datagram(NOW, &mut junk.clone()));
    }
    assert_eq!(server.stats().discards.get(Discard::UnknownEpoch), 5);
}

#[test] // RFC 9846 §4.3.10
fn a_malformed_announcement_is_a_decode_error() {
    let (_, events) = hello_changed(|list| list.insert(0, (ExtensionType::EARLY_DATA, vec![0])));
    let [Event::Closed(CloseReason::Failed(error))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(error.alert(), Some(AlertDescription::DECODE_ERROR));
}

#[test] // RFC 9846 §4.2.2, §4.3.10
fn early_data_in_a_hello_that_was_asked_for_is_an_illegal_parameter() {
    let mut scene = {
        let config = null::server_config(2, null::identity(null::ToyKind::EcdsaP256, null::SERVER_NAME, 0));
        let config = config.with_versions(&VERSIONS).with_groups(&[NamedGroup::SECP256R1]);
        Scene13::server13(config.build().expect("a server"), 1)
    };
    scene.say(&[HandshakeType::CLIENT_HELLO]);
    assert_eq!(scene.outcome(), Outcome::Waiting);
    let body = scene.peer.body_of(HandshakeType::CLIENT_HELLO);
    let hello = ClientHello::from_bytes(&body).expect("a hello");
    let mut extensions = ExtensionsBuf::new();
    hello.extensions.iter().for_each(|(extension, content)| extensions.push_raw(extension, content));
    extensions.push_raw(ExtensionType::EARLY_DATA, &[]);
    let body = ClientHello { extensions: extensions.as_extensions(), ..hello }.to_vec().expect("short");
    scene.say_of(HandshakeType::CLIENT_HELLO, &body);
    assert_eq!(scene.outcome(), failed(PeerFault::ChangedAfterRetry));
}

#[test] // RFC 9846 §4.3.10
fn what_a_server_says_of_early_data_is_told_once() {
    let taken = taken_over(true, &SHA256[..1], |builder| builder.with_alpn(["a"]));
    let mut client = Connection::client(Arc::clone(&taken.client), null::SERVER_NAME.try_into().expect("a name"), NOW)
        .expect("begun");
    let mut datagram = Vec::new();
    assert!(client.poll_transmit(NOW, &mut datagram));
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    let mut server = Connection::server(Arc::clone(&taken.server), first, NOW);
    drop(server.handle_datagram(NOW, &mut datagram));
    assert!(server.poll_transmit(NOW, &mut datagram));
    drop(client.handle_datagram(NOW, &mut datagram.clone()));
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    assert_eq!(events, [Event::EarlyData(EarlyDataAnswer::Accepted), Event::Connected]);
    drop(client.handle_datagram(NOW, &mut datagram));
    assert_eq!(client.poll_event(), None, "it came before");
}
