//! Forms of certificates, and what is stapled to them: what the other side gets wrong, and what it may leave out.

use std::sync::Arc;

use gramseal_proto::config::{ClientAuth, ClientConfig, Identity, ServerConfig};
use gramseal_proto::wire::{
    AlertDescription as Alert, CertificateType, DecodeError, ExtensionType as Ext, HandshakeType, ProtocolVersion,
};
use gramseal_proto::{CertificateFault, Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Step};

use crate::hello::{ClientFields, ServerFields};
use crate::{assert_refused, send};

const RAW: CertificateType = CertificateType::RAW_PUBLIC_KEY;
const X509: CertificateType = CertificateType::X509;
/// What our client wants a server to staple.
const STAPLE: &[u8] = b"a good response";

fn raw_identity() -> Identity {
    Identity::raw_public_key(Arc::new(NullKey::new(ToyKind::EcdsaP256, 1))).expect("toy keys tell their public half")
}

fn client(verifier: NullVerifier) -> ClientConfig {
    ClientConfig::builder(null::provider(2), Arc::new(verifier))
        .with_versions(&[ProtocolVersion::DTLS1_2])
        .build()
        .expect("a client configuration")
}

/// A client that takes either form and has a raw public key of its own.
fn client_of_all_forms() -> ClientConfig {
    let verifier = NullVerifier::default().with_forms(&[RAW, X509]);
    let builder =
        ClientConfig::builder(null::provider(2), Arc::new(verifier)).with_versions(&[ProtocolVersion::DTLS1_2]);
    builder.with_identity(raw_identity()).build().expect("a client configuration")
}

/// Answers the hello of `client` with one more extension.
fn answer(client: ClientConfig, ty: Ext, content: &[u8]) -> Scene {
    let mut scene = Scene::client(client, 1);
    let mut fields = ServerFields::of(&scene.peer.body_of(HandshakeType::SERVER_HELLO));
    fields.extensions.push(ty, content);
    send(&mut scene, HandshakeType::SERVER_HELLO, &fields.body());
    scene
}

