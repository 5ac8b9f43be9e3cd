//! HelloRetryRequest as a client meets it, and second hellos as a server does (RFC 9846 §4.2.4,
//! RFC 9147 §5.1).

use gramseal_proto::wire::{
    CipherSuite, ClientHello, Codec, CompressionMethod, ContentType, Cookie, ExtensionType, ExtensionsBuf,
    HandshakeType, KeyShareClientHello, KeyShareHelloRetryRequest, NamedGroup, OwnedList, ProtocolVersion, Random,
    ServerHello, SupportedVersionsServerHello,
};
use gramseal_proto::{CloseReason, Error, PeerFault};
use gramseal_testkit::decode::{fragments, records};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene};

const SUITE: CipherSuite = CipherSuite::TLS_AES_128_GCM_SHA256;

/// What is in a HelloRetryRequest, or in a ServerHello that follows one.
#[derive(Debug, Clone, Copy)]
struct Request<'a> {
    version: ProtocolVersion,
    suite: CipherSuite,
    random: Random,
    group: Option<NamedGroup>,
    cookie: Option<&'a [u8]>,
    other: Option<ExtensionType>,
}

const COOKIE: Request<'static> = Request {
    version: ProtocolVersion::DTLS1_3,
    suite: SUITE,
    random: Random::HELLO_RETRY_REQUEST,
    group: None,
    cookie: Some(&[7; 40]),
    other: None,
};

impl Request<'_> {
    fn body(self) -> Vec<u8> {
        let mut extensions = ExtensionsBuf::new();
        if self.version != ProtocolVersion::DTLS1_2 {
            extensions.push(&SupportedVersionsServerHello { selected_version: self.version });
        }
        if let Some(selected_group) = self.group {
            extensions.push(&KeyShareHelloRetryRequest { selected_group });
        }
        if let Some(cookie) = self.cookie {
            extensions.push(&Cookie { cookie });
        }
        if let Some(other) = self.other {
            extensions.push_raw(other, &[]);
        }
        let hello = ServerHello {
            legacy_version: ProtocolVersion::DTLS1_2,
            random: self.random,
            session_id: &[],
            cipher_suite: self.suite,
            compression_method: CompressionMethod::NULL,
            extensions: extensions.as_extensions(),
        };
        hello.to_vec().expect("short")
    }
}

fn client() -> Scene {
    let versions = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    Scene::client(null::client_config(2).with_versions(&versions).build().expect("a configuration"), 1)
}

/// Delivers a message of its own number, and gives it back to be delivered again.
fn deliver(scene: &mut Scene, request: Request<'_>) -> Vec<u8> {
    let message = scene.peer.message_of(HandshakeType::SERVER_HELLO, &request.body());
    again(scene, &message);
    message
}

fn again(scene: &mut Scene, message: &[u8]) {
    let record = scene.peer.record(ContentType::HANDSHAKE, message);
    scene.deliver([record]);
}

/// The bodies of the hellos that were sent since the last call.
fn hellos(scene: &mut Scene) -> Vec<Vec<u8>> {
    let sent = scene.take_sent();
    let bodies = |datagram: &Vec<u8>| -> Vec<Vec<u8>> {
        let records = records(datagram);
        records.iter().flat_map(|r| fragments(r.body)).map(|fragment| fragment.body.to_vec()).collect()
    };
    sent.iter().flat_map(bodies).collect()
}

fn shares(hello: &ClientHello<'_>) -> Vec<NamedGroup> {
    let offer = hello.extensions.find::<KeyShareClientHello<'_>>().expect("well formed").expect("there");
    offer.client_shares.iter().map(|share| share.group).collect()
}

fn failed(scene: &Scene, error: impl Into<Error>) {
    assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(error.into())));
}

#[test] // RFC 9846 §4.2.2, RFC 9147 §5.1
fn the_second_hello_has_what_was_asked_for_and_is_the_same_otherwise() {
    for (group, expected) in [(None, NamedGroup::X25519), (Some(NamedGroup::SECP256R1), NamedGroup::SECP256R1)] {
        for cookie in [None, Some(&[9; 100][..])] {
            if group.is_none() && cookie.is_none() {
                continue;
            }
            let mut scene = client();
            let first = hellos(&mut scene).remove(0);
            deliver(&mut scene, Request { group, cookie, ..COOKIE });
            let second = hellos(&mut scene);
            assert_eq!(second.len(), 1);
            let hello = |bytes| ClientHello::from_bytes(bytes).expect("a hello");
            let (first, second) = (hello(&first), hello(&second[0]));
            assert_eq!(shares(&second), [expected]);
            let found = second.extensions.find::<Cookie<'_>>().expect("well formed").map(|found| found.cookie);
            assert_eq!(found, cookie);
            assert!(second.cookie.is_empty(), "that is the place of 1.2");
            assert_eq!(ClientHello { extensions: first.extensions, ..second }, first);
            let others = |hello: ClientHello<'_>| -> Vec<(ExtensionType, Vec<u8>)> {
                let changes = [ExtensionType::KEY_SHARE, ExtensionType::COOKIE];
                let others = hello.extensions.iter().filter(|(extension, _)| !changes.contains(extension));
                others.map(|(extension, content)| (extension, content.to_vec())).collect()
            };
            assert_eq!(others(first), others(second));
            let same =
                first.extensions.get(ExtensionType::KEY_SHARE) == second.extensions.get(ExtensionType::KEY_SHARE);
            assert_eq!(same, group.is_none(), "a share is kept unless another is asked for");
        }
    }
}

