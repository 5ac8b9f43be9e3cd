//! Stapled OCSP responses (RFC 6066 §8), in both roles, against OpenSSL.

use std::sync::Arc;

use gramseal_interop::{Folder, Node, Process, SERVER_NAME, Weather, identity, openssl, provider};
use gramseal_proto::config::{ClientConfig, PeerVerifier, ServerConfig};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::{CertificateFault, CloseReason, Error, OcspFault};
use gramseal_testkit::pki::{Ocsp, OcspStatus, TestPki};
use gramseal_webpki::{ChainVerifier, OcspPolicy};

/// Trusts the root of `pki` and wants a good response, at the time that responses of the tests are made for.
fn trust(pki: &TestPki) -> Arc<dyn PeerVerifier> {
    let builder = ChainVerifier::builder(gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS);
    let builder = builder.with_roots([pki.root()]).expect("the test's root is readable");
    let builder = builder.with_ocsp(OcspPolicy::Required).with_clock(gramseal_testkit::pki::clock);
    Arc::new(builder.build().expect("there is a root"))
}

/// Our client, with a server of OpenSSL's that staples `response` if there is one.
fn client(pki: &TestPki, response: impl Fn(&Ocsp<'_>) -> Option<Vec<u8>>, status: OcspStatus) -> (Node, Process) {
    let theirs = pki.server(SERVER_NAME);
    let folder = Folder::new();
    let mut peer = openssl::s_server().identity(&theirs);
    if let Some(response) = response(&Ocsp::new(theirs.end_entity(), status)) {
        std::fs::write(folder.path("response"), response).expect("the folder is writable");
        peer = peer.arg("-status_file").arg(folder.path("response"));
    }
    let (peer, address) = peer.listening();
    let config = ClientConfig::builder(provider(), trust(pki));
    let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
    node.run_until("an end", &peer, |node| node.is_connected() || node.closed().is_some());
    (node, peer)
}

#[test] // RFC 6066 §8
fn a_stapled_response_is_checked_as_client() {
    let pki = TestPki::new();
    let (mut node, mut peer) = client(&pki, |ocsp| Some(pki.ocsp(ocsp)), OcspStatus::Good);
    openssl::check(&mut node, &mut peer);

    let (node, peer) = client(&pki, |ocsp| Some(pki.ocsp(ocsp)), OcspStatus::Revoked);
    let error = Error::from(CertificateFault::Revoked);
    assert_eq!(node.closed(), Some(&CloseReason::Failed(error.clone())));
    peer.wait_for(&format!("SSL alert number {}", error.alert().expect("told to the peer").0));

    let (node, peer) = client(&pki, |_| None, OcspStatus::Good);
    let error = Error::from(CertificateFault::Ocsp(OcspFault::Missing));
    assert_eq!(node.closed(), Some(&CloseReason::Failed(error.clone())));
    peer.wait_for(&format!("SSL alert number {}", error.alert().expect("told to the peer").0));
}

#[test] // RFC 6066 §8
fn a_response_is_stapled_as_server() {
    let pki = TestPki::new();
    let ours = pki.server(SERVER_NAME);
    let response = pki.ocsp(&Ocsp::good(ours.end_entity()));
    for stapled in [true, false] {
        let shown = identity(&ours);
        let shown = if stapled { shown.with_ocsp_source(Arc::new(response.clone())) } else { shown };
        let config = ServerConfig::builder(provider(), shown);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let mut peer = openssl::s_client(node.local_addr()).trust(&pki).arg("-status").start();
        openssl::check(&mut node, &mut peer);
        assert_eq!(peer.said("OCSP Response Status: successful (0x0)"), stapled, "{}", peer.transcript());
        assert_eq!(peer.said("Cert Status: good"), stapled, "{}", peer.transcript());
        assert_eq!(peer.said("OCSP response: no response sent"), !stapled, "{}", peer.transcript());
    }
}
