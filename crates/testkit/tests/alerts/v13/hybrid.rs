//! Groups with encapsulation, whose shares are large and differ from side to side (draft-ietf-tls-ecdhe-mlkem).

use std::sync::Arc;

use gramseal_proto::config::{ClientAuth, ClientConfig, ClientConfigBuilder, ServerConfig};
use gramseal_proto::crypto::{ActiveKx, CryptoError, CryptoProvider, KxError, KxGroup, SecureRandom, SharedSecret};
use gramseal_proto::wire::{
    AlertDescription as Alert, ClientHello, Codec, DecodeError, ExtensionType as Ext, HandshakeType, NamedGroup,
    ServerHello,
};
use gramseal_proto::{Error, Incompatible, LocalFault, PeerFault};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer13, Received, Scene13};

use super::{VERSIONS, assert_refused, send, shares};
use crate::hello::{ClientFields, ServerFields, list16, written};

const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;
const OTHER: NamedGroup = NamedGroup::SECP256R1MLKEM768;
const GROUPS: [NamedGroup; 3] = [HYBRID, NamedGroup::X25519, NamedGroup::SECP256R1];
/// Shares of the two sides of `HYBRID`, in bytes.
const LENGTHS: [usize; 2] = [1216, 1120];

#[track_caller]
fn refused(scene: Scene13, error: impl Into<Error>, alert: Alert) {
    assert_refused(scene, 0, error, alert);
}

fn client(groups: &[NamedGroup], more: impl FnOnce(ClientConfigBuilder) -> ClientConfigBuilder) -> ClientConfig {
    let builder = null::client_config(2).with_versions(&VERSIONS).with_groups(groups);
    more(builder).build().expect("a client configuration")
}

fn at_once() -> ClientConfig {
    client(&GROUPS, ClientConfigBuilder::with_large_share_at_once)
}

fn server() -> ServerConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let builder = null::server_config(3, identity).with_versions(&VERSIONS).with_groups(&GROUPS);
    builder.with_client_auth(ClientAuth::None).build().expect("a server configuration")
}

/// The content of key_share in a ServerHello.
fn share(group: NamedGroup, len: usize) -> Vec<u8> {
    written(|w| {
        w.u16(group.0);
        w.vec16(|w| w.bytes(&vec![9; len]));
    })
}

/// The groups of which the hello has shares.
fn sent_shares(hello: &Received) -> Vec<NamedGroup> {
    let hello = ClientHello::from_bytes(&hello.body).expect("a hello");
    let offer = hello.extensions.find::<gramseal_proto::wire::KeyShareClientHello<'_>>();
    offer.expect("well formed").expect("there").client_shares.iter().map(|share| share.group).collect()
}

#[test]
fn a_first_hello_has_small_shares_unless_it_is_told_otherwise() {
    let cases: [(ClientConfig, &[NamedGroup]); 5] = [
        (client(&GROUPS, |ours| ours), &[NamedGroup::X25519]),
        (at_once(), &[HYBRID, NamedGroup::X25519]),
        (client(&[NamedGroup::SECP256R1, HYBRID], ClientConfigBuilder::with_large_share_at_once), &GROUPS[2..]),
        // Nothing small: the server has to ask.
        (client(&[HYBRID, OTHER], |ours| ours), &[]),
        (client(&[HYBRID, OTHER], ClientConfigBuilder::with_large_share_at_once), &[HYBRID]),
    ];
    for (config, expected) in cases {
        let scene = Scene13::client13(config, 1);
        assert_eq!(sent_shares(&scene.peer.received()[0]), expected);
        let large = expected.contains(&HYBRID);
        assert_eq!(scene.sent().len(), if large { 2 } else { 1 });
        let hello = ClientHello::from_bytes(&scene.peer.received()[0].body).expect("a hello");
        let listed = hello.extensions.find::<gramseal_proto::wire::SupportedGroups<'_>>();
        assert!(listed.expect("well formed").expect("there").groups.contains(&HYBRID));
    }
}

