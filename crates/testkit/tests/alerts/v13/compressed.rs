//! Compressed certificates (RFC 8879): who gets them, and what is none.

use std::sync::Arc;

use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfig};
use gramseal_proto::crypto::SigningKey;
use gramseal_proto::wire::{
    AlertDescription as Alert, CertificateCompressionAlgorithm as Algorithm, CertificateType, Codec,
    CompressedCertificate, DecodeError, EncryptedExtensions, ExtensionType as Ext, Extensions, HandshakeType as T,
    ProtocolVersion, SignatureScheme,
};
use gramseal_proto::{CertificateFault, Error, PeerFault};
use gramseal_testkit::alloc_counter::memory;
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer13, Scene, Scene13};
use gramseal_testkit::sim::Side;

use super::{VERSIONS, assert_refused, client_after, send, server_after};
use crate::hello::{ClientFields, list16, written};

/// What the side under test is ready for.
const OFFERED: [Algorithm; 2] = [Algorithm::BROTLI, Algorithm::ZLIB];

fn client() -> ClientConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 500);
    let builder = null::client_config(2).with_versions(&VERSIONS).with_identity(identity);
    let builder = builder.with_certificate_compression([gramseal_compress::brotli(), gramseal_compress::zlib()]);
    builder.build().expect("a client configuration")
}

fn server(client_auth: ClientAuth) -> ServerConfig {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 500);
    let builder = null::server_config(3, identity).with_versions(&VERSIONS).with_client_auth(client_auth);
    let builder = builder.with_certificate_compression([gramseal_compress::brotli(), gramseal_compress::zlib()]);
    builder.build().expect("a server configuration")
}

/// A side that waits for its peer's certificate.
fn waiting(under_test: Side) -> Scene13 {
    let mut scene = match under_test {
        Side::Client => Scene13::client13(client(), 1),
        Side::Server => Scene13::server13(server(ClientAuth::Required(Arc::new(NullVerifier::default()))), 1),
    };
    match under_test {
        Side::Client => scene.say(&[T::SERVER_HELLO, T::ENCRYPTED_EXTENSIONS]),
        Side::Server => scene.say(&[T::CLIENT_HELLO]),
    }
    scene
}

fn says(under_test: Side, body: &[u8]) -> Scene13 {
    let mut scene = waiting(under_test);
    send(&mut scene, T::COMPRESSED_CERTIFICATE, body);
    scene
}

#[track_caller]
fn refused(scene: Scene13, error: impl Into<Error>, alert: Alert) {
    // A server could write application data by now.
    let epoch = if scene.peer.side() == Side::Server { 2 } else { 3 };
    assert_refused(scene, epoch, error, alert);
}

#[track_caller]
fn bad(under_test: Side, body: &[u8]) {
    refused(says(under_test, body), PeerFault::BadCompressedCertificate, Alert::BAD_CERTIFICATE);
}

/// A message of the peer's with these fields.
fn message(algorithm: Algorithm, uncompressed_length: usize, compressed: &[u8]) -> Vec<u8> {
    let uncompressed_length = u32::try_from(uncompressed_length).expect("below 2^24");
    CompressedCertificate { algorithm, uncompressed_length, compressed }.to_vec().expect("below 2^24")
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    gramseal_compress::zlib().compress(plain).expect("possible")
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    message(Algorithm::ZLIB, plain.len(), &zlib(plain))
}

fn plain(under_test: Side) -> Vec<u8> {
    waiting(under_test).peer.body_of(T::CERTIFICATE)
}

