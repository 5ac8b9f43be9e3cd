//! Stapled OCSP responses: what vouches for a server, and why the rest does not.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::time::Duration;

use gramseal_testkit::pki::{
    Crl, CrlSigner, Leaf, Ocsp, OcspHash, OcspSigner, OcspStatus, Purpose, TestIdentity, TestKeyKind, TestPki,
    Validity, clock, ocsp_wrap,
};
use gramseal_webpki::{
    CertificateFault, ChainVerifier, ChainVerifierBuilder, OcspFault, OcspPolicy, PeerRole, PeerVerifier, Presented,
};
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, ServerName, UnixTime};
use proptest::prelude::*;
use webpki::ALL_VERIFICATION_ALGS;

const NAME: &str = "server.test";

fn builder(pki: &TestPki, policy: OcspPolicy) -> ChainVerifierBuilder {
    let builder = ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([pki.root()]).unwrap();
    builder.with_clock(clock).with_ocsp(policy)
}

/// What becomes of the server `identity` that staples `response`.
fn judge(verifier: &ChainVerifier, identity: &TestIdentity, response: &[u8]) -> Option<CertificateFault> {
    let name = ServerName::try_from(NAME).unwrap();
    let presented = Presented::chain(identity.end_entity(), identity.intermediates(), PeerRole::Server(&name));
    verifier.verify(&presented.with_ocsp_response(response)).now().unwrap().err()
}

fn fault(pki: &TestPki, identity: &TestIdentity, response: &[u8]) -> Option<CertificateFault> {
    judge(&builder(pki, OcspPolicy::Required).build().unwrap(), identity, response)
}

/// A server and an authority, which issued it by way of an intermediate.
fn setting() -> (TestPki, TestIdentity) {
    let pki = TestPki::new().with_intermediate();
    let identity = pki.server(NAME);
    (pki, identity)
}

fn responder(pki: &TestPki) -> TestIdentity {
    pki.issue(&Leaf::new(&["responder.test"], Purpose::OcspSigning))
}

const fn bad(fault: OcspFault) -> Option<CertificateFault> {
    Some(CertificateFault::Ocsp(fault))
}

#[test] // RFC 6960 §4.2.2.2
fn the_issuer_vouches_for_its_servers() {
    for kind in TestKeyKind::ALL {
        let pki = TestPki::of(kind);
        let identity = pki.server(NAME);
        for (hash, signer_by_key) in [(OcspHash::Sha1, false), (OcspHash::Sha256, true)] {
            let response = Ocsp { hash, signer_by_key, ..Ocsp::good(identity.end_entity()) };
            assert_eq!(fault(&pki, &identity, &pki.ocsp(&response)), None, "{kind:?} {hash:?}");
        }
    }
    let (pki, identity) = setting();
    assert_eq!(fault(&pki, &identity, &pki.ocsp(&Ocsp::good(identity.end_entity()))), None);
}

#[test] // RFC 6960 §4.2.2.2
fn a_responder_that_the_issuer_appointed_vouches_too() {
    let (pki, identity) = setting();
    let responder = responder(&pki);
    for signer_by_key in [false, true] {
        let signer = OcspSigner::Responder(&responder);
        let response = Ocsp { signer, signer_by_key, ..Ocsp::good(identity.end_entity()) };
        assert_eq!(fault(&pki, &identity, &pki.ocsp(&response)), None);
    }
}

#[test]
fn revoked_servers_are_refused_however_old_the_news() {
    let (pki, identity) = setting();
    for validity in [Validity::Past, Validity::Current, Validity::Future] {
        let response = Ocsp { validity, ..Ocsp::new(identity.end_entity(), OcspStatus::Revoked) };
        assert_eq!(fault(&pki, &identity, &pki.ocsp(&response)), Some(CertificateFault::Revoked));
    }
}

#[test]
fn servers_that_the_responder_does_not_know_are_refused() {
    let (pki, identity) = setting();
    let response = pki.ocsp(&Ocsp::new(identity.end_entity(), OcspStatus::Unknown));
    assert_eq!(fault(&pki, &identity, &response), bad(OcspFault::Unknown));
}

#[test] // RFC 6960 §4.2.2.1
fn responses_count_from_this_update_to_next_update() {
    let (pki, identity) = setting();
    for validity in [Validity::Past, Validity::Future] {
        let response = pki.ocsp(&Ocsp { validity, ..Ocsp::good(identity.end_entity()) });
        assert_eq!(fault(&pki, &identity, &response), bad(OcspFault::Outdated), "{validity:?}");
    }
}

/// The verdict at `seconds` since 1970.
fn at(pki: &TestPki, identity: &TestIdentity, response: &[u8], seconds: u64) -> Option<CertificateFault> {
    let clock = move || UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    judge(&builder(pki, OcspPolicy::Required).with_clock(clock).build().unwrap(), identity, response)
}

