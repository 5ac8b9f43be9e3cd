//! What peers show and how it is judged, in handshakes over loopback: both sides learn the reason.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;

use common::*;
use gramseal::proto::wire::AlertDescription;
use gramseal::proto::{CertificateFault, CrlFault, Error};
use gramseal::trust::{self, TrustError};
use gramseal::{
    ClientAuth, ClientConfig, ConnectError, Connection, Endpoint, PeerVerifier, ServerConfig, identity_from_pem,
    provider,
};
use gramseal_testkit::pki::{Crl, TestIdentity, TestPki, Validity};

/// Trust in the root of `pki`, less what `crl` revokes.
fn with_crl(pki: &TestPki, crl: &Crl<'_>) -> Arc<dyn PeerVerifier> {
    let chain = trust::chain().with_roots([pki.root()]).unwrap();
    let lists = trust::crls_from_pem(pki.crl_pem(crl).as_bytes()).unwrap();
    Arc::new(chain.with_crls(lists).unwrap().build().unwrap())
}

fn identity(identity: &TestIdentity) -> gramseal::Identity {
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
    let client = client_builder(&pki).with_identity(identity(&shown)).build().unwrap();
    let (ours, theirs) = handshake(client, server).await;
    assert!(matches!(theirs, Err(ConnectError::Failed(Error::Certificate(CertificateFault::Revoked)))));
    assert_refused_with(ours, AlertDescription::CERTIFICATE_REVOKED);
}

fn assert_refused_with(side: Result<Connection, ConnectError>, alert: AlertDescription) {
    let Err(ConnectError::Failed(Error::AlertReceived(received))) = side else { panic!("{side:?}") };
    assert_eq!(received.description, alert);
}

#[test]
fn files_without_lists_are_no_lists() {
    let pki = TestPki::new();
    let lists = trust::crls_from_pem(pki.root_pem().as_bytes()).unwrap();
    let error = trust::chain().with_roots([pki.root()]).unwrap().with_crls(lists).unwrap_err();
    assert_eq!(TrustError::from(error).to_string(), "no revocation lists to check certificates against");
}
