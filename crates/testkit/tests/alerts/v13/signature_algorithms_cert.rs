//! Signatures in certificates: who says which it can check, and what it is shown then (RFC 9846 §4.3.3, §4.5.1.2).

use std::sync::Arc;

use gramseal_proto::config::{ClientAuth, ClientConfig, Identity, ServerConfig};
use gramseal_proto::wire::{
    AlertDescription as Alert, CertificateRequest13, ClientHello, Codec, DecodeError, ExtensionType as Ext, Extensions,
    HandshakeType, ProtocolVersion, SignatureAlgorithmsCert, SignatureScheme,
};
use gramseal_proto::{Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Scene13};

use super::choice::{certificate, shown};
use super::{VERSIONS, assert_refused, send};
use crate::hello::{ClientFields, ServerFields, list16, written};

const ECDSA: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
const ED25519: SignatureScheme = SignatureScheme::ED25519;
const RSA: SignatureScheme = SignatureScheme::RSA_PKCS1_SHA256;
const SHA1: SignatureScheme = SignatureScheme::RSA_PKCS1_SHA1;

fn client(schemes: &[SignatureScheme], versions: &[ProtocolVersion]) -> ClientConfig {
    let verifier = NullVerifier::default().with_certificate_schemes(schemes);
    let builder = ClientConfig::builder(null::provider(2), Arc::new(verifier)).with_versions(versions);
    builder.build().expect("a client configuration")
}

fn named(extensions: &Extensions<'_>) -> Option<Vec<SignatureScheme>> {
    let found = extensions.find::<SignatureAlgorithmsCert<'_>>().expect("well formed")?;
    Some(found.schemes.iter().collect())
}

/// What a client says whose verifier checks these.
fn said(schemes: &[SignatureScheme], versions: &[ProtocolVersion]) -> Option<Vec<SignatureScheme>> {
    let scene = Scene13::client13(client(schemes, versions), 1);
    named(&ClientHello::from_bytes(&scene.peer.received()[0].body).expect("a hello").extensions)
}

/// What a server says to clients that it asks for a certificate.
fn asked(schemes: &[SignatureScheme]) -> Option<Vec<SignatureScheme>> {
    let auth = ClientAuth::Optional(Arc::new(NullVerifier::default().with_certificate_schemes(schemes)));
    let builder = null::server_config(3, null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0));
    let config = builder.with_versions(&VERSIONS).with_client_auth(auth).build().expect("a server configuration");
    let mut scene = Scene13::server13(config, 1);
    scene.say(&[HandshakeType::CLIENT_HELLO]);
    named(&CertificateRequest13::from_bytes(&scene.peer.received()[2].body).expect("a request").extensions)
}

#[test] // RFC 9846 §4.3.3
fn signatures_in_certificates_are_named_where_they_are_others() {
    for schemes in [&[ED25519][..], &[RSA, SHA1, ECDSA]] {
        assert_eq!(said(schemes, &VERSIONS).as_deref(), Some(schemes));
        assert_eq!(said(schemes, &[ProtocolVersion::DTLS1_2]).as_deref(), Some(schemes));
        assert_eq!(asked(schemes).as_deref(), Some(schemes));
    }
    let mut same: Vec<_> = null::provider(2).verifiers.iter().map(|verifier| verifier.scheme).collect();
    same.reverse();
    for schemes in [&[][..], &same] {
        assert_eq!((said(schemes, &VERSIONS), asked(schemes)), (None, None));
    }
}

