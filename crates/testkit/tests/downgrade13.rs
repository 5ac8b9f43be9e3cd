//! Answers by which somebody would make two sides that speak 1.3 use less, or something else than they
//! think (RFC 9846 §4.2.3, RFC 9147 §5).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::wire::{
    AlertDescription as Alert, CipherSuite, ClientHello, Codec, CompressionMethod, ContentType, DOWNGRADE_TLS11,
    DOWNGRADE_TLS12, ExtendedMasterSecret, ExtensionType, ExtensionsBuf, HandshakeType, KeyShareEntry,
    KeyShareServerHello, NamedGroup, OwnedList, ProtocolVersion, Random, RenegotiationInfo, ServerHello,
    SupportedVersionsClientHello, SupportedVersionsServerHello,
};
use gramseal_proto::{CloseReason, Discard, Error, Incompatible, PeerFault};
use gramseal_testkit::decode::{fragments, records};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Scene13};
use gramseal_testkit::sim::{Side, Sim};

const OLDER: ProtocolVersion = ProtocolVersion::DTLS1_2;
const NEWER: ProtocolVersion = ProtocolVersion::DTLS1_3;

fn client_of(versions: &[ProtocolVersion]) -> ClientConfig {
    null::client_config(2).with_versions(versions).build().expect("a configuration")
}

fn server_of(versions: &[ProtocolVersion]) -> ServerConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    null::server_config(3, identity).with_versions(versions).build().expect("a configuration")
}

/// What a ServerHello says.
#[derive(Debug, Clone, Copy)]
struct Answer {
    legacy_version: ProtocolVersion,
    version: Option<ProtocolVersion>,
    random: [u8; 32],
    session_id: &'static [u8],
    compression: u8,
    group: NamedGroup,
}

const OF_1_3: Answer = Answer {
    legacy_version: OLDER,
    version: Some(NEWER),
    random: [5; 32],
    session_id: &[],
    compression: 0,
    group: NamedGroup::X25519,
};

impl Answer {
    fn body(self) -> Vec<u8> {
        let mut extensions = ExtensionsBuf::new();
        let cipher_suite = match self.version {
            Some(selected_version) => {
                extensions.push(&SupportedVersionsServerHello { selected_version });
                let server_share = KeyShareEntry { group: self.group, key_exchange: &[7; 32] };
                extensions.push(&KeyShareServerHello { server_share });
                CipherSuite::TLS_AES_128_GCM_SHA256
            }
            None => {
                extensions.push(&ExtendedMasterSecret);
                extensions.push(&RenegotiationInfo { renegotiated_connection: &[] });
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            }
        };
        let hello = ServerHello {
            legacy_version: self.legacy_version,
            random: Random(self.random),
            session_id: self.session_id,
            cipher_suite,
            compression_method: CompressionMethod(self.compression),
            extensions: extensions.as_extensions(),
        };
        hello.to_vec().expect("short")
    }

    /// What a client of `versions` makes of it.
    fn to(self, versions: &[ProtocolVersion]) -> Outcome {
        let mut scene = Scene::client(client_of(versions), 1);
        let message = scene.peer.message_of(HandshakeType::SERVER_HELLO, &self.body());
        let record = scene.peer.record(ContentType::HANDSHAKE, &message);
        scene.deliver([record]);
        scene.outcome()
    }
}

/// Random bytes that end in `sentinel`.
fn marked(sentinel: [u8; 8]) -> [u8; 32] {
    let mut random = [5; 32];
    random[24..].copy_from_slice(&sentinel);
    random
}

fn refused(error: impl Into<Error>, alert: Alert) -> Outcome {
    let error = error.into();
    assert_eq!(error.alert(), Some(alert));
    Outcome::Closed(CloseReason::Failed(error))
}

#[test] // RFC 9846 §4.2.3
fn each_server_random_is_new() {
    let config = Arc::new(server_of(&[NEWER, OLDER]));
    let mut randoms = BTreeSet::new();
    for _ in 0..4 {
        // The same hellos each time; 8 bytes of an older answer are a mark.
        let mut older = Scene::server(Arc::clone(&config), 1);
        let hello = older.first_flight(false);
        older.play(&hello);
        let mut newer = Scene13::server13(Arc::clone(&config), 1);
        newer.say(&[HandshakeType::CLIENT_HELLO]);
        for answer in [&older.peer.received()[0], &newer.peer.received()[0]] {
            assert_eq!(answer.msg_type, HandshakeType::SERVER_HELLO);
            assert!(randoms.insert(answer.body[2..26].to_vec()));
        }
    }
}

#[test] // RFC 9846 §4.2.3
fn a_client_of_1_3_refuses_an_older_answer_of_a_server_that_could_do_more() {
    for sentinel in [DOWNGRADE_TLS12, DOWNGRADE_TLS11] {
        let answer = Answer { version: None, random: marked(sentinel), ..OF_1_3 };
        assert_eq!(answer.to(&[NEWER, OLDER]), refused(PeerFault::Downgrade, Alert::ILLEGAL_PARAMETER));
    }
    let honest = Answer { version: None, ..OF_1_3 };
    assert_eq!(honest.to(&[NEWER, OLDER]), Outcome::Waiting);
}