/// 2048-01-01T00:00:00Z: the first moment of [`Validity::Future`].
const FUTURE: u64 = 2_461_449_600;
/// 2020-12-31T00:00:00Z: the last moment of [`Validity::Past`].
const PAST: u64 = 1_609_372_800;

#[test]
fn clocks_may_differ_by_five_minutes() {
    let (pki, identity) = setting();
    let response = |validity| pki.ocsp(&Ocsp { validity, ..Ocsp::good(identity.end_entity()) });
    let (past, future) = (response(Validity::Past), response(Validity::Future));
    assert_eq!(at(&pki, &identity, &past, PAST + 300), None);
    assert_eq!(at(&pki, &identity, &past, PAST + 301), bad(OcspFault::Outdated));
    assert_eq!(at(&pki, &identity, &future, FUTURE - 300), None);
    assert_eq!(at(&pki, &identity, &future, FUTURE - 301), bad(OcspFault::Outdated));
}

#[test]
fn without_next_update_a_response_counts_for_a_day() {
    let (pki, identity) = setting();
    let response = Ocsp { validity: Validity::Future, has_next_update: false, ..Ocsp::good(identity.end_entity()) };
    let response = pki.ocsp(&response);
    let day = 24 * 60 * 60;
    assert_eq!(at(&pki, &identity, &response, FUTURE + day + 300), None);
    assert_eq!(at(&pki, &identity, &response, FUTURE + day + 301), bad(OcspFault::Outdated));
}

#[test] // RFC 6960 §3.2, 1
fn responses_about_other_certificates_do_not_count() {
    let (pki, identity) = setting();
    let sibling = pki.server(NAME);
    let response = pki.ocsp(&Ocsp::good(sibling.end_entity()));
    assert_eq!(fault(&pki, &identity, &response), bad(OcspFault::OtherCertificate));

    // A namesake of the authority has another key.
    let namesake = TestPki::new().with_intermediate();
    let response = namesake.ocsp(&Ocsp::good(identity.end_entity()));
    assert_eq!(fault(&pki, &identity, &response), bad(OcspFault::OtherCertificate));

    // An authority of another name with the same serial number.
    let stranger = TestPki::new();
    let response = stranger.ocsp(&Ocsp::good(identity.end_entity()));
    assert_eq!(fault(&pki, &identity, &response), bad(OcspFault::OtherCertificate));
}

#[test]
fn of_several_answers_the_right_one_counts_and_the_worst() {
    let (pki, identity) = setting();
    let (own, sibling) = (identity.end_entity(), pki.server(NAME));
    let with = |about: Vec<_>| pki.ocsp(&Ocsp { about, ..Ocsp::good(own) });
    let about = vec![(sibling.end_entity(), OcspStatus::Revoked), (own, OcspStatus::Good)];
    assert_eq!(fault(&pki, &identity, &with(about)), None);
    let about = vec![(own, OcspStatus::Good), (own, OcspStatus::Unknown), (own, OcspStatus::Revoked)];
    assert_eq!(fault(&pki, &identity, &with(about)), Some(CertificateFault::Revoked));
    let about = vec![(own, OcspStatus::Good), (own, OcspStatus::Unknown)];
    assert_eq!(fault(&pki, &identity, &with(about)), bad(OcspFault::Unknown));
}

#[test] // RFC 6960 §4.2.2.2
fn nobody_else_vouches() {
    let (pki, identity) = setting();
    let issue = |leaf: Leaf<'_>| pki.issue(&leaf);
    let named = |purpose| Leaf::new(&["responder.test"], purpose);
    let elsewhere = TestPki::new().with_intermediate();
    // Issued by the root, so not by the authority that issued the server.
    let distant = TestPki::new();
    let pairs = [
        ("any purpose", issue(named(Purpose::Any))),
        ("another purpose", issue(named(Purpose::Server))),
        ("expired", issue(Leaf { validity: Validity::Past, ..named(Purpose::OcspSigning) })),
        ("another authority", responder(&elsewhere)),
        ("the root of another", responder(&distant)),
        ("the server itself", identity.clone()),
    ];
    for (case, responder) in &pairs {
        let response = Ocsp { signer: OcspSigner::Responder(responder), ..Ocsp::good(identity.end_entity()) };
        assert_eq!(fault(&pki, &identity, &pki.ocsp(&response)), bad(OcspFault::Untrusted), "{case}");
    }
    let root = Ocsp { signer: OcspSigner::Root, ..Ocsp::good(identity.end_entity()) };
    assert_eq!(fault(&pki, &identity, &pki.ocsp(&root)), bad(OcspFault::Untrusted), "the root is not the issuer");
    let pretender = responder(&pki);
    let response = Ocsp { signer: OcspSigner::Pretender(&pretender), ..Ocsp::good(identity.end_entity()) };
    assert_eq!(fault(&pki, &identity, &pki.ocsp(&response)), bad(OcspFault::Untrusted), "RFC 6960 §4.2.2.3");
}