#[test] // RFC 9846 §4.2.4
fn a_second_request_is_out_of_turn_and_a_repeated_one_is_not() {
    let mut scene = client();
    hellos(&mut scene);
    let request = deliver(&mut scene, COOKIE);
    assert_eq!(hellos(&mut scene).len(), 1);
    again(&mut scene, &request);
    assert_eq!((scene.outcome(), hellos(&mut scene).len()), (Outcome::Waiting, 0), "it answers the first hello");
    deliver(&mut scene, Request { cookie: Some(&[8; 40]), ..COOKIE });
    failed(&scene, PeerFault::UnexpectedMessage(HandshakeType::SERVER_HELLO));
}

#[test] // RFC 9846 §4.2.4, §4.3.8
fn a_request_that_asks_for_nothing_new_or_for_what_was_not_offered_is_refused() {
    let unknown = CipherSuite::TLS_AES_128_CCM_8_SHA256;
    for (request, error) in [
        (Request { cookie: None, ..COOKIE }, Error::Peer(PeerFault::RetryWithoutChange)),
        (Request { group: Some(NamedGroup::X25519), ..COOKIE }, Error::Peer(PeerFault::UnofferedGroup)),
        (Request { group: Some(NamedGroup::X448), ..COOKIE }, Error::Peer(PeerFault::UnofferedGroup)),
        (Request { suite: unknown, ..COOKIE }, Error::Peer(PeerFault::UnofferedCipherSuite)),
        (Request { other: Some(ExtensionType::SERVER_NAME), ..COOKIE }, Error::Peer(PeerFault::MisplacedExtension)),
        (Request { version: ProtocolVersion(0xFEFB), ..COOKIE }, Error::Peer(PeerFault::UnofferedVersion)),
    ] {
        let mut scene = client();
        deliver(&mut scene, request);
        failed(&scene, error);
    }
}

#[test] // RFC 9846 §4.2.4
fn version_and_suite_are_chosen_once() {
    let random = Random([5; 32]);
    let older = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let hello12 = Request { version: ProtocolVersion::DTLS1_2, suite: older, random, cookie: None, ..COOKIE };
    let mut scene = client();
    deliver(&mut scene, COOKIE);
    deliver(&mut scene, hello12);
    failed(&scene, PeerFault::ChangedAfterRetry);
}

#[test] // RFC 9147 §5.1
fn a_cookie_as_1_2_has_it_is_not_followed_by_1_3() {
    let mut scene = client();
    let body = [&[0xFE, 0xFD, 20][..], &[7; 20]].concat();
    let request = scene.peer.message_of(HandshakeType::HELLO_VERIFY_REQUEST, &body);
    again(&mut scene, &request);
    deliver(&mut scene, COOKIE);
    failed(&scene, PeerFault::VersionAfterCookie);

    // After a request of 1.3 nothing of 1.2 counts, and somebody may have forged it.
    let mut scene = client();
    deliver(&mut scene, COOKIE);
    hellos(&mut scene);
    let request = scene.peer.message_of(HandshakeType::HELLO_VERIFY_REQUEST, &body);
    again(&mut scene, &request);
    assert_eq!((scene.outcome(), hellos(&mut scene).len()), (Outcome::Waiting, 0));
}

#[test] // RFC 9147 §5.1
fn a_cookie_that_the_server_did_not_send_is_dropped_for_the_one_that_it_asks_to_see() {
    let mut scene = client();
    let body = [&[0xFE, 0xFD, 20][..], &[8; 20]].concat();
    let forged = scene.peer.message_of(HandshakeType::HELLO_VERIFY_REQUEST, &body);
    again(&mut scene, &forged);
    let [first, shown] = <[_; 2]>::try_from(hellos(&mut scene)).expect("two hellos");
    assert_eq!(ClientHello::from_bytes(&shown).expect("a hello").cookie, [8; 20]);
    // The server has the hello without it, and numbers its answer after that.
    scene.peer.set_next_message(0);
    deliver(&mut scene, COOKIE);
    assert_eq!(scene.outcome(), Outcome::Waiting);
    let second = hellos(&mut scene).remove(0);
    let (first, second) =
        (ClientHello::from_bytes(&first).expect("a hello"), ClientHello::from_bytes(&second).expect("one"));
    assert!(second.cookie.is_empty() && second.random == first.random);
    let cookie = second.extensions.find::<Cookie<'_>>().expect("readable").expect("it was asked for");
    assert_eq!(Some(cookie.cookie), COOKIE.cookie);
}

