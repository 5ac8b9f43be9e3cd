//! What peers can get wrong in use_srtp, record_size_limit and max_fragment_length, and extensions
//! that are never answered.

use gramseal_proto::config::{ClientConfigBuilder, ServerConfigBuilder};
use gramseal_proto::wire::{
    AlertDescription as Alert, Codec, ContentType, DecodeError, ExtensionType as Ext, HandshakeType, ServerHello,
    SrtpProfile,
};
use gramseal_proto::{CloseReason, Connection, Error, PeerFault};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer, Scene};

use crate::hello::{ClientFields, ServerFields};
use crate::{assert_refused, send};

const GCM: SrtpProfile = SrtpProfile::AEAD_AES_128_GCM;

fn client() -> ClientConfigBuilder {
    null::client_config(2).with_srtp(&[GCM]).with_srtp_mki([1, 2]).with_record_size_limit(500)
}

fn server() -> ServerConfigBuilder {
    null::server_config(3, null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0)).with_srtp(&[GCM])
}

/// Answers the hello of `client` with one more extension for each of `extensions`.
fn answer(client: ClientConfigBuilder, extensions: &[(Ext, &[u8])]) -> Scene {
    let mut scene = Scene::client(client.build().expect("a client configuration"), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    extensions.iter().for_each(|(ty, content)| fields.extensions.push(*ty, content));
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    scene
}

/// Says hello to the server with one more extension for each of `extensions`.
fn say_hello(extensions: &[(Ext, &[u8])]) -> Scene {
    let mut scene = Scene::server(server().build().expect("a server configuration"), 1);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    extensions.iter().for_each(|(ty, content)| fields.extensions.push(*ty, content));
    let message = scene.peer.message_of(HandshakeType::CLIENT_HELLO, &fields.body());
    for fragment in Peer::fragment(&message, 16_000) {
        let record = scene.peer.record(ContentType::HANDSHAKE, &fragment);
        scene.deliver([record]);
    }
    scene
}

/// The content of an extension in the server's answer.
fn answered(scene: &Scene, ty: Ext) -> Option<Vec<u8>> {
    let hello = scene.peer.received().iter().find(|message| message.msg_type == HandshakeType::SERVER_HELLO);
    let hello = ServerHello::from_bytes(&hello.expect("the server answers").body).expect("it can be read");
    hello.extensions.get(ty).map(<[u8]>::to_vec)
}

/// Plays what is left of a handshake in which the peer's hello has been sent.
#[track_caller]
fn finish(scene: &mut Scene) {
    let rest = [&scene.first_flight(false)[1..], &scene.last_flight(false)].concat();
    scene.play(&rest);
    assert_eq!(scene.outcome(), Outcome::Connected);
}

#[test] // RFC 5764 §4.1.1
fn srtp_profiles_that_a_server_may_not_answer() {
    let other = answer(client(), &[(Ext::USE_SRTP, &[0, 2, 0, 1, 0])]);
    assert_refused(&other, PeerFault::UnofferedSrtpProfile, Alert::ILLEGAL_PARAMETER);
    let two = answer(client(), &[(Ext::USE_SRTP, &[0, 4, 0, 7, 0, 7, 0])]);
    assert_refused(&two, DecodeError::BadVectorLength, Alert::DECODE_ERROR);
    let none = answer(client(), &[(Ext::USE_SRTP, &[0, 0, 0])]);
    assert_refused(&none, DecodeError::EmptyVector, Alert::DECODE_ERROR);
    let half = answer(client(), &[(Ext::USE_SRTP, &[0, 3, 0, 7, 0, 0])]);
    assert_refused(&half, DecodeError::BadVectorLength, Alert::DECODE_ERROR);
    let trailing = answer(client(), &[(Ext::USE_SRTP, &[0, 2, 0, 7, 0, 0])]);
    assert_refused(&trailing, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
    let unasked = answer(null::client_config(2), &[(Ext::USE_SRTP, &[0, 2, 0, 7, 0])]);
    assert_refused(&unasked, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
}

#[test] // RFC 5764 §4.1.3 with erratum 3971
fn a_master_key_identifier_is_ours_or_none() {
    for foreign in [&[0, 2, 0, 7, 1, 1][..], &[0, 2, 0, 7, 2, 1, 3], &[0, 2, 0, 7, 3, 1, 2, 0]] {
        let scene = answer(client(), &[(Ext::USE_SRTP, foreign)]);
        assert_refused(&scene, PeerFault::SrtpMkiMismatch, Alert::ILLEGAL_PARAMETER);
    }
    let unasked = null::client_config(2).with_srtp(&[GCM]);
    let scene = answer(unasked, &[(Ext::USE_SRTP, &[0, 2, 0, 7, 1, 1])]);
    assert_refused(&scene, PeerFault::SrtpMkiMismatch, Alert::ILLEGAL_PARAMETER);

    for (answered, mki) in [(&[0, 2, 0, 7, 2, 1, 2][..], &[1, 2][..]), (&[0, 2, 0, 7, 0], &[])] {
        let mut scene = answer(client(), &[(Ext::USE_SRTP, answered)]);
        finish(&mut scene);
        let srtp = Connection::negotiated(scene.connection()).and_then(|agreed| agreed.srtp.as_ref());
        assert_eq!(srtp.map(|srtp| (srtp.profile, srtp.mki.as_slice())), Some((GCM, mki)));
    }
}

#[test] // RFC 5764 §4.1.1, §4.1.3
fn a_server_answers_one_profile_and_no_master_key_identifier() {
    // As much as a hello has room for where no certificates are asked for, the one that both know at its end, and the
    // longest identifier.
    let long = [&[0x3A, 0x98][..], &[0x0A, 0x0A].repeat(7499), &[0, 7, 255], &[9; 255]].concat();
    for offer in [&[0, 4, 0, 1, 0, 7, 0][..], &[0, 2, 0, 7, 2, 9, 9], &long] {
        let mut scene = say_hello(&[(Ext::USE_SRTP, offer)]);
        assert_eq!(answered(&scene, Ext::USE_SRTP), Some(vec![0, 2, 0, 7, 0]));
        finish(&mut scene);
    }
    let none = say_hello(&[(Ext::USE_SRTP, &[0, 4, 0, 1, 0, 8, 0])]);
    assert_eq!(answered(&none, Ext::USE_SRTP), None);
}

#[test]
fn srtp_offers_that_cannot_be_read() {
    for (offer, error) in [
        (&[][..], DecodeError::Truncated),
        (&[0, 0, 0], DecodeError::EmptyVector),
        (&[0, 3, 0, 7, 0, 0], DecodeError::BadVectorLength),
        (&[0, 2, 0, 7], DecodeError::Truncated),
        (&[0, 2, 0, 7, 1], DecodeError::Truncated),
        (&[0, 2, 0, 7, 0, 0], DecodeError::TrailingBytes),
    ] {
        let scene = say_hello(&[(Ext::USE_SRTP, offer)]);
        assert_refused(&scene, error, Alert::DECODE_ERROR);
        // What is told of it helps to find who is at fault.
        let Outcome::Closed(CloseReason::Failed(refused @ Error::Decode(malformed))) = scene.outcome() else {
            panic!("{:?}", scene.outcome());
        };
        assert_eq!(malformed.message, Some(HandshakeType::CLIENT_HELLO));
        assert_eq!(malformed.extension, Some(Ext::USE_SRTP));
        let told = format!("the peer's ClientHello cannot be read: use_srtp: {error} (alert sent: decode_error)");
        assert_eq!(refused.to_string(), told);
    }
}

const SIZE: Ext = Ext::RECORD_SIZE_LIMIT;
const FRAGMENT: Ext = Ext::MAX_FRAGMENT_LENGTH;

#[test] // RFC 8449 §4, §5
fn record_size_limits_that_a_server_may_not_answer() {
    for wrong in [0u16, 1, 63, 0x4001, 0xFFFF] {
        let scene = answer(client(), &[(SIZE, &wrong.to_be_bytes())]);
        assert_refused(&scene, PeerFault::BadRecordSizeLimit, Alert::ILLEGAL_PARAMETER);
    }
    for right in [64u16, 0x4000] {
        let mut scene = answer(client(), &[(SIZE, &right.to_be_bytes())]);
        finish(&mut scene);
    }
    let short = answer(client(), &[(SIZE, &[64])]);
    assert_refused(&short, DecodeError::Truncated, Alert::DECODE_ERROR);
    let both = answer(client().with_max_fragment_length(512), &[(SIZE, &[1, 0]), (FRAGMENT, &[1])]);
    assert_refused(&both, PeerFault::TwoRecordLimits, Alert::ILLEGAL_PARAMETER);
    let unasked = answer(null::client_config(2), &[(SIZE, &[1, 0])]);
    assert_refused(&unasked, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
}

#[test] // RFC 6066 §4
fn a_maximum_fragment_length_is_answered_with_the_same() {
    for wrong in [0, 1, 3, 5, 255] {
        let scene = answer(client().with_max_fragment_length(1024), &[(FRAGMENT, &[wrong])]);
        assert_refused(&scene, PeerFault::BadMaxFragmentLength, Alert::ILLEGAL_PARAMETER);
    }
    let mut same = answer(client().with_max_fragment_length(1024), &[(FRAGMENT, &[2])]);
    finish(&mut same);
    assert_eq!(same.connection().max_payload(), 1024);
    let unasked = answer(client(), &[(FRAGMENT, &[2])]);
    assert_refused(&unasked, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
}

#[test] // RFC 8449 §4, §5
fn record_size_limits_of_clients() {
    for wrong in [0u16, 1, 63] {
        let scene = say_hello(&[(SIZE, &wrong.to_be_bytes())]);
        assert_refused(&scene, PeerFault::BadRecordSizeLimit, Alert::ILLEGAL_PARAMETER);
    }
    // A larger one may come from another version of the protocol.
    for (limit, payload) in [(64, 64), (0x4000, 0x4000), (0x4001, 0x4000), (0xFFFF, 0x4000)] {
        let mut scene = say_hello(&[(SIZE, &u16::to_be_bytes(limit))]);
        assert_eq!(answered(&scene, SIZE), Some(vec![0x40, 0]));
        finish(&mut scene);
        scene.connection().set_mtu(65_507);
        assert_eq!(scene.connection().max_payload(), payload, "{limit}");
    }
    for length in [&[][..], &[64], &[0, 64, 0]] {
        let scene = say_hello(&[(SIZE, length)]);
        let error = if length.len() < 2 { DecodeError::Truncated } else { DecodeError::TrailingBytes };
        assert_refused(&scene, error, Alert::DECODE_ERROR);
    }
}

#[test] // RFC 6066 §4
fn maximum_fragment_lengths_of_clients() {
    for wrong in [0, 5, 255] {
        let scene = say_hello(&[(FRAGMENT, &[wrong])]);
        assert_refused(&scene, PeerFault::BadMaxFragmentLength, Alert::ILLEGAL_PARAMETER);
    }
    let mut scene = say_hello(&[(FRAGMENT, &[1])]);
    assert_eq!(answered(&scene, FRAGMENT), Some(vec![1]));
    finish(&mut scene);
    assert_eq!(scene.connection().max_payload(), 512);
}

#[test] // RFC 8449 §5
fn beside_record_size_limit_a_maximum_fragment_length_is_ignored_whatever_it_says() {
    for ignored in [&[1][..], &[9], &[], &[1, 1]] {
        let scene = say_hello(&[(FRAGMENT, ignored), (SIZE, &[1, 0])]);
        assert_eq!((answered(&scene, SIZE), answered(&scene, FRAGMENT)), (Some(vec![0x40, 0]), None));
    }
}

#[test] // RFC 7366 §3, RFC 6066 §7: they concern cipher suites that we do not have
fn what_concerns_block_ciphers_and_hmac_is_not_answered() {
    for ty in [Ext::ENCRYPT_THEN_MAC, Ext::TRUNCATED_HMAC] {
        let mut offered = say_hello(&[(ty, &[])]);
        assert_eq!(answered(&offered, ty), None);
        finish(&mut offered);
        let unasked = answer(client(), &[(ty, &[])]);
        assert_refused(&unasked, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
    }
}
