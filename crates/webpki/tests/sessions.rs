//! Rules in sessions: the same bytes for the same rule, others for every other.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeSet;
use std::sync::Arc;

use gramseal_testkit::pki::{Crl, TestPki, clock};
use gramseal_webpki::dangerous::AcceptAnyCertificate;
use gramseal_webpki::{
    ChainVerifier, ChainVerifierBuilder, CrlDepth, CrlPolicy, Fingerprint, FingerprintVerifier, OcspPolicy,
    PeerVerifier, RawPublicKeyVerifier,
};
use webpki::ALL_VERIFICATION_ALGS;

fn chain(roots: &[&TestPki]) -> ChainVerifierBuilder {
    let roots = roots.iter().map(|pki| pki.root());
    ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots(roots).unwrap()
}

fn context(verifier: impl PeerVerifier) -> Vec<u8> {
    verifier.session_context().unwrap()
}

#[test]
fn the_order_of_what_is_trusted_does_not_matter() {
    let (a, b) = (TestPki::new(), TestPki::new());
    assert_eq!(context(chain(&[&a, &b]).build().unwrap()), context(chain(&[&b, &a]).build().unwrap()));
    let [x, y] = [Fingerprint::new([1; 32]), Fingerprint::new([2; 32])];
    assert_eq!(context(FingerprintVerifier::new([x, y])), context(FingerprintVerifier::new([y, x])));
    assert_eq!(context(RawPublicKeyVerifier::new([x, y])), context(RawPublicKeyVerifier::new([y, x])));
}

#[test]
fn every_other_rule_has_other_bytes() {
    let (a, b) = (TestPki::new(), TestPki::new());
    let identity = a.client("client.test");
    let only = |pki: &TestPki| chain(&[pki]);
    let built = |builder: ChainVerifierBuilder| context(builder.build().unwrap());
    let (empty, list) = (a.crl(&Crl::new(&[])), a.crl(&Crl::new(&[identity.end_entity()])));
    let mut policy = CrlPolicy::default();
    policy.depth = CrlDepth::EndEntity;
    let [x, y] = [Fingerprint::new([1; 32]), Fingerprint::new([2; 32])];
    let raw = || RawPublicKeyVerifier::new([x]);
    let contexts = [
        built(only(&a)),
        built(only(&b)),
        built(chain(&[&a, &b])),
        built(only(&a).with_crls([empty.clone()]).unwrap()),
        built(only(&a).with_crls([list.clone()]).unwrap()),
        built(only(&a).with_crls([empty, list.clone()]).unwrap()),
        built(only(&a).with_crls([list]).unwrap().with_crl_policy(policy)),
        built(only(&a).with_ocsp(OcspPolicy::IfStapled)),
        built(only(&a).with_ocsp(OcspPolicy::Required)),
        context(ChainVerifier::builder(&ALL_VERIFICATION_ALGS[1..]).with_roots([a.root()]).unwrap().build().unwrap()),
        context(FingerprintVerifier::new([])),
        context(FingerprintVerifier::new([x])),
        context(FingerprintVerifier::new([x, y])),
        context(raw()),
        context(raw().or_certificates(Arc::new(FingerprintVerifier::new([x])))),
        context(raw().or_certificates(Arc::new(FingerprintVerifier::new([y])))),
        context(AcceptAnyCertificate),
    ];
    let different: BTreeSet<&Vec<u8>> = contexts.iter().collect();
    assert_eq!(different.len(), contexts.len());
}

#[test]
fn a_verifier_with_a_clock_of_its_own_is_like_no_other() {
    let pki = TestPki::new();
    let chain = chain(&[&pki]).with_clock(clock).build().unwrap();
    assert_eq!(chain.session_context(), None);
    let either = RawPublicKeyVerifier::new([]).or_certificates(Arc::new(chain));
    assert_eq!(either.session_context(), None);
}
