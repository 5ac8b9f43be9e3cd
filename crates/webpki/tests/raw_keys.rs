//! Raw public keys: which are accepted, and that nothing else of a peer counts.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::Arc;

use gramseal_testkit::pki::{TestIdentity, TestKeyKind, TestPki, clock};
use gramseal_webpki::{
    CertificateFault, CertificateType, ChainVerifier, Fingerprint, FingerprintVerifier, OcspPolicy, PeerRole,
    PeerVerifier, Presented, RawPublicKeyVerifier, public_key_of, public_key_of_raw,
};
use pki_types::{ServerName, SubjectPublicKeyInfoDer};
use proptest::prelude::*;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert};

fn key_of(identity: &TestIdentity) -> SubjectPublicKeyInfoDer<'static> {
    EndEntityCert::try_from(identity.end_entity()).unwrap().subject_public_key_info()
}

fn fault(verifier: &dyn PeerVerifier, key: &SubjectPublicKeyInfoDer<'_>) -> Option<CertificateFault> {
    verifier.verify(&Presented::raw_public_key(key, PeerRole::Client)).now().unwrap().err()
}

fn only(key: &SubjectPublicKeyInfoDer<'_>) -> RawPublicKeyVerifier {
    RawPublicKeyVerifier::new([Fingerprint::new([7; 32]), Fingerprint::of_public_key(key)])
}

#[test] // RFC 7250 §4.3, §4.4
fn known_keys_are_accepted_in_either_role() {
    for kind in TestKeyKind::ALL {
        let pki = TestPki::of(kind);
        let (known, other) = (key_of(&pki.server("a.test")), key_of(&pki.server("a.test")));
        let verifier = only(&known);
        let name = ServerName::try_from("any.test").unwrap();
        for role in [PeerRole::Client, PeerRole::Server(&name)] {
            let verdict = |key| verifier.verify(&Presented::raw_public_key(key, role)).now().unwrap().err();
            assert_eq!(verdict(&known), None, "{kind:?}");
            assert_eq!(verdict(&other), Some(CertificateFault::UnknownKey), "{kind:?}");
        }
    }
}

#[test]
fn without_keys_nobody_is_accepted() {
    let key = key_of(&TestPki::new().client("a.test"));
    assert_eq!(fault(&RawPublicKeyVerifier::new([]), &key), Some(CertificateFault::UnknownKey));
}

#[test]
fn a_raw_key_is_the_one_of_the_certificate() {
    for kind in TestKeyKind::ALL {
        let identity = TestPki::of(kind).server("a.test");
        let (raw, certified) = (public_key_of_raw(&key_of(&identity)), public_key_of(identity.end_entity()));
        assert_eq!(raw.unwrap(), certified.unwrap());
    }
}

#[test]
fn keys_are_read_strictly() {
    let key = key_of(&TestPki::new().server("a.test")).to_vec();
    let mut longer = key.clone();
    longer.push(0);
    // The outer length in its long form, which DER allows only where the short one does not do.
    let loose = [&[0x30, 0x81, key[1]], &key[2..]].concat();
    for bytes in [longer, loose, Vec::new(), b"garbage".to_vec()] {
        let damaged = SubjectPublicKeyInfoDer::from(bytes);
        assert_eq!(public_key_of_raw(&damaged).err(), Some(CertificateFault::BadEncoding));
        // Even if it was named beforehand.
        assert_eq!(fault(&only(&damaged), &damaged), Some(CertificateFault::BadEncoding));
    }
}

#[test]
fn certificates_are_refused_even_around_a_known_key() {
    let identity = TestPki::new().client("a.test");
    let verifier = only(&key_of(&identity));
    assert_eq!(verifier.certificate_types(), [CertificateType::RAW_PUBLIC_KEY]);
    let presented = Presented::chain(identity.end_entity(), &[], PeerRole::Client);
    assert_eq!(verifier.verify(&presented).now().unwrap().err(), Some(CertificateFault::Unsupported));
}

#[test]
fn verifiers_of_certificates_refuse_raw_keys() {
    let pki = TestPki::new();
    let key = key_of(&pki.client("a.test"));
    let chains = ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([pki.root()]).unwrap().build().unwrap();
    assert_eq!(fault(&chains, &key), Some(CertificateFault::Unsupported));
    let fingerprints = FingerprintVerifier::new([Fingerprint::of_public_key(&key)]);
    assert_eq!(fault(&fingerprints, &key), Some(CertificateFault::Unsupported));
}

#[test]
fn certificates_can_be_let_in_beside_keys() {
    let pki = TestPki::new();
    let (known, shown) = (key_of(&pki.client("known.test")), pki.client("shown.test"));
    let chains = ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([pki.root()]).unwrap().with_clock(clock);
    let chains = Arc::new(chains.with_ocsp(OcspPolicy::IfStapled).build().unwrap());
    let verifier = only(&known).or_certificates(chains.clone());
    assert_eq!(verifier.certificate_types(), [CertificateType::RAW_PUBLIC_KEY, CertificateType::X509]);
    assert_eq!(verifier.authorities(), chains.authorities());
    assert!(verifier.wants_ocsp_response());

    assert_eq!(fault(&verifier, &known), None);
    assert_eq!(fault(&verifier, &key_of(&shown)), Some(CertificateFault::UnknownKey));
    let verdict = |identity: &TestIdentity| {
        let presented = Presented::chain(identity.end_entity(), &[], PeerRole::Client);
        verifier.verify(&presented).now().unwrap().err()
    };
    assert_eq!(verdict(&shown), None);
    assert_eq!(verdict(&TestPki::new().client("shown.test")), Some(CertificateFault::BadSignature));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let key = SubjectPublicKeyInfoDer::from(bytes);
        prop_assert!(fault(&only(&key), &key).is_some());
    }
}
