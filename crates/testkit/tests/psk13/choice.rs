//! Which of several keys, or a key or a certificate: what servers prefer, and what they say of what they do not know
//! (RFC 9846 §4.3.11, §4.2.2, §F.6).

use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, Psk, ServerConfig};
use gramseal_proto::crypto::HashAlgorithm;
use gramseal_proto::wire::{
    AlertDescription, Codec, ContentType, ExtensionType, HandshakeType, NamedGroup, OwnedOpaqueList,
    PreSharedKeyClientHello, ProtocolVersion,
};
use gramseal_proto::{AuthenticateClientError, CloseReason, Error, Incompatible, PeerFault};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, first_hello, met, rebuilt};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::Sim;

use super::{
    Database, client, client_with_verifier, connect, connect_in, failure, imported, negotiated, psk, server,
    server_builder, server_with_certificate,
};

#[test]
fn of_several_keys_that_are_known_the_servers_order_decides() {
    let identity = |offered: Vec<Psk>, server: &Arc<ServerConfig>| {
        let identity = connect(&client_with_verifier(offered), server).psk_identity.expect("a key");
        String::from_utf8(identity).expect("a name of ours")
    };
    let list = server(vec![psk("a", 1), imported("b", 2, "x"), psk("c", 3)]);
    assert_eq!(identity(vec![psk("z", 1), psk("c", 3), psk("a", 1)], &list), "a");
    assert_eq!(identity(vec![psk("c", 3), imported("b", 2, "x")], &list), "b");
    // A database has no order of its own unless it says so.
    let database = ServerConfig::psk_builder(null::provider(2), Arc::new(Database)).build().expect("a server").into();
    let sha384 = |name| psk(name, 1).with_hash(HashAlgorithm::Sha384);
    assert_eq!(identity(vec![sha384("plain 2"), sha384("plain 1")], &database), "plain 2");
}

#[test]
fn a_certificate_goes_first_where_the_server_prefers_it() {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let builder = server_builder(vec![psk("a", 1)]).with_identity(identity).with_certificates_first();
    let prefers = Arc::new(builder.clone().build().expect("a server"));
    let agreed = connect(&client_with_verifier([psk("a", 1)]), &prefers);
    assert_eq!((agreed.psk_identity, agreed.peer_certificates.len()), (None, 1));
    // Who trusts no certificate can still have the key.
    assert!(connect(&client(psk("a", 1)), &prefers).psk_identity.is_some());
    // Sessions are resumed.
    let stores = Stores::new(Some(Resumption::Ticket));
    let verifier = Arc::new(null::NullVerifier::default());
    let client = ClientConfig::builder(null::provider(1), verifier).with_psk(psk("a", 1));
    let client = Arc::new(stores.client(client).build().expect("a client"));
    let server = Arc::new(stores.server(builder).build().expect("a server"));
    let resumed = [false, true].map(|_| {
        let mut sim = Sim::new(1).without_cookies();
        let pair = connect_in(&mut sim, &client, &server);
        sim.run_for(std::time::Duration::from_secs(1));
        negotiated(&sim, pair)[1].resumed
    });
    assert_eq!(resumed, [false, true]);
}

#[test] // RFC 4279 §2, RFC 9846 §4.3.11
fn servers_may_tell_that_they_know_no_such_key() {
    let telling = |versions: &[ProtocolVersion]| {
        let builder = server_builder(vec![psk("a", 1), imported("b", 2, "x")]).with_versions(versions);
        Arc::new(builder.with_unknown_psks_told().build().expect("a server"))
    };
    let (older, newer) = (telling(&[ProtocolVersion::DTLS1_2]), telling(&[ProtocolVersion::DTLS1_3]));
    let refused = |key, server| failure(&client(key), server)[1].clone();
    assert_eq!(refused(psk("z", 1), &newer), Some(Incompatible::NoPreSharedKey.into()));
    assert_eq!(refused(imported("b", 2, "y"), &newer), Some(Incompatible::NoPreSharedKey.into()));
    let unknown = Error::from(Incompatible::UnknownPskIdentity);
    assert_eq!(unknown.alert(), Some(AlertDescription::UNKNOWN_PSK_IDENTITY));
    assert_eq!(refused(psk("z", 1), &older), Some(unknown));
    assert_eq!(refused(psk("a", 2), &newer), Some(PeerFault::BinderMismatch.into()));
    assert_eq!(refused(psk("a", 1), &newer), None);
    assert_eq!(refused(psk("a", 1), &older), None);
}

