//! Single certificates: fingerprints, public keys, descriptions, and bytes that are none.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use gramseal_testkit::pki::{Leaf, Purpose, TestKeyKind, TestPki, clock};
use gramseal_webpki::dangerous::AcceptAnyCertificate;
use gramseal_webpki::{
    CertificateFault, ChainVerifier, Fingerprint, FingerprintVerifier, PeerRole, PeerVerifier, Presented,
    SignatureScheme, certificate_schemes, describe, host_names, issuers, public_key_of,
};
use pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, alg_id};
use proptest::prelude::*;

fn fault(
    verifier: &dyn PeerVerifier,
    certificate: &CertificateDer<'_>,
    role: PeerRole<'_>,
) -> Option<CertificateFault> {
    verifier.verify(&Presented::chain(certificate, &[], role)).now().expect("chains are checked at once").err()
}

#[test]
fn fingerprints_decide_in_either_role_whatever_the_name_and_the_time() {
    let pki = TestPki::new();
    let (known, other) = (pki.expired("known.test"), pki.server("other.test"));
    let text = Fingerprint::of(known.end_entity()).to_string();
    let verifier = FingerprintVerifier::new([Fingerprint::new([7; 32]), text.parse().unwrap()]);
    let name = ServerName::try_from("other.test").unwrap();
    for role in [PeerRole::Client, PeerRole::Server(&name)] {
        assert_eq!(fault(&verifier, known.end_entity(), role), None);
        assert_eq!(fault(&verifier, other.end_entity(), role), Some(CertificateFault::FingerprintMismatch));
    }
    assert!(verifier.authorities().is_empty());
}

#[test]
fn without_fingerprints_nobody_is_accepted() {
    let identity = TestPki::new().client("client.test");
    let fault = fault(&FingerprintVerifier::new([]), identity.end_entity(), PeerRole::Client);
    assert_eq!(fault, Some(CertificateFault::FingerprintMismatch));
}

#[test]
fn a_known_fingerprint_of_no_certificate_is_still_refused() {
    let garbage = CertificateDer::from(b"garbage".as_slice());
    let verifier = FingerprintVerifier::new([Fingerprint::of(&garbage)]);
    assert_eq!(fault(&verifier, &garbage, PeerRole::Client), Some(CertificateFault::BadEncoding));
}

#[test]
fn anything_goes_if_it_can_be_read() {
    let identity = TestPki::new().expired("anybody.test");
    assert_eq!(fault(&AcceptAnyCertificate, identity.end_entity(), PeerRole::Client), None);
    let garbage = CertificateDer::from(b"garbage".as_slice());
    assert_eq!(fault(&AcceptAnyCertificate, &garbage, PeerRole::Client), Some(CertificateFault::BadEncoding));
}

#[test] // RFC 5480 §2.1.1, RFC 8410 §3, RFC 3279 §2.3.1
fn public_keys_are_split_for_the_signature_algorithms() {
    let cases = [
        (TestKeyKind::EcdsaP256, alg_id::ECDSA_P256, 65),
        (TestKeyKind::EcdsaP384, alg_id::ECDSA_P384, 97),
        (TestKeyKind::EcdsaP521, alg_id::ECDSA_P521, 133),
        (TestKeyKind::Ed25519, alg_id::ED25519, 32),
        // SEQUENCE { modulus of 257 bytes, exponent 65537 }
        (TestKeyKind::Rsa2048, alg_id::RSA_ENCRYPTION, 270),
    ];
    for (kind, algorithm, length) in cases {
        let identity = TestPki::of(kind).server("server.test");
        let key = public_key_of(identity.end_entity()).unwrap();
        assert_eq!(key.algorithm(), algorithm.as_ref(), "{kind:?}");
        assert_eq!(key.key().len(), length, "{kind:?}");
        assert!(identity.end_entity().windows(length).any(|window| window == key.key()));
    }
}