#[test] // RFC 8879 §4: it replaces the message, in the transcript as well
fn a_compressed_certificate_is_taken_like_the_message_that_it_replaces() {
    for side in Side::BOTH {
        for algorithm in OFFERED {
            let plain = plain(side);
            let compression = gramseal_compress::all().into_iter().find(|one| one.algorithm() == algorithm);
            let content = compression.expect("known").compress(&plain).expect("possible");
            let mut scene = says(side, &message(algorithm, plain.len(), &content));
            scene.say(&[T::CERTIFICATE_VERIFY, T::FINISHED]);
            assert_eq!(scene.outcome(), Outcome::Connected, "{side:?}");
            let agreed = scene.connection().negotiated().expect("connected");
            assert_eq!((agreed.peer_certificates.len(), agreed.peer_certificate_compression), (1, Some(algorithm)));
        }
    }
}

/// A server that shows itself in this form, with an extension to it, and all of that compressed.
fn shows(form: CertificateType, shown: &[u8], extensions: &[(Ext, &[u8])]) -> Scene13 {
    let forms = [CertificateType::X509, CertificateType::RAW_PUBLIC_KEY];
    let verifier = NullVerifier::default().with_forms(&forms);
    let verifier = if extensions.is_empty() { verifier } else { verifier.with_staple(STAPLE) };
    let config = ClientConfig::builder(null::provider(2), Arc::new(verifier)).with_versions(&VERSIONS);
    let config = config.with_certificate_compression([gramseal_compress::zlib()]).build();
    let mut scene = Scene13::client13(config.expect("a client configuration"), 1);
    scene.say(&[T::SERVER_HELLO]);
    let block = |list: &[(Ext, &[u8])]| {
        written(|w| {
            w.vec16(|w| {
                for (extension, content) in list {
                    w.u16(extension.0);
                    w.vec16(|w| w.bytes(content));
                }
            });
        })
    };
    send(&mut scene, T::ENCRYPTED_EXTENSIONS, &block(&[(Ext::SERVER_CERTIFICATE_TYPE, &[form.0])]));
    let plain = written(|w| {
        w.vec8(|_| ());
        w.vec24(|w| {
            w.vec24(|w| w.bytes(shown));
            w.bytes(&block(extensions));
        });
    });
    send(&mut scene, T::COMPRESSED_CERTIFICATE, &compressed(&plain));
    scene
}

const STAPLE: &[u8] = b"a good response";

#[test] // RFC 8879 §4
fn raw_public_keys_and_statuses_may_be_compressed() {
    let key = NullKey::new(ToyKind::EcdsaP256, 1);
    let public_key = key.public_key().expect("known").to_vec();
    let end = null::certificate(null::SERVER_NAME, &key, 0);
    let status = [&[1, 0, 0, 15][..], STAPLE].concat();
    let stapled = |status: &[u8]| shows(CertificateType::X509, &end, &[(Ext::STATUS_REQUEST, status)]);
    for (mut scene, raw) in [
        (shows(CertificateType::RAW_PUBLIC_KEY, &public_key, &[]), Some(public_key.as_slice())),
        (stapled(&status), None),
    ] {
        scene.say(&[T::CERTIFICATE_VERIFY, T::FINISHED]);
        assert_eq!(scene.outcome(), Outcome::Connected);
        let agreed = scene.connection().negotiated().expect("connected");
        assert_eq!(agreed.peer_raw_public_key.as_deref(), raw);
        assert_eq!(agreed.peer_certificate_compression, Some(Algorithm::ZLIB));
    }
    refused(stapled(&[1, 0, 0, 1, 9]), CertificateFault::Refused, Alert::CERTIFICATE_UNKNOWN);
}

#[test] // RFC 8879 §4
fn what_was_not_offered() {
    for side in Side::BOTH {
        let plain = plain(side);
        for algorithm in [Algorithm::ZSTD, Algorithm(0), Algorithm(0x4000)] {
            let scene = says(side, &message(algorithm, plain.len(), &zlib(&plain)));
            refused(scene, PeerFault::UnofferedCertificateCompression, Alert::ILLEGAL_PARAMETER);
        }
        // Nothing at all.
        let mut scene = match side {
            Side::Client => client_after(3),
            Side::Server => server_after(1),
        };
        send(&mut scene, T::COMPRESSED_CERTIFICATE, &compressed(&plain));
        refused(scene, PeerFault::UnexpectedMessage(T::COMPRESSED_CERTIFICATE), Alert::UNEXPECTED_MESSAGE);
    }
}

