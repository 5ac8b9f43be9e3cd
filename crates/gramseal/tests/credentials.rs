//! What peers show and how it is judged, in handshakes over loopback: both sides learn the reason.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;

use common::*;
use gramseal::pki_types::UnixTime;
use gramseal::proto::session::{ClientSessionCache, ServerSessionCache};
use gramseal::proto::wire::{AlertDescription, ProtocolVersion};
use gramseal::proto::{CertificateFault, CrlFault, Error, Incompatible, OcspFault};
use gramseal::trust::{self, TrustError};
use gramseal::webpki::{Fingerprint, OcspPolicy};
use gramseal::{
    AuthenticateClientError, AuthenticateError, ClientAnswer, ClientAuth, ClientConfig, CloseReason, ConnectError,
    Connection, CookiePolicy, Endpoint, Identity, PeerVerifier, ServerConfig, identity_from_pem, provider,
    raw_public_key_from_pem,
};
use gramseal_testkit::pki::{
    Crl, Leaf, Ocsp, OcspSigner, OcspStatus, Purpose, TestIdentity, TestKeyKind, TestPki, Validity,
};

/// Trust in the root of `pki`, less what `crl` revokes.
fn with_crl(pki: &TestPki, crl: &Crl<'_>) -> Arc<dyn PeerVerifier> {
    with_list(pki, &pki.crl_pem(crl))
}

/// The same for a list in PEM.
fn with_list(pki: &TestPki, list: &str) -> Arc<dyn PeerVerifier> {
    let chain = trust::chain().with_roots([pki.root()]).unwrap();
    let lists = trust::crls_from_pem(list.as_bytes()).unwrap();
    Arc::new(chain.with_crls(lists).unwrap().build().unwrap())
}

fn identity(identity: &TestIdentity) -> Identity {
    identity_from_pem(identity.chain_pem.as_bytes(), identity.key_pem.as_bytes()).unwrap()
}

/// What each side says of a handshake: first the client.
async fn handshake(
    client: ClientConfig,
    server: ServerConfig,
) -> (Result<Connection, ConnectError>, Result<Connection, ConnectError>) {
    let (server, addr) = bind(Endpoint::builder().with_server(Arc::new(server)));
    let endpoint = Endpoint::client(LOOPBACK).unwrap();
    let accepted = async { server.accept().await.unwrap().await };
    soon(async { tokio::join!(endpoint.connect(addr, NAME, Arc::new(client)), accepted) }).await
}

#[tokio::test] // RFC 5280 §6.3
async fn a_server_revoked_by_a_list_is_refused() {
    let pki = TestPki::new();
    let shown = pki.server(NAME);
    let server = || ServerConfig::builder(provider(), identity(&shown)).build().unwrap();
    let client = |crl: &Crl<'_>| ClientConfig::builder(provider(), with_crl(&pki, crl)).build().unwrap();

    let (ours, theirs) = handshake(client(&Crl::new(&[])), server()).await;
    assert!(ours.is_ok() && theirs.is_ok());

    let revoked = [shown.end_entity()];
    let stale = Crl { validity: Validity::Past, ..Crl::new(&[]) };
    for (crl, fault, alert) in [
        (Crl::new(&revoked), CertificateFault::Revoked, AlertDescription::CERTIFICATE_REVOKED),
        (stale, CertificateFault::Crl(CrlFault::Outdated), AlertDescription::CERTIFICATE_UNKNOWN),
    ] {
        let (ours, theirs) = handshake(client(&crl), server()).await;
        assert!(matches!(ours, Err(ConnectError::Failed(Error::Certificate(found))) if found == fault));
        assert_refused_with(theirs, alert);
    }
}

#[tokio::test] // RFC 5280 §6.3
async fn a_client_revoked_by_a_list_is_refused() {
    let pki = TestPki::new();
    let shown = pki.client("client.test");
    let revoked = [shown.end_entity()];
    let verifier = with_crl(&pki, &Crl::new(&revoked));
    let server = server_builder(&pki).with_client_auth(ClientAuth::Required(verifier)).build().unwrap();
    let client = client_builder(&pki)
        .with_versions(&[ProtocolVersion::DTLS1_2])
        .with_identity(identity(&shown))
        .build()
        .unwrap();
    let (ours, theirs) = handshake(client, server).await;
    assert!(matches!(theirs, Err(ConnectError::Failed(Error::Certificate(CertificateFault::Revoked)))));
    assert_refused_with(ours, AlertDescription::CERTIFICATE_REVOKED);
}