#[test] // RFC 9846 §4.3.11
fn every_key_has_a_binder_and_every_binder_a_key() {
    let body = first_hello(&client(psk("a", 1)), null::SERVER_NAME);
    for servers in [server(vec![psk("a", 1)]), server_with_certificate(Vec::new())] {
        let two = rebuilt(&body, |list| {
            let (_, content) = list.last_mut().expect("extensions");
            let offer = PreSharedKeyClientHello::from_bytes(content).expect("well formed");
            let binders = OwnedOpaqueList::new([&[1; 32][..], &[2; 32]]).expect("short");
            let offer = PreSharedKeyClientHello { binders: binders.as_list(), ..offer };
            *content = offer.to_vec().expect("short");
        });
        let refused = met(&servers, &two).map(drop);
        assert_eq!(refused, Err(PeerFault::BinderCountMismatch.into()));
    }
    assert_eq!(Error::from(PeerFault::BinderCountMismatch).alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
}

#[test] // RFC 9846 §4.2.2
fn a_key_that_goes_with_the_suite_is_not_withdrawn() {
    let first = first_hello(&client_with_verifier([psk("a", 1)]), null::SERVER_NAME);
    let other = first_hello(&client_with_verifier([psk("z", 1)]), null::SERVER_NAME);
    let offer_in = |body: &[u8]| {
        let mut offer = Vec::new();
        rebuilt(body, |list| offer = list.last().expect("extensions").1.clone());
        offer
    };
    let p256 = [&[0, 69, 0, 23, 0, 65, 4][..], &[7; 64]].concat();
    let refused = |told: bool, offer: Option<Vec<u8>>| {
        let builder = server_builder(vec![psk("a", 1)]).with_groups(&[NamedGroup::SECP256R1]);
        let builder = if told { builder.with_unknown_psks_told() } else { builder };
        let mut scene = met(&builder.build().expect("a server").into(), &first).expect("asked for another share");
        let second = rebuilt(&first, |list| {
            list.pop();
            let share = list.iter_mut().find(|(extension, _)| *extension == ExtensionType::KEY_SHARE);
            share.expect("a share").1.clone_from(&p256);
            list.extend(offer.clone().map(|offer| (ExtensionType::PRE_SHARED_KEY, offer)));
        });
        let message = scene.peer.message_of(HandshakeType::CLIENT_HELLO, &second);
        let record = scene.peer.record(ContentType::HANDSHAKE, &message);
        scene.deliver([record]);
        match scene.outcome() {
            Outcome::Closed(CloseReason::Failed(error)) => error,
            outcome => panic!("not refused: {outcome:?}"),
        }
    };
    let missing = PeerFault::MissingExtension(ExtensionType::PRE_SHARED_KEY);
    for told in [false, true] {
        assert_eq!(refused(told, None), missing.into());
    }
    assert_eq!(refused(true, Some(offer_in(&other))), PeerFault::PskWithdrawn.into());
    // Or else everybody could find out which keys exist.
    assert_eq!(refused(false, Some(offer_in(&other))), PeerFault::BinderMismatch.into());
    assert_eq!(Error::from(PeerFault::PskWithdrawn).alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
}

#[test] // RFC 9846 §4.4.2, §F.1
fn who_came_with_a_key_from_elsewhere_is_not_asked_later() {
    let verifier = || Arc::new(null::NullVerifier::default());
    let stores = Stores::new(Some(Resumption::Ticket));
    let willing = |keys: Option<Psk>| {
        let builder = ClientConfig::builder(null::provider(1), verifier())
            .with_versions(&[ProtocolVersion::DTLS1_3])
            .with_identity(null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0))
            .with_post_handshake_auth();
        keys.into_iter().fold(builder, |builder, psk| builder.with_psk(psk))
    };
    let server = server_builder(vec![psk("a", 1)])
        .with_identity(null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0))
        .with_post_handshake_verifier(verifier());
    let server = Arc::new(stores.server(server).build().expect("a server"));
    let ask = |client: &Arc<ClientConfig>| {
        let mut sim = Sim::new(1).without_cookies();
        let pair = connect_in(&mut sim, client, &server);
        sim.run_for(std::time::Duration::from_secs(1));
        (negotiated(&sim, pair)[1].resumed, sim.authenticate_client(pair))
    };
    let with_key = stores.client(willing(Some(psk("a", 1)))).build().expect("a client").into();
    for resumed in [false, true] {
        assert_eq!(ask(&with_key), (resumed, Err(AuthenticateClientError::ExternalPsk)));
    }
    // A session that began with a certificate is none of a key.
    let stores = Stores::new(Some(Resumption::Ticket));
    let with_certificate = stores.client(willing(None)).build().expect("a client").into();
    for resumed in [false, true] {
        assert_eq!(ask(&with_certificate), (resumed, Ok(())));
    }

    let mut scene = Scene::client13(willing(Some(psk("a", 1))).build().expect("a client"), 1);
    scene.peer.resume(vec![1; 32], 0);
    scene.say(&[HandshakeType::SERVER_HELLO, HandshakeType::ENCRYPTED_EXTENSIONS, HandshakeType::FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
    let mut request = scene.peer.body_of(HandshakeType::CERTIFICATE_REQUEST);
    request.splice(..1, [1, 7]);
    scene.say_of(HandshakeType::CERTIFICATE_REQUEST, &request);
    let unexpected = PeerFault::UnexpectedMessage(HandshakeType::CERTIFICATE_REQUEST);
    assert_eq!(scene.outcome(), Outcome::Closed(CloseReason::Failed(Error::Peer(unexpected))));
}