#[test]
fn certificates_of_version_1_are_not_supported() {
    let mut der = TestPki::new().server("server.test").end_entity().to_vec();
    // [0] EXPLICIT INTEGER 2 is version 3 (RFC 5280 §4.1.2.1); no other bytes look like it.
    let version = [0xa0, 3, 2, 1, 2];
    let at = der.windows(5).position(|window| window == version).unwrap();
    der[at + 4] = 0;
    assert_eq!(public_key_of(&CertificateDer::from(der)).unwrap_err(), CertificateFault::Unsupported);
}

#[test]
fn unknown_critical_extensions_are_not_supported_even_without_a_chain() {
    let leaf = Leaf { unknown_critical_extension: true, ..Leaf::new(&["server.test"], Purpose::Any) };
    let identity = TestPki::new().issue(&leaf);
    let verifier = FingerprintVerifier::new([Fingerprint::of(identity.end_entity())]);
    let fault = fault(&verifier, identity.end_entity(), PeerRole::Client);
    assert_eq!(fault, Some(CertificateFault::Unsupported));
}

#[test]
fn descriptions() {
    let pki = TestPki::new();
    let leaf = Leaf {
        common_name: "The \u{1b}[1mserver",
        ..Leaf::new(&["server.test", "*.server.test", "192.0.2.1", "2001:db8::1"], Purpose::Server)
    };
    let identity = pki.issue(&leaf);
    let description = describe(identity.end_entity()).unwrap();
    assert_eq!(description.subject, "The \\u{1b}[1mserver");
    assert_eq!(description.names, ["server.test", "*.server.test", "192.0.2.1", "2001:db8::1"]);
    assert_eq!(description.sha256, Fingerprint::of(identity.end_entity()));

    let root = describe(&pki.root()).unwrap();
    assert_eq!((root.subject.as_str(), root.names.len()), ("Gramseal Test Root", 0));
}

#[test]
fn garbage_has_no_description() {
    assert_eq!(describe(&CertificateDer::from(vec![0x30, 0])).unwrap_err(), CertificateFault::BadEncoding);
}

/// Runs everything that reads certificates of peers over `der`; whether it is accepted as client.
fn read(verifier: &ChainVerifier, der: Vec<u8>) -> bool {
    let certificate = CertificateDer::from(der);
    let presented = Presented::chain(&certificate, core::slice::from_ref(&certificate), PeerRole::Client);
    _ = describe(&certificate);
    _ = public_key_of(&certificate);
    let builder = ChainVerifier::builder(webpki::ALL_VERIFICATION_ALGS);
    _ = builder.with_roots([certificate.clone()]).and_then(|builder| builder.build());
    verifier.verify(&presented).now().expect("chains are checked at once").is_ok()
}

proptest! {
    #[test]
    fn garbage_never_panics(der: Vec<u8>) {
        let verifier = verifier(&TestPki::new());
        prop_assert!(!read(&verifier, der));
    }

    #[test]
    fn damaged_certificates_never_panic_and_are_refused(at: prop::sample::Index, flip in 1..=255_u8) {
        let pki = TestPki::new();
        let mut der = pki.client("client.test").end_entity().to_vec();
        let at = at.index(der.len());
        der[at] ^= flip;
        prop_assert!(!read(&verifier(&pki), der));
    }

    #[test]
    fn cut_certificates_never_panic_and_are_refused(at: prop::sample::Index) {
        let pki = TestPki::new();
        let mut der = pki.client("client.test").end_entity().to_vec();
        der.truncate(at.index(der.len()));
        prop_assert!(!read(&verifier(&pki), der));
    }
}

fn verifier(pki: &TestPki) -> ChainVerifier {
    ChainVerifier::builder(webpki::ALL_VERIFICATION_ALGS)
        .with_roots([pki.root()])
        .unwrap()
        .with_clock(clock)
        .build()
        .unwrap()
}

#[test]
fn host_names_are_the_dns_names() {
    let names = ["b.test", "192.0.2.1", "*.a.test", "2001:db8::1"];
    let leaf = Leaf { common_name: "common.test", ..Leaf::new(&names, Purpose::Server) };
    let certificate = TestPki::new().issue(&leaf);
    assert_eq!(host_names(certificate.end_entity()).unwrap(), ["b.test", "*.a.test"]);
    let nameless = TestPki::new().issue(&Leaf::new(&[], Purpose::Server));
    assert_eq!(host_names(nameless.end_entity()), Ok(Vec::new()));
    let garbage = CertificateDer::from(b"garbage".as_slice());
    assert_eq!(host_names(&garbage), Err(CertificateFault::BadEncoding));
}