#[test]
fn a_responder_appointed_by_the_authority_above_does_not_vouch() {
    let pki = TestPki::new();
    let above = responder(&pki);
    let pki = pki.with_intermediate();
    let identity = pki.server(NAME);
    let response = Ocsp { signer: OcspSigner::Responder(&above), ..Ocsp::good(identity.end_entity()) };
    assert_eq!(fault(&pki, &identity, &pki.ocsp(&response)), bad(OcspFault::Untrusted));
}

#[test]
fn a_changed_response_does_not_count() {
    let (pki, identity) = setting();
    let mut response = pki.ocsp(&Ocsp::new(identity.end_entity(), OcspStatus::Unknown));
    // unknown becomes good: [2] and [0] without content, before the GeneralizedTime of thisUpdate.
    let status = response.windows(3).position(|window| window == [0x82, 0, 0x18]).unwrap();
    response[status] = 0x80;
    assert_eq!(fault(&pki, &identity, &response), bad(OcspFault::Untrusted));
}

#[test] // RFC 6960 §4.2.2.2.1
fn responders_can_be_revoked_unless_their_authority_says_never() {
    let pki = TestPki::new();
    let identity = pki.server(NAME);
    let checked = responder(&pki);
    let unchecked = pki.issue(&Leaf { no_check: true, ..Leaf::new(&["responder.test"], Purpose::OcspSigning) });
    let revoked = [checked.end_entity(), unchecked.end_entity()];
    let list = pki.crl(&Crl { signer: CrlSigner::Root, ..Crl::new(&revoked) });
    let verifier = builder(&pki, OcspPolicy::Required).with_crls([list]).unwrap().build().unwrap();
    for (responder, expected) in [(&checked, bad(OcspFault::Untrusted)), (&unchecked, None)] {
        let response = Ocsp { signer: OcspSigner::Responder(responder), ..Ocsp::good(identity.end_entity()) };
        assert_eq!(judge(&verifier, &identity, &pki.ocsp(&response)), expected);
        assert_eq!(fault(&pki, &identity, &pki.ocsp(&response)), None, "without lists nobody is revoked");
    }
}

#[test]
fn a_few_signers_are_tried_at_most() {
    let (pki, identity) = setting();
    let own = responder(&pki);
    let namesakes: Vec<_> = (0..4).map(|_| responder(&pki)).collect();
    let with = |count| {
        let certificates = namesakes.iter().take(count).map(|each| each.end_entity().clone()).collect();
        let signer = OcspSigner::Responder(&own);
        pki.ocsp(&Ocsp { certificates, signer, ..Ocsp::good(identity.end_entity()) })
    };
    assert_eq!(fault(&pki, &identity, &with(3)), None);
    assert_eq!(fault(&pki, &identity, &with(4)), bad(OcspFault::Untrusted));
}

#[test] // RFC 7633 §4.2.2
fn a_promise_to_staple_counts_whatever_else_is_odd_about_the_certificate() {
    let pki = TestPki::new();
    let odd = Leaf { long_serial: true, must_staple: true, ..Leaf::new(&[NAME], Purpose::Server) };
    let identity = pki.issue(&odd);
    let verifier = builder(&pki, OcspPolicy::IfStapled).build().unwrap();
    assert_eq!(judge(&verifier, &identity, &[]), bad(OcspFault::Missing));
    let free = pki.issue(&Leaf { must_staple: false, ..odd });
    assert_eq!(judge(&verifier, &free, &[]), None);
}

#[test]
fn policies_say_what_becomes_of_servers_that_staple_nothing() {
    let (pki, identity) = setting();
    let promise = pki.issue(&Leaf { must_staple: true, ..Leaf::new(&[NAME], Purpose::Server) });
    let missing = bad(OcspFault::Missing);
    for (policy, without, promised) in [
        (OcspPolicy::Ignore, None, None),
        (OcspPolicy::IfStapled, None, missing),
        (OcspPolicy::Required, missing, missing),
    ] {
        let verifier = builder(&pki, policy).build().unwrap();
        assert_eq!(judge(&verifier, &identity, &[]), without, "{policy:?}");
        assert_eq!(judge(&verifier, &promise, &[]), promised, "{policy:?}, RFC 7633 §4.2.2");
        assert_eq!(verifier.wants_ocsp_response(), policy != OcspPolicy::Ignore);
        let stapled = pki.ocsp(&Ocsp::good(promise.end_entity()));
        assert_eq!(judge(&verifier, &promise, &stapled), None, "{policy:?}");
    }
    let verifier = builder(&pki, OcspPolicy::Ignore).build().unwrap();
    assert_eq!(judge(&verifier, &identity, b"nobody asked"), None);
    let verifier = builder(&pki, OcspPolicy::IfStapled).build().unwrap();
    assert_eq!(judge(&verifier, &identity, b"damaged"), bad(OcspFault::BadEncoding));
}