#[test] // RFC 8879 §4, §5
fn what_cannot_be_decompressed_to_the_announced_length() {
    for side in Side::BOTH {
        let plain = plain(side);
        let content = zlib(&plain);
        for length in [0, 1, plain.len() - 1, plain.len() + 1, 65_536] {
            bad(side, &message(Algorithm::ZLIB, length, &content));
        }
        bad(side, &message(Algorithm::BROTLI, plain.len(), &content));
        bad(side, &message(Algorithm::ZLIB, plain.len(), b"something"));
        bad(side, &message(Algorithm::ZLIB, plain.len(), &content[..content.len() - 1]));
        bad(side, &message(Algorithm::ZLIB, plain.len(), &[&content[..], &[0]].concat()));
        // Too much, whether it is said or not.
        let much = vec![0; 1 << 20];
        bad(side, &message(Algorithm::ZLIB, plain.len(), &zlib(&much)));
    }
}

#[test] // RFC 8879 §5: the limit of messages that are not compressed
fn what_would_be_longer_than_a_message_may_be() {
    for side in Side::BOTH {
        // The certificate of a message as long as that is one that nobody believes.
        let longest = written(|w| {
            w.vec8(|_| ());
            w.vec24(|w| {
                w.vec24(|w| w.bytes(&[0; 65_536 - 9]));
                w.vec16(|_| ());
            });
        });
        assert_eq!(longest.len(), 65_536);
        let scene = says(side, &compressed(&longest));
        refused(scene, CertificateFault::BadEncoding, Alert::BAD_CERTIFICATE);
        for length in [65_537, 1 << 20, (1 << 24) - 1] {
            let compressed = message(Algorithm::ZLIB, length, &zlib(&vec![0; length]));
            let memory = memory(|| bad(side, &compressed));
            // All of the side under test and of its peer, in bytes.
            assert!(memory.most < 200_000, "{side:?}, {length}: {memory:?}");
        }
    }
}

#[test] // RFC 8879 §4, §5
fn messages_that_cannot_be_read_before_or_after() {
    for side in Side::BOTH {
        let good = compressed(&plain(side));
        let decode = |body: &[u8], error| refused(says(side, body), error, Alert::DECODE_ERROR);
        decode(&[], DecodeError::Truncated);
        decode(&good[..good.len() - 1], DecodeError::Truncated);
        decode(&[&good[..], &[0]].concat(), DecodeError::TrailingBytes);
        decode(&[0, 1, 0, 0, 9, 0, 0, 0], DecodeError::EmptyVector);
        // What comes out is treated as if it had not been compressed.
        decode(&compressed(&[0, 0, 0]), DecodeError::Truncated);
        decode(&compressed(&[&plain(side)[..], &[0]].concat()), DecodeError::TrailingBytes);
        let in_context = compressed(&[&[1, 7], &plain(side)[1..]].concat());
        refused(says(side, &in_context), PeerFault::CertificateContextMismatch, Alert::ILLEGAL_PARAMETER);
    }
    let nothing = says(Side::Client, &compressed(&[0; 4]));
    refused(nothing, PeerFault::EmptyCertificate, Alert::DECODE_ERROR);
}

fn algorithms(list: &[Algorithm]) -> Vec<u8> {
    written(|w| w.vec8(|w| list.iter().for_each(|algorithm| w.u16(algorithm.0))))
}