#[test] // RFC 7250 §4.2: the server selects one of the values that the client sent
fn forms_that_the_client_does_not_list() {
    for ty in [Ext::SERVER_CERTIFICATE_TYPE, Ext::CLIENT_CERTIFICATE_TYPE] {
        let unlisted = answer(client_of_all_forms(), ty, &[CertificateType::OPEN_PGP.0]);
        assert_refused(&unlisted, PeerFault::UnofferedCertificateType, Alert::ILLEGAL_PARAMETER);
        let two = answer(client_of_all_forms(), ty, &[1, RAW.0]);
        assert_refused(&two, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
        let unasked = answer(client(NullVerifier::default()), ty, &[X509.0]);
        assert_refused(&unasked, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);
    }
    // It has no certificate to show.
    let not_ours = answer(client_of_all_forms(), Ext::CLIENT_CERTIFICATE_TYPE, &[X509.0]);
    assert_refused(&not_ours, PeerFault::UnofferedCertificateType, Alert::ILLEGAL_PARAMETER);
    let listed = answer(client_of_all_forms(), Ext::SERVER_CERTIFICATE_TYPE, &[RAW.0]);
    assert_eq!(listed.outcome(), Outcome::Waiting);
}

#[test] // RFC 7250 §4.1: a server that knows nothing of forms shows X.509
fn a_certificate_for_a_client_that_takes_raw_keys_alone() {
    let mut scene = Scene::client(client(NullVerifier::default().with_forms(&[RAW])), 1);
    let steps = scene.first_flight(false);
    scene.play(&steps[..2]);
    assert_refused(&scene, Incompatible::NoCommonCertificateType, Alert::UNSUPPORTED_CERTIFICATE);
}

#[test]
fn a_chain_that_is_too_long() {
    let shows = |count: usize| {
        let mut scene = Scene::client(client(NullVerifier::default()), 1);
        scene.play(&[Step::Message(HandshakeType::SERVER_HELLO)]);
        let entries = [0, 0, 1, 0x30].repeat(count);
        let length = u32::try_from(entries.len()).expect("short").to_be_bytes();
        send(&mut scene, HandshakeType::CERTIFICATE, &[&length[1..], &entries].concat());
        scene
    };
    assert_refused(&shows(16), CertificateFault::BadEncoding, Alert::BAD_CERTIFICATE);
    for count in [17, 2000] {
        assert_refused(&shows(count), PeerFault::ChainTooLong, Alert::BAD_CERTIFICATE);
    }
}

#[test] // RFC 7250 §3
fn raw_public_keys_of_servers_that_cannot_be_read() {
    let shows = |body: &[u8]| {
        let mut scene = answer(client_of_all_forms(), Ext::SERVER_CERTIFICATE_TYPE, &[RAW.0]);
        send(&mut scene, HandshakeType::CERTIFICATE, body);
        scene
    };
    assert_refused(&shows(&[0, 0, 0]), PeerFault::NoCertificate, Alert::BAD_CERTIFICATE);
    assert_refused(&shows(&[0, 0, 2, 0x30, 0]), CertificateFault::BadEncoding, Alert::BAD_CERTIFICATE);
    assert_refused(&shows(&[0, 0, 2, 0x30]), DecodeError::Truncated, Alert::DECODE_ERROR);
    assert_refused(&shows(&[0, 0, 1, 0x30, 0]), DecodeError::TrailingBytes, Alert::DECODE_ERROR);
}

/// A client that wants a status, before a server that promised one and showed its certificate.
fn promised() -> Scene {
    let mut scene = answer(client(NullVerifier::default().with_staple(STAPLE)), Ext::STATUS_REQUEST, &[]);
    scene.play(&[Step::Message(HandshakeType::CERTIFICATE)]);
    scene
}

fn status(status_type: u8, response: &[u8]) -> Vec<u8> {
    let length = u8::try_from(response.len()).expect("short");
    [&[status_type, 0, 0, length], response].concat()
}

const STATUS: HandshakeType = HandshakeType::CERTIFICATE_STATUS;
const OCSP: u8 = 1;

#[test] // RFC 6066 §8
fn statuses_that_cannot_be_taken() {
    let staples = |body: &[u8]| {
        let mut scene = promised();
        send(&mut scene, STATUS, body);
        scene
    };
    assert_eq!(staples(&status(OCSP, STAPLE)).outcome(), Outcome::Waiting);
    assert_refused(&staples(&status(OCSP, b"a bad response")), CertificateFault::Refused, Alert::CERTIFICATE_UNKNOWN);
    assert_refused(&staples(&status(2, STAPLE)), PeerFault::UnofferedCertificateType, Alert::ILLEGAL_PARAMETER);
    assert_refused(&staples(&status(OCSP, b"")), DecodeError::EmptyVector, Alert::DECODE_ERROR);
    let mut twice = staples(&status(OCSP, STAPLE));
    send(&mut twice, STATUS, &status(OCSP, STAPLE));
    assert_refused(&twice, PeerFault::UnexpectedMessage(STATUS), Alert::UNEXPECTED_MESSAGE);
    let not_empty = answer(client(NullVerifier::default().with_staple(STAPLE)), Ext::STATUS_REQUEST, &[0]);
    assert_refused(&not_empty, DecodeError::TrailingBytes, Alert::DECODE_ERROR);
}

#[test] // RFC 6066 §8: only after a promise
fn a_status_that_was_not_promised() {
    let mut scene = Scene::client(client(NullVerifier::default().with_staple(STAPLE)), 1);
    let steps = scene.first_flight(false);
    scene.play(&steps[..1]);
    send(&mut scene, STATUS, &status(OCSP, STAPLE));
    assert_refused(&scene, PeerFault::UnexpectedMessage(STATUS), Alert::UNEXPECTED_MESSAGE);
    let mut unasked = Scene::client(null::client(), 1);
    let steps = unasked.first_flight(false);
    unasked.play(&steps[..2]);
    send(&mut unasked, STATUS, &status(OCSP, STAPLE));
    assert_refused(&unasked, PeerFault::UnexpectedMessage(STATUS), Alert::UNEXPECTED_MESSAGE);
}

#[test] // RFC 6066 §8: the server may promise a status and send none; the verifier decides
fn a_promised_status_that_does_not_come() {
    let mut scene = promised();
    scene.play(&[Step::Message(HandshakeType::SERVER_KEY_EXCHANGE)]);
    assert_refused(&scene, CertificateFault::Refused, Alert::CERTIFICATE_UNKNOWN);
    // Out of turn, whatever the verifier says.
    let mut early = promised();
    early.play(&[Step::Message(HandshakeType::SERVER_HELLO_DONE)]);
    assert_refused(&early, CertificateFault::Refused, Alert::CERTIFICATE_UNKNOWN);
}

/// What this server does with a hello that lists forms.
fn list_forms(server: ServerConfig, ty: Ext, forms: &[CertificateType]) -> Scene {
    let mut scene = Scene::server(server, 1);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    let count = u8::try_from(forms.len()).expect("few");
    let content: Vec<u8> = std::iter::once(count).chain(forms.iter().map(|form| form.0)).collect();
    fields.extensions.push(ty, &content);
    send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
    scene
}

fn server(identity: Identity, client_auth: ClientAuth) -> ServerConfig {
    null::server_config(3, identity).with_client_auth(client_auth).build().expect("a server configuration")
}

fn certificate_identity() -> Identity {
    null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0)
}