/// A server that has asked for a share of P-256, and the bodies of its client's two hellos.
fn asked() -> (Scene, Vec<u8>, Vec<u8>) {
    let mut client = client();
    let first = hellos(&mut client).remove(0);
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity)
        .with_versions(&[ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2])
        .with_groups(&[NamedGroup::SECP256R1]);
    let mut server = Scene::server(server.build().expect("a configuration"), 1);
    say_hello(&mut server, &first);
    let request = hellos(&mut server).remove(0);
    let message = client.peer.message_of(HandshakeType::SERVER_HELLO, &request);
    again(&mut client, &message);
    let second = hellos(&mut client).remove(0);
    (server, first, second)
}

fn say_hello(server: &mut Scene, body: &[u8]) {
    let message = server.peer.message_of(HandshakeType::CLIENT_HELLO, body);
    again(server, &message);
}

#[test] // RFC 9846 §4.2.4
fn a_server_asks_for_a_share_of_its_group_and_goes_on() {
    let (mut server, _, second) = asked();
    say_hello(&mut server, &second);
    assert_eq!(server.outcome(), Outcome::Waiting);
    let answer = hellos(&mut server).remove(0);
    let answer = ServerHello::from_bytes(&answer).expect("a hello");
    assert!(!answer.is_hello_retry_request());
}

#[test] // RFC 9846 §4.3
fn a_second_hello_may_have_its_extensions_in_another_order() {
    let (mut server, _, second) = asked();
    let second = ClientHello::from_bytes(&second).expect("a hello");
    let mut turned: Vec<_> = second.extensions.iter().collect();
    turned.reverse();
    let mut extensions = ExtensionsBuf::new();
    turned.into_iter().for_each(|(extension, content)| extensions.push_raw(extension, content));
    let changed = ClientHello { extensions: extensions.as_extensions(), ..second };
    say_hello(&mut server, &changed.to_vec().expect("short"));
    assert_eq!(server.outcome(), Outcome::Waiting);
    assert!(!hellos(&mut server).is_empty(), "it goes on");
}

#[test] // RFC 9846 §4.2.2
fn a_second_hello_that_changes_more_than_it_may_is_refused() {
    let hello = |bytes| ClientHello::from_bytes(bytes).expect("a hello");
    let (mut server, first, _) = asked();
    say_hello(&mut server, &first);
    failed(&server, PeerFault::ChangedAfterRetry);

    let (_, _, second) = asked();
    let second = hello(&second);
    let (random, suites): (_, OwnedList<CipherSuite>) = (Random([6; 32]), [SUITE].into_iter().collect());
    let mut extensions = ExtensionsBuf::new();
    second.extensions.iter().for_each(|(extension, content)| extensions.push_raw(extension, content));
    extensions.push_raw(ExtensionType(0xFFEE), &[1]);
    for changed in [
        ClientHello { random, ..second },
        ClientHello { session_id: &[1], ..second },
        ClientHello { cipher_suites: suites.as_list(), ..second },
        ClientHello { extensions: extensions.as_extensions(), ..second },
    ] {
        let (mut server, ..) = asked();
        say_hello(&mut server, &changed.to_vec().expect("short"));
        failed(&server, PeerFault::ChangedAfterRetry);
    }
}

#[test] // RFC 9147 §5.1
fn a_cookie_that_nobody_gave_is_refused() {
    let with_cookie = |body: &[u8]| {
        let hello = ClientHello::from_bytes(body).expect("a hello");
        let mut extensions = ExtensionsBuf::new();
        hello.extensions.iter().for_each(|(extension, content)| extensions.push_raw(extension, content));
        extensions.push(&Cookie { cookie: &[7; 54] });
        ClientHello { extensions: extensions.as_extensions(), ..hello }.to_vec().expect("short")
    };
    let (mut server, _, second) = asked();
    say_hello(&mut server, &with_cookie(&second));
    failed(&server, PeerFault::ChangedAfterRetry);

    let first = hellos(&mut client()).remove(0);
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity).with_versions(&[ProtocolVersion::DTLS1_3]);
    let mut server = Scene::server(server.build().expect("a configuration"), 0);
    say_hello(&mut server, &with_cookie(&first));
    failed(&server, PeerFault::InvalidCookie);
}
