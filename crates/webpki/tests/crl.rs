//! Revocation lists: whom they refuse, and what becomes of everybody when they do not tell.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use gramseal_testkit::pki::{Crl, CrlSigner, TestIdentity, TestKeyKind, TestPki, Validity, clock};
use gramseal_webpki::{
    CertificateFault, ChainVerifier, CrlDepth, CrlError, CrlFault, CrlPolicy, Outdated, PeerRole, PeerVerifier,
    Presented, Uncovered,
};
use pki_types::{CertificateRevocationListDer, ServerName, SignatureVerificationAlgorithm};
use webpki::ALL_VERIFICATION_ALGS;

type List = CertificateRevocationListDer<'static>;

fn verifier_of(
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    pki: &TestPki,
    crls: &[List],
    policy: CrlPolicy,
) -> ChainVerifier {
    let builder = ChainVerifier::builder(algorithms).with_roots([pki.root()]).unwrap();
    let builder = builder.with_crls(crls.iter().cloned()).unwrap().with_crl_policy(policy);
    builder.with_clock(clock).build().unwrap()
}

/// What becomes of `identity` in either role.
fn fault_of(verifier: &ChainVerifier, identity: &TestIdentity) -> Option<CertificateFault> {
    let presented = Presented::chain(identity.end_entity(), identity.intermediates(), PeerRole::Client);
    verifier.verify(&presented).now().expect("chains are checked at once").err()
}

fn fault(pki: &TestPki, crls: &[List], policy: CrlPolicy, identity: &TestIdentity) -> Option<CertificateFault> {
    fault_of(&verifier_of(ALL_VERIFICATION_ALGS, pki, crls, policy), identity)
}

const STRICT: fn() -> CrlPolicy = CrlPolicy::default;

#[test] // RFC 5280 §6.3.3
fn a_revoked_peer_is_refused_and_its_siblings_are_not() {
    for kind in TestKeyKind::ALL {
        let pki = TestPki::of(kind);
        let (good, bad) = (pki.client("good.test"), pki.client("bad.test"));
        let crls = [pki.crl(&Crl::new(&[bad.end_entity()]))];
        assert_eq!(fault(&pki, &crls, STRICT(), &good), None, "{kind:?}");
        assert_eq!(fault(&pki, &crls, STRICT(), &bad), Some(CertificateFault::Revoked), "{kind:?}");
    }
}

#[test]
fn servers_can_be_revoked_too() {
    let pki = TestPki::new();
    let identity = pki.server("server.test");
    let verifier = verifier_of(ALL_VERIFICATION_ALGS, &pki, &[pki.crl(&Crl::new(&[identity.end_entity()]))], STRICT());
    let name = ServerName::try_from("server.test").unwrap();
    let presented = Presented::chain(identity.end_entity(), &[], PeerRole::Server(&name));
    assert_eq!(verifier.verify(&presented).now().unwrap().err(), Some(CertificateFault::Revoked));
}

#[test]
fn a_revoked_authority_takes_its_peers_along() {
    let pki = TestPki::new().with_intermediate();
    let identity = pki.client("client.test");
    let intermediate = &identity.intermediates()[0];
    let own = pki.crl(&Crl::new(&[]));
    let root = |revoked| pki.crl(&Crl { signer: CrlSigner::Root, ..Crl::new(revoked) });
    assert_eq!(fault(&pki, &[own.clone(), root(&[])], STRICT(), &identity), None);

    let crls = [own, root(&[intermediate])];
    assert_eq!(fault(&pki, &crls, STRICT(), &identity), Some(CertificateFault::Revoked));
    let mut policy = CrlPolicy::default();
    policy.depth = CrlDepth::EndEntity;
    assert_eq!(fault(&pki, &crls, policy, &identity), None, "only the peer's own certificate was to be looked up");
}

#[test]
fn certificates_that_no_list_covers_are_refused_unless_allowed() {
    let pki = TestPki::new().with_intermediate();
    let identity = pki.client("client.test");
    let crls = [pki.crl(&Crl::new(&[]))];
    let missing = Some(CertificateFault::Crl(CrlFault::Missing));
    assert_eq!(fault(&pki, &crls, STRICT(), &identity), missing, "the root's own list is missing");
    let mut policy = CrlPolicy::default();
    policy.uncovered = Uncovered::Accept;
    assert_eq!(fault(&pki, &crls, policy, &identity), None);

    let bad = [pki.crl(&Crl::new(&[identity.end_entity()]))];
    assert_eq!(fault(&pki, &bad, policy, &identity), Some(CertificateFault::Revoked));
}

