//! Which of several credentials is shown, and to whom (RFC 9846 §4.3.4, §4.5.1.2).

use std::sync::Arc;

use gramseal_proto::PeerFault;
use gramseal_proto::config::{ClientAuth, ClientConfig, Identity, ServerConfig};
use gramseal_proto::wire::{
    AlertDescription as Alert, Certificate13, CertificateAuthorities, CertificateRequest13, ClientHello, Codec,
    ExtensionType as Ext, HandshakeType, ProtocolVersion, SignatureAlgorithms, SignatureScheme,
};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Scene13};

use super::{VERSIONS, assert_refused, send};
use crate::hello::{ClientFields, ServerFields, list16, written};

const A: [u8; 3] = [0x30, 1, 1];
const B: [u8; 3] = [0x30, 1, 2];
const ECDSA: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
const ED25519: SignatureScheme = SignatureScheme::ED25519;

fn verifier(authorities: &[[u8; 3]]) -> NullVerifier {
    NullVerifier::default().with_authorities(authorities.iter().map(|name| name.to_vec()).collect())
}

/// A client that trusts A and B, and says so or not.
fn client(versions: &[ProtocolVersion], says_so: bool) -> ClientConfig {
    let builder = ClientConfig::builder(null::provider(2), Arc::new(verifier(&[A, B]))).with_versions(versions);
    let builder = if says_so { builder.with_authorities_named() } else { builder };
    builder.build().expect("a client configuration")
}

/// The authorities in the hello of a client.
fn named(versions: &[ProtocolVersion], says_so: bool) -> Option<Vec<Vec<u8>>> {
    let scene = Scene13::client13(client(versions, says_so), 1);
    let hello = ClientHello::from_bytes(&scene.peer.received()[0].body).expect("a hello");
    let found = hello.extensions.find::<CertificateAuthorities<'_>>().expect("well formed")?;
    Some(found.authorities.iter().map(<[u8]>::to_vec).collect())
}

#[test] // RFC 9846 §4.3.4
fn a_client_names_its_authorities_where_that_is_wanted() {
    assert_eq!(named(&VERSIONS, true), Some(vec![A.to_vec(), B.to_vec()]));
    assert_eq!(named(&VERSIONS, false), None);
    assert_eq!(named(&[ProtocolVersion::DTLS1_2], true), None, "1.2 does not know it");
    let nobody = ClientConfig::builder(null::provider(2), Arc::new(verifier(&[]))).with_versions(&VERSIONS);
    let scene = Scene13::client13(nobody.with_authorities_named().build().expect("a client configuration"), 1);
    let hello = ClientHello::from_bytes(&scene.peer.received()[0].body).expect("a hello");
    assert!(!hello.extensions.contains(Ext::CERTIFICATE_AUTHORITIES), "a list of none is left out");
}