#[test] // RFC 9846 §4.2.2
fn a_client_follows_a_request_for_a_large_share_with_the_cookie_in_the_first_datagram() {
    for cookie in [None, Some(&[7; 100][..])] {
        let mut scene = Scene13::client13(client(&GROUPS, |ours| ours), 1);
        scene.take_sent();
        scene.say_of(HandshakeType::SERVER_HELLO, &Peer13::retry_body(Some(HYBRID), cookie));
        let second = scene.peer.received()[1].clone();
        assert_eq!(sent_shares(&second), [HYBRID]);
        let sent = scene.take_sent();
        assert_eq!(sent.len(), 2);
        if let Some(cookie) = cookie {
            let whole = |window: &[u8]| window == cookie;
            assert!(sent[0][..300].windows(cookie.len()).any(whole), "near the front of the first datagram");
            let hello = ClientHello::from_bytes(&second.body).expect("a hello");
            assert_eq!(hello.extensions.iter().next().map(|(extension, _)| extension), Some(Ext::COOKIE));
        }
        let rest = scene.handshake(false);
        scene.say(&rest);
        assert_eq!(scene.outcome(), Outcome::Connected);
        assert_eq!(scene.connection().negotiated().and_then(|negotiated| negotiated.group), Some(HYBRID));
    }
}