#[test] // RFC 5246 §7.4.4
fn issuers_are_what_peers_call_authorities() {
    let pki = TestPki::new().with_intermediate();
    let mut chain = pki.server("server.test").chain;
    let verifier = ChainVerifier::builder(webpki::ALL_VERIFICATION_ALGS).with_roots([pki.root(), chain[1].clone()]);
    let verifier = verifier.unwrap().build().unwrap();
    let [root, intermediate] = verifier.authorities() else { panic!("two roots, two names") };
    assert_eq!(issuers(&chain).unwrap(), [intermediate.clone(), root.clone()]);
    // The root issued itself; and not every authority keeps to RFC 5280 in all it does.
    chain.push(pki.root());
    chain.push(pki.issue(&Leaf { long_serial: true, ..Leaf::new(&["odd.test"], Purpose::Any) }).end_entity().clone());
    assert_eq!(issuers(&chain).unwrap().len(), 2);
    chain.push(CertificateDer::from(b"garbage".as_slice()));
    assert_eq!(issuers(&chain), Err(CertificateFault::BadEncoding));
}

#[test] // RFC 9846 §4.3.3
fn signatures_have_the_names_that_tls_has_for_them() {
    for (kind, scheme) in [
        (TestKeyKind::EcdsaP256, SignatureScheme::ECDSA_SECP256R1_SHA256),
        (TestKeyKind::EcdsaP384, SignatureScheme::ECDSA_SECP384R1_SHA384),
        (TestKeyKind::EcdsaP521, SignatureScheme::ECDSA_SECP521R1_SHA512),
        (TestKeyKind::Ed25519, SignatureScheme::ED25519),
        (TestKeyKind::Rsa2048, SignatureScheme::RSA_PKCS1_SHA256),
    ] {
        let pki = TestPki::of(kind).with_intermediate();
        let mut chain = pki.server("server.test").chain;
        assert_eq!(certificate_schemes(&chain), Ok(vec![scheme]));
        chain.push(CertificateDer::from(b"garbage".as_slice()));
        assert_eq!(certificate_schemes(&chain), Err(CertificateFault::BadEncoding));
        assert_eq!(certificate_schemes(&[pki.root()]), Ok(Vec::new()), "nobody checks what signed itself");
    }
}

#[test]
fn a_signature_without_a_name_keeps_a_chain_from_nobody() {
    let mut chain = TestPki::new().with_intermediate().server("server.test").chain;
    let mut der = chain[0].to_vec();
    // The last number of ecdsa-with-SHA256, where the certificate's own part names it: SHA-224 then.
    let at = der.windows(8).position(|bytes| bytes == [0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2]).unwrap();
    der[at + 7] = 1;
    chain[0] = CertificateDer::from(der);
    assert_eq!(certificate_schemes(&chain), Ok(Vec::new()));
}

#[test] // RFC 9846 §4.3.3
fn a_verifier_names_what_its_algorithms_check() {
    let pki = TestPki::new();
    let names = |algorithms| {
        let builder = ChainVerifier::builder(algorithms).with_roots([pki.root()]).unwrap();
        builder.build().unwrap().certificate_schemes().to_vec()
    };
    assert_eq!(names(ALL_OF_P256), [SignatureScheme::ECDSA_SECP256R1_SHA256], "that TLS has a name for");
    let all = names(webpki::ALL_VERIFICATION_ALGS);
    assert!(all.contains(&SignatureScheme::RSA_PKCS1_SHA256) && all.contains(&SignatureScheme::ED25519), "{all:?}");
}

static ALL_OF_P256: &[&dyn SignatureVerificationAlgorithm] =
    &[webpki::aws_lc_rs::ECDSA_P256_SHA384, webpki::aws_lc_rs::ECDSA_P256_SHA256];