#[test] // RFC 5280 §5.1.2.5
fn outdated_lists_are_refused_unless_allowed() {
    let pki = TestPki::new();
    let (good, bad) = (pki.client("good.test"), pki.client("bad.test"));
    let revoked = [bad.end_entity()];
    let crls = [pki.crl(&Crl { validity: Validity::Past, ..Crl::new(&revoked) })];
    assert_eq!(fault(&pki, &crls, STRICT(), &good), Some(CertificateFault::Crl(CrlFault::Outdated)));
    let mut policy = CrlPolicy::default();
    policy.outdated = Outdated::Accept;
    assert_eq!(fault(&pki, &crls, policy, &good), None);
    assert_eq!(fault(&pki, &crls, policy, &bad), Some(CertificateFault::Revoked));
}

#[test]
fn the_list_issued_last_counts_wherever_it_stands() {
    let pki = TestPki::new();
    let identity = pki.client("client.test");
    let old = pki.crl(&Crl { validity: Validity::Past, ..Crl::new(&[]) });
    let revoked = [identity.end_entity()];
    let new = pki.crl(&Crl { validity: Validity::Future, ..Crl::new(&revoked) });
    for crls in [[old.clone(), new.clone()], [new, old]] {
        assert_eq!(fault(&pki, &crls, STRICT(), &identity), Some(CertificateFault::Revoked));
    }
}

#[test] // RFC 5280 §6.3.3 (g)
fn a_list_of_a_namesake_does_not_count() {
    let (pki, namesake) = (TestPki::new(), TestPki::new());
    let identity = pki.client("client.test");
    let crls = [namesake.crl(&Crl::new(&[]))];
    assert_eq!(fault(&pki, &crls, STRICT(), &identity), Some(CertificateFault::Crl(CrlFault::Untrusted)));
}

#[test] // RFC 5280 §6.3.3 (f)
fn authorities_that_may_not_sign_lists_sign_none() {
    let pki = TestPki::new().with_intermediate_without_crls();
    let identity = pki.client("client.test");
    let crls = [pki.crl(&Crl { signer: CrlSigner::Root, ..Crl::new(&[]) }), unrestricted(&pki)];
    assert_eq!(fault(&pki, &crls, STRICT(), &identity), Some(CertificateFault::Crl(CrlFault::Untrusted)));
}

fn unrestricted(pki: &TestPki) -> List {
    pki.crl(&Crl::new(&[]))
}

#[test]
fn damaged_lists_are_named() {
    let pki = TestPki::new();
    let builder = || ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([pki.root()]).unwrap();
    let good = pki.crl(&Crl::new(&[]));
    let bad = List::from(b"not a list".to_vec());
    let error = builder().with_crls([good.clone(), bad]).unwrap_err();
    assert_eq!(error, CrlError::Unreadable { index: 1 });
    assert_eq!(error.to_string(), "revocation list 2 cannot be read");

    // Whoever wants a check and gives nothing to check against would get none.
    assert_eq!(builder().with_crls([]).unwrap_err(), CrlError::None);

    // Version 2 is encoded as INTEGER 1, first in the list to be signed (RFC 5280 §5.1.2.1).
    let mut der = good.to_vec();
    let version = der.windows(3).position(|window| window == [2, 1, 1]).unwrap();
    der[version + 2] = 0;
    assert_eq!(builder().with_crls([List::from(der)]).unwrap_err(), CrlError::Unsupported { index: 0 });
}

#[test]
fn a_changed_list_does_not_count() {
    let pki = TestPki::new();
    let identity = pki.client("client.test");
    let mut der = pki.crl(&Crl::new(&[])).to_vec();
    // The year of nextUpdate.
    let until = der.windows(6).position(|window| window == b"491231").unwrap();
    der[until + 1] = b'8';
    let fault = fault(&pki, &[List::from(der)], STRICT(), &identity);
    assert_eq!(fault, Some(CertificateFault::Crl(CrlFault::Untrusted)));
}