#[test] // RFC 9846 §4.2.3
fn a_server_of_1_3_marks_the_random_of_an_older_answer() {
    for (versions, expected) in [(&[NEWER, OLDER][..], true), (&[OLDER], false)] {
        let mut client = Scene::client(client_of(&[OLDER]), 1);
        let hello = bodies(&mut client).remove(0);
        let mut server = Scene::server(server_of(versions), 1);
        say(&mut server, &hello);
        let answer = bodies(&mut server).remove(0);
        let answer = ServerHello::from_bytes(&answer).expect("a ServerHello");
        assert_eq!(answer.random.0.ends_with(&DOWNGRADE_TLS12), expected);
    }
}

#[test] // RFC 9147 §5.3: whoever takes the newer version out of a hello is found out
fn a_hello_that_lost_its_newer_version_on_the_way_does_not_connect() {
    let mut client = Scene::client(client_of(&[NEWER, OLDER]), 1);
    let body = bodies(&mut client).remove(0);
    let hello = ClientHello::from_bytes(&body).expect("a hello");
    let mut extensions = ExtensionsBuf::new();
    for (extension, content) in hello.extensions.iter() {
        if extension != ExtensionType::SUPPORTED_VERSIONS {
            extensions.push_raw(extension, content);
        }
    }
    let versions: OwnedList<ProtocolVersion> = [OLDER].into_iter().collect();
    extensions.push(&SupportedVersionsClientHello { versions: versions.as_list() });
    let cut = ClientHello { extensions: extensions.as_extensions(), ..hello }.to_vec().expect("short");
    let mut server = Scene::server(server_of(&[NEWER, OLDER]), 1);
    say(&mut server, &cut);
    assert_eq!(server.outcome(), Outcome::Waiting, "it cannot know");
    let answer = bodies(&mut server).remove(0);
    let message = client.peer.message_of(HandshakeType::SERVER_HELLO, &answer);
    let record = client.peer.record(ContentType::HANDSHAKE, &message);
    client.deliver([record]);
    assert_eq!(client.outcome(), refused(PeerFault::Downgrade, Alert::ILLEGAL_PARAMETER));
}

#[test] // RFC 9846 §4.2.3
fn a_server_hello_of_1_3_has_the_legacy_version_of_1_2() {
    for legacy_version in [ProtocolVersion::DTLS1_0, NEWER] {
        let outcome = Answer { legacy_version, ..OF_1_3 }.to(&[NEWER, OLDER]);
        assert_eq!(outcome, refused(Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION));
    }
}

#[test] // RFC 9147 §5: servers repeat no session id
fn a_server_hello_of_1_3_has_no_session_id() {
    let outcome = Answer { session_id: &[1; 32], ..OF_1_3 }.to(&[NEWER, OLDER]);
    assert_eq!(outcome, refused(PeerFault::SessionIdEchoed, Alert::ILLEGAL_PARAMETER));
}

#[test] // RFC 9846 §4.2.3
fn a_server_hello_of_1_3_has_no_compression() {
    let outcome = Answer { compression: 1, ..OF_1_3 }.to(&[NEWER, OLDER]);
    assert_eq!(outcome, refused(PeerFault::UnofferedCompression, Alert::ILLEGAL_PARAMETER));
}

#[test] // RFC 9846 §4.3.8
fn a_key_share_of_another_group_is_refused() {
    // One that was offered without a share, and one that was not.
    for group in [NamedGroup::SECP256R1, NamedGroup::X448] {
        let outcome = Answer { group, ..OF_1_3 }.to(&[NEWER, OLDER]);
        assert_eq!(outcome, refused(PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER));
    }
}

#[test] // RFC 9846 §4.3.1
fn a_version_that_was_not_offered_is_refused() {
    for versions in [[NEWER], [OLDER]] {
        let other = if versions == [NEWER] { Answer { version: None, ..OF_1_3 } } else { OF_1_3 };
        let outcome = other.to(&versions);
        assert_eq!(outcome, refused(Incompatible::NoCommonVersion, Alert::PROTOCOL_VERSION));
    }
}

#[test] // RFC 9147 §5
fn change_cipher_spec_has_no_place_in_1_3() {
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client_of(&[NEWER]), server_of(&[NEWER]));
    let answers = |sim: &Sim| sim.connection(pair, Side::Server).is_some();
    sim.run_until(answers, Duration::from_secs(1)).expect("the hello arrives");
    let record = [20, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 99, 0, 1, 1];
    sim.inject(pair, Side::Server, record.to_vec());
    let server = sim.connection(pair, Side::Server).expect("a connection");
    assert_eq!(server.stats().discards.get(Discard::UnexpectedContent), 1);
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(1)).expect("it changes nothing");
    sim.exchange(pair, b"connected");
    for side in Side::BOTH {
        let mut sent = sim.sent_by(pair, side).flat_map(|sent| records(&sent.bytes));
        assert!(sent.all(|record| record.header.content_type != ContentType::CHANGE_CIPHER_SPEC));
    }
}

/// The bodies of the messages that were sent since the last call.
fn bodies(scene: &mut Scene) -> Vec<Vec<u8>> {
    let sent = scene.take_sent();
    let bodies = |datagram: &Vec<u8>| -> Vec<Vec<u8>> {
        let records = records(datagram);
        records.iter().flat_map(|r| fragments(r.body)).map(|fragment| fragment.body.to_vec()).collect()
    };
    sent.iter().flat_map(bodies).collect()
}

fn say(server: &mut Scene, hello: &[u8]) {
    let message = server.peer.message_of(HandshakeType::CLIENT_HELLO, hello);
    let record = server.peer.record(ContentType::HANDSHAKE, &message);
    server.deliver([record]);
}