#[test] // RFC 7250 §4.2
fn clients_that_take_no_form_of_ours() {
    let ty = Ext::SERVER_CERTIFICATE_TYPE;
    let raw_only = list_forms(server(certificate_identity(), ClientAuth::None), ty, &[RAW, CertificateType(9)]);
    assert_refused(&raw_only, Incompatible::NoCommonCertificateType, Alert::UNSUPPORTED_CERTIFICATE);
    let x509_only = list_forms(server(raw_identity(), ClientAuth::None), ty, &[X509]);
    assert_refused(&x509_only, Incompatible::NoCommonCertificateType, Alert::UNSUPPORTED_CERTIFICATE);
    let nothing = list_forms(server(raw_identity(), ClientAuth::None), ty, &[]);
    assert_refused(&nothing, DecodeError::EmptyVector, Alert::DECODE_ERROR);
    // RFC 7250 §4.1: who lists nothing means X.509.
    let mut silent = Scene::server(server(raw_identity(), ClientAuth::None), 1);
    let hello = silent.first_flight(false);
    silent.play(&hello);
    assert_refused(&silent, Incompatible::NoCommonCertificateType, Alert::UNSUPPORTED_CERTIFICATE);
}

/// The types of what the server answered.
fn answered(scene: &Scene) -> Vec<HandshakeType> {
    scene.peer.received().iter().map(|message| message.msg_type).collect()
}

#[test] // RFC 7250 §4.2
fn clients_that_have_no_form_that_we_take() {
    let ty = Ext::CLIENT_CERTIFICATE_TYPE;
    let verifier = || Arc::new(NullVerifier::default());
    let required = server(certificate_identity(), ClientAuth::Required(verifier()));
    let scene = list_forms(required, ty, &[RAW]);
    assert_refused(&scene, Incompatible::NoCommonCertificateType, Alert::UNSUPPORTED_CERTIFICATE);
    // Who need not show anything is not asked for what it does not have.
    let optional = server(certificate_identity(), ClientAuth::Optional(verifier()));
    let scene = list_forms(optional, ty, &[RAW]);
    assert_eq!(scene.outcome(), Outcome::Waiting);
    assert!(!answered(&scene).contains(&HandshakeType::CERTIFICATE_REQUEST));
    assert!(answered(&scene).contains(&HandshakeType::SERVER_HELLO_DONE));
}

#[test] // RFC 7250 §4.2: nothing is said of forms where no certificate is asked for, or none was listed
fn a_server_tells_forms_only_to_who_lists_them() {
    let told = |scene: &Scene| {
        let fields = ServerFields::of(&scene.peer.received()[0].body);
        [Ext::SERVER_CERTIFICATE_TYPE, Ext::CLIENT_CERTIFICATE_TYPE].map(|ty| fields.extensions.get(ty))
    };
    let asking = || {
        let verifier = NullVerifier::default().with_forms(&[RAW, X509]);
        server(certificate_identity(), ClientAuth::Optional(Arc::new(verifier)))
    };
    let scene = list_forms(asking(), Ext::SERVER_CERTIFICATE_TYPE, &[RAW, X509]);
    assert_eq!(told(&scene), [Some(vec![X509.0]), None]);
    let scene = list_forms(asking(), Ext::CLIENT_CERTIFICATE_TYPE, &[X509, RAW]);
    assert_eq!(told(&scene), [None, Some(vec![RAW.0])]);
    let scene = list_forms(server(certificate_identity(), ClientAuth::None), Ext::CLIENT_CERTIFICATE_TYPE, &[X509]);
    assert_eq!(told(&scene), [None, None]);
}

#[test] // RFC 6066 §8
fn only_who_asks_for_a_status_gets_one() {
    let stapling = || server(certificate_identity().with_ocsp_source(Arc::new(STAPLE.to_vec())), ClientAuth::None);
    let asks = |content: &[u8]| {
        let mut scene = Scene::server(stapling(), 1);
        let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
        fields.extensions.push(Ext::STATUS_REQUEST, content);
        send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
        scene
    };
    assert!(answered(&asks(&[OCSP, 0, 0, 0, 0])).contains(&STATUS));
    // A kind of status that we do not have.
    assert!(!answered(&asks(&[9])).contains(&STATUS));
    assert_refused(&asks(&[OCSP, 0, 1]), DecodeError::Truncated, Alert::DECODE_ERROR);
    let mut silent = Scene::server(stapling(), 1);
    let hello = silent.first_flight(false);
    silent.play(&hello);
    assert!(!answered(&silent).contains(&STATUS));
}