/// The type of the certificate message that a server shows to a client which says this.
fn shown_to(content: Option<&[u8]>) -> T {
    let mut scene = Scene13::server13(server(ClientAuth::None), 1);
    let mut fields = ClientFields::of(&scene.peer.body_of(T::CLIENT_HELLO));
    if let Some(content) = content {
        fields.extensions.push(Ext::COMPRESS_CERTIFICATE, content);
    }
    send(&mut scene, T::CLIENT_HELLO, &fields.body());
    let shown = scene.peer.received()[2].msg_type;
    scene.say(&[T::FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
    shown
}

#[test] // RFC 8879 §3, §4
fn a_server_compresses_for_clients_that_can_undo_it() {
    assert_eq!(shown_to(None), T::CERTIFICATE);
    for list in [&[Algorithm::ZSTD][..], &[Algorithm(0x5A5A)]] {
        assert_eq!(shown_to(Some(&algorithms(list))), T::CERTIFICATE);
    }
    for list in [&[Algorithm::ZLIB][..], &[Algorithm(0x5A5A), Algorithm::ZLIB, Algorithm::BROTLI]] {
        assert_eq!(shown_to(Some(&algorithms(list))), T::COMPRESSED_CERTIFICATE);
    }
}

/// What a client sends to a server whose CertificateRequest says this.
fn shown_by_client(content: Option<&[u8]>) -> Scene13 {
    let mut scene = Scene13::client13(client(), 1);
    scene.say(&[T::SERVER_HELLO, T::ENCRYPTED_EXTENSIONS]);
    let request = written(|w| {
        w.vec8(|_| ());
        w.vec16(|w| {
            let schemes = list16([SignatureScheme::ECDSA_SECP256R1_SHA256]);
            let mut extension = |extension: Ext, content: &[u8]| {
                w.u16(extension.0);
                w.vec16(|w| w.bytes(content));
            };
            extension(Ext::SIGNATURE_ALGORITHMS, &schemes);
            if let Some(content) = content {
                extension(Ext::COMPRESS_CERTIFICATE, content);
            }
        });
    });
    send(&mut scene, T::CERTIFICATE_REQUEST, &request);
    scene
}

#[test] // RFC 8879 §3, §4
fn a_client_compresses_for_servers_that_can_undo_it() {
    let shown = |content: Option<&[u8]>| {
        let mut scene = shown_by_client(content);
        scene.say(&[T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED]);
        assert_eq!(scene.outcome(), Outcome::Connected);
        let own = scene.connection().negotiated().expect("connected").own_certificate_compression;
        (scene.peer.received()[1].msg_type, own)
    };
    assert_eq!(shown(None), (T::CERTIFICATE, None));
    assert_eq!(shown(Some(&algorithms(&[Algorithm::ZSTD]))), (T::CERTIFICATE, None));
    // Its own favourite.
    let both = algorithms(&[Algorithm::ZLIB, Algorithm::BROTLI]);
    assert_eq!(shown(Some(&both)), (T::COMPRESSED_CERTIFICATE, Some(Algorithm::BROTLI)));
}

#[test] // RFC 8879 §3
fn each_side_says_what_it_can_undo_where_it_expects_a_certificate() {
    let content = algorithms(&OFFERED);
    let hello = |config: ClientConfig| {
        let scene = Scene13::client13(config, 1);
        ClientFields::of(&scene.peer.received()[0].body).extensions.get(Ext::COMPRESS_CERTIFICATE)
    };
    assert_eq!(hello(client()), Some(content.clone()));
    assert_eq!(hello(super::client()), None);
    let older = null::client_config(2).with_versions(&[ProtocolVersion::DTLS1_2]);
    let older = older.with_certificate_compression(gramseal_compress::all()).build().expect("a client");
    assert_eq!(hello(older), None, "1.2 does not have it");

    let request = |config: ServerConfig| {
        let mut scene = Scene13::server13(config, 1);
        scene.say(&[T::CLIENT_HELLO]);
        let request = scene.peer.received().iter().find(|message| message.msg_type == T::CERTIFICATE_REQUEST);
        let body = request.expect("a request").body.clone();
        let extensions = Extensions::from_bytes(&body[1..]).expect("extensions");
        extensions.get(Ext::COMPRESS_CERTIFICATE).map(<[u8]>::to_vec)
    };
    assert_eq!(request(server(super::required())), Some(content));
    assert_eq!(request(super::server(super::required())), None);
}

#[test] // RFC 8879 §3
fn lists_of_algorithms_that_cannot_be_read() {
    for (content, error) in [
        (&[][..], DecodeError::Truncated),
        (&[0], DecodeError::EmptyVector),
        (&[1, 0], DecodeError::BadVectorLength),
        (&[2, 0, 1, 0], DecodeError::TrailingBytes),
    ] {
        refused(shown_by_client(Some(content)), error, Alert::DECODE_ERROR);
        let mut scene = Scene13::server13(server(ClientAuth::None), 1);
        let mut fields = ClientFields::of(&scene.peer.body_of(T::CLIENT_HELLO));
        fields.extensions.push(Ext::COMPRESS_CERTIFICATE, content);
        send(&mut scene, T::CLIENT_HELLO, &fields.body());
        assert_refused(scene, 0, error, Alert::DECODE_ERROR);
    }
}

#[test] // RFC 8879 §3: nothing answers it
fn an_answer_of_a_server() {
    let mut scene = Scene13::client13(client(), 1);
    scene.say(&[T::SERVER_HELLO]);
    let content = algorithms(&[Algorithm::ZLIB]);
    let list = written(|w| {
        w.vec16(|w| {
            w.u16(Ext::COMPRESS_CERTIFICATE.0);
            w.vec16(|w| w.bytes(&content));
        });
    });
    assert!(EncryptedExtensions::from_bytes(&list).is_ok());
    send(&mut scene, T::ENCRYPTED_EXTENSIONS, &list);
    refused(scene, PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 8879 §3
fn a_server_of_1_2_ignores_the_extension() {
    for content in [&[2, 0, 1][..], &[0], &[]] {
        let mut scene = Scene::server(server(ClientAuth::None), 1);
        let mut fields = ClientFields::of(&scene.peer.body_of(T::CLIENT_HELLO));
        fields.extensions.push(Ext::COMPRESS_CERTIFICATE, content);
        crate::send(&mut scene, T::CLIENT_HELLO, &fields.body());
        assert_eq!(scene.outcome(), Outcome::Waiting);
        assert!(scene.peer.received().iter().any(|message| message.msg_type == T::CERTIFICATE));
    }
}

#[test] // RFC 8879 §3, RFC 9846 §4.7.2
fn a_compressed_answer_after_the_handshake() {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let config = null::server_config(3, identity).with_versions(&VERSIONS);
    let config = config.with_post_handshake_verifier(Arc::new(NullVerifier::default()));
    let config = config.with_certificate_compression([gramseal_compress::brotli(), gramseal_compress::zlib()]);
    let config = Arc::new(config.build().expect("a server"));
    let body = Peer13::certificate_body(null::CLIENT_NAME, &NullKey::new(ToyKind::EcdsaP256, 1));
    let answer = |algorithm| {
        let (mut scene, context) = super::asked::asking(config.clone());
        let body = super::asked::in_context(&context, &body);
        scene.say_of(T::COMPRESSED_CERTIFICATE, &message(algorithm, body.len(), &zlib(&body)));
        scene
    };
    let mut scene = answer(Algorithm::ZLIB);
    scene.say(&[T::CERTIFICATE_VERIFY]);
    super::asked::say_finished(&mut scene);
    let agreed = scene.connection().negotiated().expect("connected");
    assert_eq!((agreed.peer_certificates.len(), agreed.peer_certificate_compression), (1, Some(Algorithm::ZLIB)));
    for (algorithm, error, alert) in [
        (Algorithm::ZSTD, PeerFault::UnofferedCertificateCompression, Alert::ILLEGAL_PARAMETER),
        (Algorithm::BROTLI, PeerFault::BadCompressedCertificate, Alert::BAD_CERTIFICATE),
    ] {
        super::post::refused(answer(algorithm), error, alert);
    }
}