#[test] // RFC 9846 §4.3.4: it is a request without an answer
fn nobody_answers_a_list_of_authorities() {
    let list = written(|w| w.vec16(|w| w.vec16(|w| w.bytes(&A))));
    let mut scene = Scene13::client13(client(&VERSIONS, true), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    fields.extensions.push(Ext::CERTIFICATE_AUTHORITIES, &list);
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    assert_refused(scene, 0, PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);

    let mut scene = Scene13::client13(client(&VERSIONS, true), 1);
    scene.say(&[HandshakeType::SERVER_HELLO]);
    let [high, low] = Ext::CERTIFICATE_AUTHORITIES.0.to_be_bytes();
    let body = written(|w| {
        w.vec16(|w| {
            w.bytes(&[high, low]);
            w.vec16(|w| w.bytes(&list));
        });
    });
    send(&mut scene, HandshakeType::ENCRYPTED_EXTENSIONS, &body);
    assert_refused(scene, 2, PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);

    let mut scene = Scene::client(client(&VERSIONS, true), 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    fields.extensions.push(Ext::CERTIFICATE_AUTHORITIES, &list);
    crate::send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    crate::assert_refused(&scene, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
}

fn identity(kind: ToyKind, seed: u64, issuer: &[u8]) -> Identity {
    let key = NullKey::new(kind, seed);
    let chain = vec![null::certificate(null::SERVER_NAME, &key, 0)];
    Identity::new(chain, Arc::new(key)).expect("a chain").with_issuers(vec![issuer.to_vec()])
}

/// An ECDSA key by A, another one by B, an Ed25519 key by B.
fn identities() -> [Identity; 3] {
    [identity(ToyKind::EcdsaP256, 1, &A), identity(ToyKind::EcdsaP256, 2, &B), identity(ToyKind::Ed25519, 3, &B)]
}

/// The certificate in the latest Certificate message that `scene`'s peer received; `None` if it is empty.
pub(super) fn shown(scene: &Scene13) -> Option<Vec<u8>> {
    let messages = scene.peer.received().iter().rev();
    let message = messages.into_iter().find(|message| message.msg_type == HandshakeType::CERTIFICATE);
    let certificate = Certificate13::from_bytes(&message.expect("a Certificate").body).expect("well formed");
    certificate.entries.first().map(|entry| entry.certificate.to_vec())
}

pub(super) fn certificate(kind: ToyKind, seed: u64) -> Option<Vec<u8>> {
    Some(null::certificate(null::SERVER_NAME, &NullKey::new(kind, seed), 0).to_vec())
}

#[test] // RFC 9846 §4.5.1.2
fn a_server_shows_what_the_client_may_trust() {
    let shows = |edit: &dyn Fn(&mut ClientFields)| {
        let [first, second, third] = identities();
        let builder = ServerConfig::builder(null::provider(3), first).with_identity(second).with_identity(third);
        let mut scene = Scene13::server13(builder.with_versions(&VERSIONS).build().expect("a server configuration"), 1);
        let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
        edit(&mut fields);
        scene.say_of(HandshakeType::CLIENT_HELLO, &fields.body());
        assert_eq!(scene.outcome(), Outcome::Waiting);
        shown(&scene)
    };
    let trusts = |fields: &mut ClientFields, name: &[u8]| {
        let list = written(|w| w.vec16(|w| w.vec16(|w| w.bytes(name))));
        fields.extensions.push(Ext::CERTIFICATE_AUTHORITIES, &list);
    };
    assert_eq!(shows(&|_| ()), certificate(ToyKind::EcdsaP256, 1));
    assert_eq!(shows(&|hello| trusts(hello, &A)), certificate(ToyKind::EcdsaP256, 1));
    assert_eq!(shows(&|hello| trusts(hello, &B)), certificate(ToyKind::EcdsaP256, 2));
    let ed25519 = |hello: &mut ClientFields| {
        hello.extensions.replace(Ext::SIGNATURE_ALGORITHMS, &list16([ED25519]));
        trusts(hello, &B);
    };
    assert_eq!(shows(&ed25519), certificate(ToyKind::Ed25519, 3));
    // Nothing fits: the client will see for itself.
    assert_eq!(shows(&|hello| trusts(hello, &[0x30, 1, 9])), certificate(ToyKind::EcdsaP256, 1));
}

#[test] // RFC 9846 §4.5.1.2
fn a_client_shows_what_the_server_asks_for() {
    let shows = |schemes: &[SignatureScheme], name: Option<&[u8]>| {
        let mut builder = null::client_config(2).with_versions(&VERSIONS);
        for identity in identities() {
            builder = builder.with_identity(identity);
        }
        let mut scene = Scene13::client13(builder.build().expect("a client configuration"), 1);
        let honest = scene.handshake(true);
        scene.say(&honest[..2]);
        let list = written(|w| w.vec16(|w| w.vec16(|w| w.bytes(name.unwrap_or_default()))));
        let request = written(|w| {
            w.vec8(|_| ());
            w.vec16(|w| {
                w.u16(Ext::SIGNATURE_ALGORITHMS.0);
                w.vec16(|w| w.bytes(&list16(schemes.iter().copied())));
                if name.is_some() {
                    w.u16(Ext::CERTIFICATE_AUTHORITIES.0);
                    w.vec16(|w| w.bytes(&list));
                }
            });
        });
        scene.say_of(HandshakeType::CERTIFICATE_REQUEST, &request);
        scene.say(&honest[3..]);
        assert_eq!(scene.outcome(), Outcome::Connected);
        shown(&scene)
    };
    assert_eq!(shows(&[ECDSA, ED25519], None), certificate(ToyKind::EcdsaP256, 1));
    assert_eq!(shows(&[ECDSA, ED25519], Some(&B)), certificate(ToyKind::EcdsaP256, 2));
    assert_eq!(shows(&[ED25519], Some(&B)), certificate(ToyKind::Ed25519, 3));
    // RFC 9846 §4.5.1: an empty list, and no signature.
    assert_eq!(shows(&[ED25519], Some(&A)), None);
    assert_eq!(shows(&[SignatureScheme::RSA_PSS_RSAE_SHA256], None), None);
    assert_eq!(shows(&[ECDSA], Some(&[0x30, 1, 9])), None);
}

#[test] // RFC 9846 §4.4.2
fn a_server_says_what_it_takes_and_whom_it_trusts() {
    for authorities in [&[][..], &[A, B]] {
        let auth = ClientAuth::Optional(Arc::new(verifier(authorities)));
        let builder = null::server_config(3, null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0));
        let config = builder.with_versions(&VERSIONS).with_client_auth(auth).build().expect("a server configuration");
        let mut scene = Scene13::server13(config, 1);
        scene.say(&[HandshakeType::CLIENT_HELLO]);
        let request = CertificateRequest13::from_bytes(&scene.peer.received()[2].body).expect("a request");
        assert!(request.context.is_empty());
        let schemes = request.extensions.find::<SignatureAlgorithms<'_>>().expect("well formed").expect("required");
        assert!(schemes.schemes.contains(&ECDSA) && schemes.schemes.contains(&ED25519));
        let named = request.extensions.find::<CertificateAuthorities<'_>>().expect("well formed");
        let named: Option<Vec<_>> = named.map(|found| found.authorities.iter().map(<[u8]>::to_vec).collect());
        let expected: Vec<_> = authorities.iter().map(|name| name.to_vec()).collect();
        assert_eq!(named, (!expected.is_empty()).then_some(expected));
    }
}