/// A connection of 1.3 whose server trusts the clients of `pki` and has not asked for a certificate.
async fn unasked(pki: &TestPki, shown: &TestIdentity) -> (Connection, Connection) {
    let versions = [ProtocolVersion::DTLS1_3];
    let verifier = with_crl(pki, &Crl::new(&[]));
    let server = server_builder(pki).with_versions(&versions).with_post_handshake_verifier(verifier);
    let server = Endpoint::builder().with_server(Arc::new(server.build().unwrap()));
    let (server, addr) = bind(server.with_cookie_policy(CookiePolicy::Off));
    let client = client_builder(pki).with_versions(&versions).with_identity(identity(shown));
    let client = Arc::new(client.with_post_handshake_auth().build().unwrap());
    let endpoint = Endpoint::client(LOOPBACK).unwrap();
    let accepted = async { server.accept().await.unwrap().await };
    let (ours, theirs) = soon(async { tokio::join!(endpoint.connect(addr, NAME, client), accepted) }).await;
    (ours.unwrap(), theirs.unwrap())
}

#[tokio::test] // RFC 9846 §4.7.2
async fn a_client_that_is_asked_after_the_handshake_is_known_then() {
    let pki = TestPki::new();
    let shown = pki.client("client.test");
    let (ours, theirs) = unasked(&pki, &shown).await;
    assert!(theirs.negotiated().peer_certificates.is_empty());
    for _ in 0..2 {
        assert_eq!(soon(theirs.authenticate_client()).await, Ok(ClientAnswer::Authenticated));
        assert_eq!(theirs.negotiated().peer_certificates.first(), Some(shown.end_entity()));
    }
    let wrong_side = soon(ours.authenticate_client()).await;
    assert_eq!(wrong_side, Err(AuthenticateError::NotAsked(AuthenticateClientError::NotServer)));
}

#[tokio::test] // RFC 9846 §4.7.2
async fn a_client_with_a_certificate_of_somebody_else_is_refused_after_the_handshake() {
    let (pki, other) = (TestPki::new(), TestPki::new());
    let (ours, theirs) = unasked(&pki, &other.client("client.test")).await;
    let refused = CloseReason::Failed(Error::Certificate(CertificateFault::BadSignature));
    assert_eq!(soon(theirs.authenticate_client()).await, Err(AuthenticateError::Ended(refused)));
    let CloseReason::Failed(Error::AlertReceived(heard)) = soon(ours.closed()).await else { panic!("it hears why") };
    assert_eq!(heard.description, AlertDescription::BAD_CERTIFICATE);
}

fn assert_refused_with(side: Result<Connection, ConnectError>, alert: AlertDescription) {
    let Err(ConnectError::Failed(Error::AlertReceived(received))) = side else { panic!("{side:?}") };
    assert_eq!(received.description, alert);
}

#[tokio::test] // RFC 5246 §7.3: nobody shows a certificate again when a session is resumed.
async fn whom_a_new_list_revokes_cannot_resume() {
    let pki = TestPki::new();
    let (server_shown, client_shown) = (pki.server(NAME), pki.client("client.test"));
    let client_store = Arc::new(ClientSessionCache::new(10, 10_000, UnixTime::now));
    let server_store = Arc::new(ServerSessionCache::new(10, 10_000, UnixTime::now));
    // New configurations each time, as after a restart.
    let client = |list: &str| {
        let builder = ClientConfig::builder(provider(), with_list(&pki, list))
            .with_versions(&[ProtocolVersion::DTLS1_2])
            .with_identity(identity(&client_shown));
        builder.with_session_store(client_store.clone()).build().unwrap()
    };
    let server = |list: &str| {
        let auth = ClientAuth::Required(with_list(&pki, list));
        let builder = ServerConfig::builder(provider(), identity(&server_shown)).with_client_auth(auth);
        builder.with_session_store(server_store.clone()).build().unwrap()
    };
    let nobody = pki.crl_pem(&Crl::new(&[]));
    for resumed in [false, true, true] {
        let (ours, theirs) = handshake(client(&nobody), server(&nobody)).await;
        assert_eq!((ours.unwrap().negotiated().resumed, theirs.unwrap().negotiated().resumed), (resumed, resumed));
    }

    let revoked = |side: &Result<Connection, ConnectError>| {
        matches!(side, Err(ConnectError::Failed(Error::Certificate(CertificateFault::Revoked))))
    };
    let without_client = pki.crl_pem(&Crl::new(&[client_shown.end_entity()]));
    let (_, theirs) = handshake(client(&nobody), server(&without_client)).await;
    assert!(revoked(&theirs), "{theirs:?}");
    let without_server = pki.crl_pem(&Crl::new(&[server_shown.end_entity()]));
    let (ours, _) = handshake(client(&without_server), server(&nobody)).await;
    assert!(revoked(&ours), "{ours:?}");
}