#[test] // RFC 6960 §2.3
fn errors_of_responders_do_not_count() {
    let (pki, identity) = setting();
    for status in [1, 2, 3, 5, 6] {
        assert_eq!(fault(&pki, &identity, &[0x30, 3, 0x0a, 1, status]), bad(OcspFault::Unsuccessful), "{status}");
    }
    for status in [0, 4, 7] {
        assert_eq!(fault(&pki, &identity, &[0x30, 3, 0x0a, 1, status]), bad(OcspFault::BadEncoding), "{status}");
    }
}

#[test]
fn what_cannot_be_read_does_not_count() {
    let (pki, identity) = setting();
    let own = identity.end_entity();
    let good = pki.ocsp(&Ocsp::good(own));
    let longer = [&good[..], &[0]].concat();
    let critical = pki.ocsp(&Ocsp { unknown_critical_extension: true, ..Ocsp::good(own) });
    // id-pkix-ocsp-basic, but for the last number.
    let other_type = ocsp_wrap(&[0x2b, 6, 1, 5, 5, 7, 48, 1, 2], &good);
    let sibling = pki.server(NAME);
    let about = (0..2000).map(|_| (sibling.end_entity(), OcspStatus::Good)).collect();
    let too_long = pki.ocsp(&Ocsp { about, ..Ocsp::good(own) });
    assert!(too_long.len() > 64 << 10);
    for (case, response) in [
        ("trailing byte", longer.as_slice()),
        ("critical extension", &critical),
        ("unknown type", &other_type),
        ("too long", &too_long),
        ("nothing inside", &[0x30, 0]),
    ] {
        assert_eq!(fault(&pki, &identity, response), bad(OcspFault::BadEncoding), "{case}");
    }
}

#[test]
fn clients_staple_nothing_in_1_2() {
    let (pki, _) = setting();
    let client = pki.client("client.test");
    let presented = Presented::chain(client.end_entity(), client.intermediates(), PeerRole::Client);
    let verdict = |policy| builder(&pki, policy).build().unwrap().verify(&presented).now().unwrap().err();
    assert_eq!(verdict(OcspPolicy::IfStapled), None);
    assert_eq!(verdict(OcspPolicy::Required), bad(OcspFault::Missing));
}

/// What OpenSSL 3.0 made: see `tests/data/README.md`.
#[test]
fn responses_of_openssl_count() {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let root = certificate(include_str!("data/openssl-root.pem"));
    let server = certificate(include_str!("data/openssl-server.pem"));
    let by_issuer: &[u8] = include_bytes!("data/openssl-good-by-issuer.der");
    let by_responder: &[u8] = include_bytes!("data/openssl-good-by-responder.der");
    let revoked: &[u8] = include_bytes!("data/openssl-revoked.der");
    let builder = ChainVerifier::builder(ALL_VERIFICATION_ALGS).with_roots([root]).unwrap().with_clock(clock);
    let verifier = builder.with_ocsp(OcspPolicy::IfStapled).build().unwrap();
    let name = ServerName::try_from("openssl.test").unwrap();
    let judge = |response| {
        let presented = Presented::chain(&server, &[], PeerRole::Server(&name)).with_ocsp_response(response);
        verifier.verify(&presented).now().unwrap().err()
    };
    assert_eq!(judge(by_issuer), None);
    assert_eq!(judge(by_responder), None);
    assert_eq!(judge(revoked), Some(CertificateFault::Revoked));
    assert_eq!(judge(&[]), bad(OcspFault::Missing), "OpenSSL's tlsfeature is read too");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        let (pki, identity) = setting();
        prop_assert_eq!(fault(&pki, &identity, &bytes), bad(OcspFault::BadEncoding));
    }

    /// The certificates of a response are no part of what is signed, so some changes do no harm.
    #[test]
    fn no_change_panics(position: prop::sample::Index, value: u8) {
        let (pki, identity) = setting();
        let responder = responder(&pki);
        let signer = OcspSigner::Responder(&responder);
        let mut response = pki.ocsp(&Ocsp { signer, ..Ocsp::new(identity.end_entity(), OcspStatus::Unknown) });
        let at = position.index(response.len());
        response[at] = value;
        prop_assert!(fault(&pki, &identity, &response).is_some());
    }
}
