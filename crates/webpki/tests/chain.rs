//! Chains, names and roles: what [`ChainVerifier`] accepts and why it refuses the rest.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use gramseal_testkit::pki::{Leaf, Purpose, TestIdentity, TestKeyKind, TestPki, Validity, clock};
use gramseal_webpki::{
    CertificateFault, ChainVerifier, Fingerprint, PeerRole, PeerVerified, PeerVerifier, Presented, RootsError,
};
use pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm};
use webpki::ALL_VERIFICATION_ALGS;

fn verifier(pki: &TestPki) -> ChainVerifier {
    ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([pki.root()]).unwrap().with_clock(clock).build().unwrap()
}

fn as_server(verifier: &ChainVerifier, identity: &TestIdentity, name: &str) -> Result<PeerVerified, CertificateFault> {
    let name = ServerName::try_from(name).unwrap();
    let role = PeerRole::Server(&name);
    verifier
        .verify(&Presented::chain(identity.end_entity(), identity.intermediates(), role))
        .now()
        .expect("chains are checked at once")
}

fn as_client(verifier: &ChainVerifier, identity: &TestIdentity) -> Result<PeerVerified, CertificateFault> {
    verifier
        .verify(&Presented::chain(identity.end_entity(), identity.intermediates(), PeerRole::Client))
        .now()
        .expect("chains are checked at once")
}

fn server_fault(pki: &TestPki, identity: &TestIdentity, name: &str) -> Option<CertificateFault> {
    as_server(&verifier(pki), identity, name).err()
}

#[test]
fn good_servers_are_accepted_with_every_kind_of_key() {
    for kind in TestKeyKind::ALL {
        let pki = TestPki::of(kind);
        assert_eq!(server_fault(&pki, &pki.server("server.test"), "server.test"), None, "{kind:?}");
    }
}

#[test]
fn good_clients_are_accepted() {
    let pki = TestPki::new();
    assert!(as_client(&verifier(&pki), &pki.client("client.test")).is_ok());
}

#[test]
fn unknown_authority() {
    let pki = TestPki::new().with_intermediate();
    let verifier = ChainVerifier::builder(ALL_VERIFICATION_ALGS)
        .with_roots([pki.server("not-an-issuer.test").end_entity().clone()])
        .unwrap()
        .with_clock(clock)
        .build()
        .unwrap();
    let fault = as_server(&verifier, &pki.server("server.test"), "server.test").err();
    assert_eq!(fault, Some(CertificateFault::UnknownIssuer));
}

#[test] // An authority that took the name of ours, but of course not its key.
fn namesake_of_the_authority() {
    let (pki, namesake) = (TestPki::new(), TestPki::new());
    assert_ne!(pki.root(), namesake.root());
    let fault = server_fault(&pki, &namesake.server("server.test"), "server.test");
    assert_eq!(fault, Some(CertificateFault::BadSignature));
}

#[test] // RFC 5280 §4.2.1.9: anybody with a certificate could pose as anybody else.
fn peers_are_no_authorities() {
    let pki = TestPki::new().with_impostor("mallory.test");
    let fault = server_fault(&pki, &pki.server("server.test"), "server.test");
    assert_eq!(fault, Some(CertificateFault::UnknownIssuer));
}

#[test]
fn authorities_are_no_peers() {
    let pki = TestPki::new().with_intermediate();
    let mut identity = pki.server("server.test");
    identity.chain.remove(0);
    let fault = as_client(&verifier(&pki), &identity).err();
    assert_eq!(fault, Some(CertificateFault::WrongPurpose));
}

#[test] // RFC 5280 §4.1.2.5
fn outside_the_validity() {
    let pki = TestPki::new();
    let fault = server_fault(&pki, &pki.expired("server.test"), "server.test");
    assert_eq!(fault, Some(CertificateFault::Expired));
    let fault = server_fault(&pki, &pki.not_yet_valid("server.test"), "server.test");
    assert_eq!(fault, Some(CertificateFault::NotYetValid));
}

#[test]
fn default_clock_is_the_systems() {
    let pki = TestPki::new();
    let verifier = ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([pki.root()]).unwrap().build().unwrap();
    let past = Leaf { validity: Validity::Past, ..Leaf::new(&["client.test"], Purpose::Client) };
    assert_eq!(as_client(&verifier, &pki.issue(&past)).err(), Some(CertificateFault::Expired));
    assert!(as_client(&verifier, &pki.client("client.test")).is_ok());
}

#[test] // RFC 9525 §6.3
fn dns_names() {
    let pki = TestPki::new();
    let identity = pki.issue(&Leaf::new(&["server.test", "second.test"], Purpose::Server));
    assert_eq!(server_fault(&pki, &identity, "server.test"), None);
    assert_eq!(server_fault(&pki, &identity, "second.test"), None);
    assert_eq!(server_fault(&pki, &identity, "SERVER.Test"), None);
    for wrong in ["other.test", "www.server.test", "test", "server.test.example", "192.0.2.1"] {
        assert_eq!(server_fault(&pki, &identity, wrong), Some(CertificateFault::NameMismatch), "{wrong}");
    }
}

#[test] // RFC 9525 §6.3: the wildcard stands for exactly one label, the leftmost.
fn wildcards() {
    let pki = TestPki::new();
    let identity = pki.server("*.server.test");
    assert_eq!(server_fault(&pki, &identity, "a.server.test"), None);
    for wrong in ["server.test", "a.b.server.test", "a.other.test"] {
        assert_eq!(server_fault(&pki, &identity, wrong), Some(CertificateFault::NameMismatch), "{wrong}");
    }
}