/// Trust in the root of `pki`, for servers that staple a good OCSP response.
fn with_ocsp(pki: &TestPki) -> Arc<dyn PeerVerifier> {
    let chain = trust::chain().with_roots([pki.root()]).unwrap();
    Arc::new(chain.with_ocsp(OcspPolicy::Required).build().unwrap())
}

#[tokio::test] // RFC 6066 §8
async fn stapled_responses_decide() {
    let pki = TestPki::new();
    let (shown, other) = (pki.server(NAME), pki.server(NAME));
    let responder = pki.issue(&Leaf::new(&["responder.test"], Purpose::OcspSigning));
    let stranger = TestPki::new().issue(&Leaf::new(&["responder.test"], Purpose::OcspSigning));
    let own = shown.end_entity();
    let good = Ocsp::good(own);
    let signed_by = |identity| Ocsp { signer: OcspSigner::Responder(identity), ..good.clone() };
    let bad = |fault| Some((CertificateFault::Ocsp(fault), AlertDescription::BAD_CERTIFICATE_STATUS_RESPONSE));
    let revoked = Some((CertificateFault::Revoked, AlertDescription::CERTIFICATE_REVOKED));
    for (case, response, refused) in [
        ("good", pki.ocsp(&good), None),
        ("good by a responder", pki.ocsp(&signed_by(&responder)), None),
        ("none", Vec::new(), bad(OcspFault::Missing)),
        ("damaged", b"damaged".to_vec(), bad(OcspFault::BadEncoding)),
        ("expired", pki.ocsp(&Ocsp { validity: Validity::Past, ..good.clone() }), bad(OcspFault::Outdated)),
        ("about another", pki.ocsp(&Ocsp::good(other.end_entity())), bad(OcspFault::OtherCertificate)),
        ("by a stranger", pki.ocsp(&signed_by(&stranger)), bad(OcspFault::Untrusted)),
        ("unknown", pki.ocsp(&Ocsp::new(own, OcspStatus::Unknown)), bad(OcspFault::Unknown)),
        ("revoked", pki.ocsp(&Ocsp::new(own, OcspStatus::Revoked)), revoked),
    ] {
        let identity = identity(&shown).with_ocsp_source(Arc::new(response));
        let server = ServerConfig::builder(provider(), identity).build().unwrap();
        let client = ClientConfig::builder(provider(), with_ocsp(&pki)).build().unwrap();
        let (ours, theirs) = handshake(client, server).await;
        let Some((fault, alert)) = refused else {
            assert!(ours.is_ok() && theirs.is_ok(), "{case}: {ours:?}");
            continue;
        };
        let found = ours.unwrap_err();
        assert!(matches!(found, ConnectError::Failed(Error::Certificate(found)) if found == fault), "{case}: {found}");
        assert_refused_with(theirs, alert);
    }
}

#[tokio::test]
async fn clients_that_do_not_ask_are_not_bothered_by_what_could_be_stapled() {
    let pki = TestPki::new();
    let identity = identity(&pki.server(NAME)).with_ocsp_source(Arc::new(b"damaged".to_vec()));
    let server = ServerConfig::builder(provider(), identity).build().unwrap();
    let (ours, _) = handshake(client_builder(&pki).build().unwrap(), server).await;
    assert!(ours.is_ok(), "{ours:?}");
}

/// Trust in the raw public key of `identity`.
fn raw_key(identity: &TestIdentity) -> Arc<dyn PeerVerifier> {
    let keys = trust::public_keys_from_pem(identity.public_key_pem.as_bytes()).unwrap();
    trust::raw_public_keys(keys.iter().map(Fingerprint::of_public_key))
}

fn raw(identity: &TestIdentity) -> Identity {
    raw_public_key_from_pem(identity.key_pem.as_bytes()).unwrap()
}

#[tokio::test] // RFC 7250
async fn raw_public_keys_in_both_roles() {
    for kind in TestKeyKind::ALL {
        let pki = TestPki::of(kind);
        let (server_key, client_key) = (pki.server(NAME), pki.client("client.test"));
        let auth = ClientAuth::Required(raw_key(&client_key));
        let server = ServerConfig::builder(provider(), raw(&server_key)).with_client_auth(auth).build().unwrap();
        let client = ClientConfig::builder(provider(), raw_key(&server_key)).with_identity(raw(&client_key));
        let (ours, theirs) = handshake(client.build().unwrap(), server).await;
        for (side, peer) in [(ours.unwrap(), &server_key), (theirs.unwrap(), &client_key)] {
            let negotiated = side.negotiated();
            let expected = trust::public_keys_from_pem(peer.public_key_pem.as_bytes()).unwrap();
            assert_eq!(negotiated.peer_raw_public_key, expected.first().cloned(), "{kind:?}");
            assert!(negotiated.peer_certificates.is_empty(), "{kind:?}");
        }
    }
}