#[test] // RFC 9846 §4.3: it is a request without an answer
fn nobody_answers_a_list_of_signatures() {
    let mut scene = Scene13::client13(client(&[ED25519], &VERSIONS), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    fields.extensions.push(Ext::SIGNATURE_ALGORITHMS_CERT, &list16([ED25519]));
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    assert_refused(scene, 0, PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);

    let mut scene = Scene::client(client(&[ED25519], &VERSIONS), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    fields.extensions.push(Ext::SIGNATURE_ALGORITHMS_CERT, &list16([ED25519]));
    crate::send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    crate::assert_refused(&scene, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
}

/// With a key of `seed` and a chain that is signed with `scheme`.
fn identity(seed: u64, scheme: SignatureScheme) -> Identity {
    let key = NullKey::new(ToyKind::EcdsaP256, seed);
    let chain = vec![null::certificate(null::SERVER_NAME, &key, 0)];
    Identity::new(chain, Arc::new(key)).expect("a chain").with_certificate_schemes(vec![scheme])
}

/// A server with these identities that has heard a hello with these lists.
fn greeted(identities: &[Identity], in_certificates: Option<&[SignatureScheme]>) -> Scene13 {
    let (first, others) = identities.split_first().expect("at least one");
    let mut builder = ServerConfig::builder(null::provider(3), first.clone());
    for identity in others {
        builder = builder.with_identity(identity.clone());
    }
    let mut scene = Scene13::server13(builder.with_versions(&VERSIONS).build().expect("a server configuration"), 1);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    if let Some(schemes) = in_certificates {
        fields.extensions.push(Ext::SIGNATURE_ALGORITHMS_CERT, &list16(schemes.iter().copied()));
    }
    scene.say_of(HandshakeType::CLIENT_HELLO, &fields.body());
    scene
}

#[test] // RFC 9846 §4.5.1.2
fn a_server_shows_a_chain_that_the_client_can_check() {
    let identities = [identity(1, RSA), identity(2, ECDSA), identity(3, ED25519)];
    let shows = |in_certificates: Option<&[SignatureScheme]>| {
        let scene = greeted(&identities, in_certificates);
        assert_eq!(scene.outcome(), Outcome::Waiting);
        shown(&scene)
    };
    // The scripted client signs, and understands, ECDSA alone.
    assert_eq!(shows(None), certificate(ToyKind::EcdsaP256, 2));
    assert_eq!(shows(Some(&[RSA])), certificate(ToyKind::EcdsaP256, 1));
    assert_eq!(shows(Some(&[ED25519])), certificate(ToyKind::EcdsaP256, 3));
    assert_eq!(shows(Some(&[RSA, ED25519])), certificate(ToyKind::EcdsaP256, 1), "our preference");
    // Nothing fits: the client will see for itself.
    assert_eq!(shows(Some(&[SignatureScheme(0x5A5A)])), certificate(ToyKind::EcdsaP256, 1));
}

#[test] // RFC 9846 §4.5.1.2
fn sha1_is_shown_only_to_who_names_it() {
    let identities = [identity(1, SHA1)];
    assert_eq!(shown(&greeted(&identities, Some(&[ECDSA, SHA1]))), certificate(ToyKind::EcdsaP256, 1));
    for in_certificates in [None, Some(&[ECDSA][..])] {
        let scene = greeted(&identities, in_certificates);
        assert_refused(scene, 0, Incompatible::NoCommonSignatureScheme, Alert::HANDSHAKE_FAILURE);
    }
    let others = [identity(1, SHA1), identity(2, RSA)];
    assert_eq!(shown(&greeted(&others, None)), certificate(ToyKind::EcdsaP256, 2));
}

#[test] // RFC 9846 §6.2
fn lists_of_signatures_that_cannot_be_read() {
    assert_refused(greeted(&[identity(1, RSA)], Some(&[])), 0, DecodeError::EmptyVector, Alert::DECODE_ERROR);
}

#[test] // RFC 9846 §4.5.1.2
fn a_client_shows_a_chain_that_the_server_can_check() {
    let shows = |in_certificates: Option<&[SignatureScheme]>| {
        let mut builder = null::client_config(2).with_versions(&VERSIONS);
        for identity in [identity(1, SHA1), identity(2, RSA), identity(3, ED25519)] {
            builder = builder.with_identity(identity);
        }
        let mut scene = Scene13::client13(builder.build().expect("a client configuration"), 1);
        let honest = scene.handshake(true);
        scene.say(&honest[..2]);
        let request = written(|w| {
            w.vec8(|_| ());
            w.vec16(|w| {
                w.u16(Ext::SIGNATURE_ALGORITHMS.0);
                w.vec16(|w| w.bytes(&list16([ECDSA])));
                if let Some(schemes) = in_certificates {
                    w.u16(Ext::SIGNATURE_ALGORITHMS_CERT.0);
                    w.vec16(|w| w.bytes(&list16(schemes.iter().copied())));
                }
            });
        });
        scene.say_of(HandshakeType::CERTIFICATE_REQUEST, &request);
        scene.say(&honest[3..]);
        assert_eq!(scene.outcome(), Outcome::Connected);
        shown(&scene)
    };
    assert_eq!(shows(None), certificate(ToyKind::EcdsaP256, 2), "none fits, and SHA-1 is not named");
    assert_eq!(shows(Some(&[ED25519])), certificate(ToyKind::EcdsaP256, 3));
    assert_eq!(shows(Some(&[SHA1])), certificate(ToyKind::EcdsaP256, 1));
}