#[test] // RFC 9525 §6.4
fn ip_addresses() {
    let pki = TestPki::new();
    let identity = pki.issue(&Leaf::new(&["192.0.2.1", "2001:db8::1"], Purpose::Server));
    assert_eq!(server_fault(&pki, &identity, "192.0.2.1"), None);
    assert_eq!(server_fault(&pki, &identity, "2001:db8:0::1"), None);
    for wrong in ["192.0.2.2", "2001:db8::2", "server.test"] {
        assert_eq!(server_fault(&pki, &identity, wrong), Some(CertificateFault::NameMismatch), "{wrong}");
    }
}

#[test] // RFC 9525 §2: the common name is no name of a server.
fn common_name_does_not_count() {
    let pki = TestPki::new();
    let leaf = Leaf { common_name: "server.test", ..Leaf::new(&["other.test"], Purpose::Server) };
    let fault = server_fault(&pki, &pki.issue(&leaf), "server.test");
    assert_eq!(fault, Some(CertificateFault::NameMismatch));
}

#[test]
fn intermediates_complete_the_chain() {
    let pki = TestPki::new().with_big_chain();
    let mut identity = pki.server("server.test");
    assert_eq!(server_fault(&pki, &identity, "server.test"), None);

    // Old peers send the rest of the chain out of order and with the root.
    identity.chain[1..].reverse();
    identity.chain.push(pki.root());
    assert_eq!(server_fault(&pki, &identity, "server.test"), None);

    identity.chain.remove(1);
    assert_eq!(server_fault(&pki, &identity, "server.test"), Some(CertificateFault::UnknownIssuer));
}

#[test] // RFC 5280 §4.2.1.12
fn purposes() {
    let pki = TestPki::new();
    let verifier = verifier(&pki);
    let cases = [
        (Purpose::Server, None, Some(CertificateFault::WrongPurpose)),
        (Purpose::Client, Some(CertificateFault::WrongPurpose), None),
        (Purpose::Other, Some(CertificateFault::WrongPurpose), Some(CertificateFault::WrongPurpose)),
        (Purpose::Any, None, None),
    ];
    for (purpose, server, client) in cases {
        let identity = pki.issue(&Leaf::new(&["peer.test"], purpose));
        assert_eq!(as_server(&verifier, &identity, "peer.test").err(), server, "{purpose:?} as server");
        assert_eq!(as_client(&verifier, &identity).err(), client, "{purpose:?} as client");
    }
}

#[test] // RFC 5280 §4.2
fn unknown_critical_extension() {
    let pki = TestPki::new();
    let leaf = Leaf { unknown_critical_extension: true, ..Leaf::new(&["server.test"], Purpose::Server) };
    let fault = server_fault(&pki, &pki.issue(&leaf), "server.test");
    assert_eq!(fault, Some(CertificateFault::Unsupported));
}

#[test]
fn tampered_certificate() {
    let pki = TestPki::new();
    let mut identity = pki.server("server.test");
    let mut der = identity.end_entity().to_vec();
    let at = der.windows(11).position(|window| window == b"server.test").unwrap();
    der[at] = b'S';
    identity.chain[0] = CertificateDer::from(der);
    assert_eq!(server_fault(&pki, &identity, "server.test"), Some(CertificateFault::BadSignature));
}

#[test]
fn algorithms_that_are_not_given_are_not_supported() {
    static ED25519: &[&dyn SignatureVerificationAlgorithm] = &[webpki::aws_lc_rs::ED25519];
    let pki = TestPki::new();
    let verifier = ChainVerifier::builder(ED25519).with_roots([pki.root()]).unwrap().with_clock(clock).build().unwrap();
    let fault = as_client(&verifier, &pki.client("client.test")).err();
    assert_eq!(fault, Some(CertificateFault::Unsupported));
}

#[test]
fn bad_roots_are_named() {
    let pki = TestPki::new();
    let bad = CertificateDer::from(b"not a certificate".as_slice());
    let error = ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([pki.root(), bad.clone()]).unwrap_err();
    let fingerprint = Fingerprint::of(&bad);
    assert_eq!(error, RootsError::Unusable { index: 1, fingerprint, fault: CertificateFault::BadEncoding });
    assert_eq!(error.to_string(), format!("root certificate 2 ({fingerprint}) cannot be read"));
}

#[test]
fn no_roots_is_an_error() {
    let error = ChainVerifier::builder(ALL_VERIFICATION_ALGS).build().unwrap_err();
    assert_eq!(error, RootsError::None);
}

#[test] // RFC 5246 §7.4.4
fn authorities_are_the_roots_subjects() {
    let (pki, namesake) = (TestPki::new(), TestPki::new());
    let builder =
        || ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([pki.root(), namesake.root(), pki.root()]).unwrap();
    let verifier = builder().build().unwrap();
    assert_eq!(verifier.authorities().len(), 1, "the two roots have the same name");
    let name = b"Gramseal Test Root";
    let authority = &verifier.authorities()[0];
    assert!(authority.ends_with(name));
    // SEQUENCE { SET { SEQUENCE { OID commonName, UTF8String } } }
    assert_eq!(authority[..2], [0x30, u8::try_from(authority.len() - 2).unwrap()]);
    assert_eq!(authority[2], 0x31);

    assert!(builder().without_authorities().build().unwrap().authorities().is_empty());
}

#[test]
fn both_namesakes_can_be_trusted() {
    let (pki, namesake) = (TestPki::new(), TestPki::new());
    let verifier = ChainVerifier::builder(ALL_VERIFICATION_ALGS)
        .with_roots([pki.root(), namesake.root()])
        .unwrap()
        .with_clock(clock)
        .build()
        .unwrap();
    assert!(as_client(&verifier, &pki.client("client.test")).is_ok());
    assert!(as_client(&verifier, &namesake.client("client.test")).is_ok());
}