#[tokio::test] // RFC 7250 §4.3, §4.4
async fn unknown_raw_public_keys_are_refused() {
    let pki = TestPki::new();
    let (known, other) = (pki.server(NAME), pki.server(NAME));
    let unknown = |side: &Result<Connection, ConnectError>| {
        matches!(side, Err(ConnectError::Failed(Error::Certificate(CertificateFault::UnknownKey))))
    };
    let server = ServerConfig::builder(provider(), raw(&other)).build().unwrap();
    let client = ClientConfig::builder(provider(), raw_key(&known)).build().unwrap();
    let (ours, theirs) = handshake(client, server).await;
    assert!(unknown(&ours), "{ours:?}");
    assert_refused_with(theirs, AlertDescription::BAD_CERTIFICATE);

    let server = server_builder(&pki).with_client_auth(ClientAuth::Required(raw_key(&known))).build().unwrap();
    // In 1.3 the client is done before the server looks at its key.
    let client = client_builder(&pki).with_versions(&[ProtocolVersion::DTLS1_2]).with_identity(raw(&other));
    let (ours, theirs) = handshake(client.build().unwrap(), server).await;
    assert!(unknown(&theirs), "{theirs:?}");
    assert_refused_with(ours, AlertDescription::BAD_CERTIFICATE);
}

#[tokio::test] // RFC 7250 §4.2
async fn a_client_that_knows_only_keys_parts_from_a_server_with_a_certificate() {
    let pki = TestPki::new();
    let shown = pki.server(NAME);
    let server = ServerConfig::builder(provider(), identity(&shown)).build().unwrap();
    let client = ClientConfig::builder(provider(), raw_key(&shown)).build().unwrap();
    let (_, theirs) = handshake(client, server).await;
    let expected = Error::Incompatible(Incompatible::NoCommonCertificateType);
    assert!(matches!(&theirs, Err(ConnectError::Failed(found)) if *found == expected), "{theirs:?}");
}

#[tokio::test] // RFC 6066 §3
async fn certificates_know_the_names_that_they_are_for() {
    let pki = TestPki::new();
    let (other, shown) = (pki.server("*.other.test"), pki.server(NAME));
    let builder = ServerConfig::builder(provider(), identity(&other)).with_identity(identity(&shown));
    let (ours, _) = handshake(client_builder(&pki).build().unwrap(), builder.build().unwrap()).await;
    assert_eq!(ours.unwrap().negotiated().peer_certificates, shown.chain);
}

#[tokio::test] // RFC 5246 §7.4.6
async fn certificates_know_who_issued_them() {
    // All roots have the same name here, so the wrong chain lacks its intermediate.
    let (pki, elsewhere) = (TestPki::new(), TestPki::new().with_intermediate());
    let (mut wrong, right) = (elsewhere.client("client.test"), pki.client("client.test"));
    let second = wrong.chain_pem.rfind("-----BEGIN CERTIFICATE-----").unwrap();
    wrong.chain_pem.truncate(second);
    let verifier = trust::roots_from_pem(pki.root_pem().as_bytes()).unwrap();
    let server = server_builder(&pki).with_client_auth(ClientAuth::Required(verifier)).build().unwrap();
    let client = client_builder(&pki).with_identity(identity(&wrong)).with_identity(identity(&right));
    let (_, theirs) = handshake(client.build().unwrap(), server).await;
    assert_eq!(theirs.unwrap().negotiated().peer_certificates, right.chain);
}

#[test]
fn keys_that_are_none_are_told() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n";
    let error = trust::public_keys_from_pem(pem.as_bytes()).unwrap_err();
    assert!(matches!(error, TrustError::Key(CertificateFault::BadEncoding)));
    assert!(raw_public_key_from_pem(pem.as_bytes()).is_err(), "a public key is no private one");
}

#[test]
fn files_without_lists_are_no_lists() {
    let pki = TestPki::new();
    let lists = trust::crls_from_pem(pki.root_pem().as_bytes()).unwrap();
    let error = trust::chain().with_roots([pki.root()]).unwrap().with_crls(lists).unwrap_err();
    assert_eq!(TrustError::from(error).to_string(), "no revocation lists to check certificates against");
}