#[test] // RFC 9846 §4.3.8
fn requests_for_large_shares_that_a_client_refuses() {
    let ask = |config: ClientConfig, group: NamedGroup| {
        let mut scene = Scene13::client13(config, 1);
        send(&mut scene, HandshakeType::SERVER_HELLO, &Peer13::retry_body(Some(group), None));
        scene
    };
    // Not offered; sent already, alone or beside another.
    let not_offered = ask(client(&GROUPS[1..], |ours| ours), HYBRID);
    refused(not_offered, PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    refused(ask(client(&GROUPS, |ours| ours), OTHER), PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    refused(ask(client(&GROUPS, |ours| ours), NamedGroup::X25519), PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    for sent in [HYBRID, NamedGroup::X25519] {
        refused(ask(at_once(), sent), PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    }
    // Half of it is a group of its own.
    refused(
        ask(client(&GROUPS, |ours| ours), NamedGroup::MLKEM768),
        PeerFault::UnofferedGroup,
        Alert::ILLEGAL_PARAMETER,
    );
}

/// Answers the hello of a client that sent a large share at once.
fn answer(content: &[u8]) -> Scene13 {
    let mut scene = Scene13::client13(at_once(), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    fields.extensions.replace(Ext::KEY_SHARE, content);
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    scene
}

#[test]
fn a_server_may_answer_either_share() {
    for group in [HYBRID, NamedGroup::X25519] {
        let mut scene = Scene13::client13_with(at_once(), 1, group);
        let honest = scene.handshake(false);
        scene.say(&honest);
        assert_eq!(scene.outcome(), Outcome::Connected);
        assert_eq!(scene.connection().negotiated().and_then(|negotiated| negotiated.group), Some(group));
    }
}

#[test] // draft-ietf-tls-ecdhe-mlkem §4.2
fn answers_of_a_wrong_length_or_group() {
    let [start, answered] = LENGTHS;
    for len in [start, answered - 1, answered + 1, answered - 32, 1088, 32, 1] {
        refused(answer(&share(HYBRID, len)), PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
    }
    // The null provider's ciphertexts show that they are none; so does a bad point.
    refused(answer(&share(HYBRID, answered)), PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
    for group in [OTHER, NamedGroup::SECP256R1, NamedGroup::MLKEM768] {
        refused(answer(&share(group, answered)), PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
    }
    refused(answer(&share(HYBRID, 0)), DecodeError::EmptyVector, Alert::DECODE_ERROR);
    // Listed, but nothing was sent of it.
    let mut scene = Scene13::client13(client(&GROUPS, |ours| ours), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    fields.extensions.replace(Ext::KEY_SHARE, &share(HYBRID, answered));
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    refused(scene, PeerFault::UnofferedGroup, Alert::ILLEGAL_PARAMETER);
}

/// Says hello to a server that prefers large shares, after `edit`.
fn say_hello(edit: impl FnOnce(&mut ClientFields)) -> Scene13 {
    let mut scene = Scene13::server13(server(), 1);
    scene.peer.set_group(HYBRID);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    edit(&mut fields);
    send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
    scene
}

#[test]
fn an_honest_share_is_answered_and_a_small_one_too() {
    let mut scene = say_hello(|_| ());
    let answer = ServerHello::from_bytes(&scene.peer.received()[0].body)
        .map(|hello| hello.extensions.get(Ext::KEY_SHARE).map(<[u8]>::len));
    assert_eq!(answer, Ok(Some(4 + LENGTHS[1])));
    scene.say(&[HandshakeType::FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
    // Without a cookie to ask for, a round trip costs more than the order is worth.
    let mut scene = Scene13::server13(server(), 1);
    let honest = scene.handshake(false);
    scene.say(&honest);
    let group = scene.connection().negotiated().and_then(|negotiated| negotiated.group);
    assert_eq!(group, Some(NamedGroup::X25519));
}

#[test] // draft-ietf-tls-ecdhe-mlkem §4.1, §4.2
fn shares_of_a_wrong_length_or_content() {
    let [start, answered] = LENGTHS;
    for len in [answered, start - 1, start + 1, start - 32, 1184, 32, 1, start] {
        let list = shares(&[(HYBRID, &vec![9; len])]);
        let scene = say_hello(|hello| hello.extensions.replace(Ext::KEY_SHARE, &list));
        refused(scene, PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
    }
    // Each half in the other's place.
    let turned = say_hello(|hello| {
        let own = hello.extensions.get(Ext::KEY_SHARE).expect("in every hello of 1.3");
        let share = [&own[6 + 1184..], &own[6..6 + 1184]].concat();
        hello.extensions.replace(Ext::KEY_SHARE, &shares(&[(HYBRID, &share)]));
    });
    refused(turned, PeerFault::BadKeyShare, Alert::ILLEGAL_PARAMETER);
    let unlisted = say_hello(|hello| hello.extensions.replace(Ext::SUPPORTED_GROUPS, &list16([NamedGroup::X25519])));
    refused(unlisted, PeerFault::BadKeyShareList, Alert::ILLEGAL_PARAMETER);
    let other = say_hello(|hello| {
        hello.extensions.replace(Ext::SUPPORTED_GROUPS, &list16([OTHER]));
        hello.extensions.replace(Ext::KEY_SHARE, &shares(&[]));
    });
    refused(other, Incompatible::NoCommonGroup, Alert::HANDSHAKE_FAILURE);
}

#[test] // draft-ietf-tls-ecdhe-mlkem: for 1.3
fn a_server_of_1_2_takes_no_such_group() {
    let mut scene = gramseal_testkit::peer::Scene::server(server(), 1);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    fields.extensions.replace(Ext::SUPPORTED_GROUPS, &list16([HYBRID, OTHER]));
    crate::send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
    crate::assert_refused(&scene, Incompatible::NoCommonGroup, Alert::HANDSHAKE_FAILURE);
}

/// Makes shares of X25519 and fails with every answer.
#[derive(Debug)]
struct Broken(&'static dyn KxGroup);

struct ActiveBroken(Box<dyn ActiveKx>);

impl KxGroup for Broken {
    fn name(&self) -> NamedGroup {
        self.0.name()
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        Ok(Box::new(ActiveBroken(self.0.start(random)?)))
    }
}

impl ActiveKx for ActiveBroken {
    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn complete(self: Box<Self>, _: &[u8]) -> Result<SharedSecret, KxError> {
        Err(KxError::Failed)
    }
}

#[test] // draft-ietf-tls-ecdhe-mlkem §4.2
fn the_fault_of_a_key_exchange_tells_whose_it_is() {
    let known = null::provider(3);
    let broken: &'static dyn KxGroup = Box::leak(Box::new(Broken(known.group(NamedGroup::X25519).expect("a group"))));
    let provider = Arc::new(CryptoProvider { groups: vec![broken], ..(*known).clone() });
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let config = ServerConfig::builder(provider.clone(), identity).with_versions(&VERSIONS[..1]);
    let mut scene = Scene13::server13(config.build().expect("a configuration"), 1);
    let body = scene.peer.body_of(HandshakeType::CLIENT_HELLO);
    send(&mut scene, HandshakeType::CLIENT_HELLO, &body);
    refused(scene, LocalFault::Crypto, Alert::INTERNAL_ERROR);

    let config = ClientConfig::builder(provider, Arc::new(null::NullVerifier::default())).with_versions(&VERSIONS[..1]);
    let mut scene = Scene13::client13(config.build().expect("a configuration"), 1);
    let body = scene.peer.body_of(HandshakeType::SERVER_HELLO);
    send(&mut scene, HandshakeType::SERVER_HELLO, &body);
    refused(scene, LocalFault::Crypto, Alert::INTERNAL_ERROR);
}
