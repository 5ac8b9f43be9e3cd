//! In how many ways certificates may fit together: what has to be accepted, and what a refusal costs at most.
//!
//! Signature checks are counted, not time. Where every name that occurs is also the name of a trusted root with another
//! key, `rustls-webpki` checks exactly one signature for each path that it follows.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gramseal_testkit::pki::{Crl, CrlSigner, Leaf, Ocsp, OcspSigner, Purpose, TestPki, clock};
use gramseal_webpki::{CertificateFault, ChainVerifier, OcspPolicy, PeerRole, PeerVerifier, Presented};
use pki_types::{AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName, SignatureVerificationAlgorithm};
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use webpki::aws_lc_rs::ECDSA_P256_SHA256;

type Der = CertificateDer<'static>;

/// Verdicts without a single check of a signature.
const TOO_MANY: (Option<CertificateFault>, usize) = (Some(CertificateFault::TooManyPaths), 0);
const UNKNOWN: (Option<CertificateFault>, usize) = (Some(CertificateFault::UnknownIssuer), 0);

/// Checks signatures and counts how often.
#[derive(Debug)]
struct Counting(Arc<AtomicUsize>);

impl SignatureVerificationAlgorithm for Counting {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.0.fetch_add(1, Ordering::Relaxed);
        ECDSA_P256_SHA256.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        ECDSA_P256_SHA256.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        ECDSA_P256_SHA256.signature_alg_id()
    }
}

/// Algorithms that count, and their count.
fn counting() -> (&'static [&'static dyn SignatureVerificationAlgorithm], Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let algorithm: &dyn SignatureVerificationAlgorithm = Box::leak(Box::new(Counting(Arc::clone(&count))));
    (Box::leak(Box::new([algorithm])), count)
}

/// What becomes of a client with this certificate, and how many signatures were checked for that.
fn judge(roots: &[Der], end_entity: &Der, intermediates: &[Der]) -> (Option<CertificateFault>, usize) {
    let (algorithms, count) = counting();
    let builder = ChainVerifier::builder(algorithms).with_roots(roots.iter().cloned()).unwrap();
    let verifier = builder.with_clock(clock).build().unwrap();
    let verdict = verifier.verify(&Presented::chain(end_entity, intermediates, PeerRole::Client));
    (verdict.now().unwrap().err(), count.load(Ordering::Relaxed))
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// An authority with one key, which any others may certify.
struct Authority {
    name: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: impl Into<String>) -> Self {
        let (name, key) = (name.into(), KeyPair::generate().unwrap());
        let issuer = Issuer::new(Self::params(&name), key);
        Self { name, issuer }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    /// Its certificate by `other`, which may be itself.
    fn by(&self, other: &Self) -> Der {
        Self::params(&self.name).signed_by(self.issuer.key(), &other.issuer).unwrap().der().clone()
    }

    /// A peer's certificate.
    fn leaf(&self) -> Der {
        params("leaf").signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
    }
}

#[test] // RFC 5280 §3.2: an authority may be certified by several.
fn an_authority_with_two_issuers_is_found_through_either() {
    let [x, a, b] = ["X", "A", "B"].map(Authority::new);
    let leaf = x.leaf();
    for trusted in [&a, &b] {
        let root = [trusted.by(trusted)];
        let mut sent = [x.by(&a), x.by(&b)];
        assert_eq!(judge(&root, &leaf, &sent).0, None, "{}", trusted.name);
        sent.reverse();
        assert_eq!(judge(&root, &leaf, &sent).0, None, "{}", trusted.name);
    }
}

#[test] // RFC 5280 §3.2, RFC 4210 §4.4: certificates of the new key by the old one, and of the old by the new.
fn an_authority_with_two_keys_is_found_with_either() {
    let (root, old, new) = (Authority::new("Root"), Authority::new("X"), Authority::new("X"));
    let all = [old.by(&root), old.by(&new), new.by(&root), new.by(&old)];
    for authority in [&old, &new] {
        assert_eq!(judge(&[root.by(&root)], &authority.leaf(), &all).0, None);
        // Who trusts the old key alone, or the new one alone.
        for trusted in [&old, &new] {
            assert_eq!(judge(&[trusted.by(trusted)], &authority.leaf(), &all).0, None);
        }
    }
}

#[test]
fn sixteen_certificates_are_no_fault() {
    let root = Authority::new("Root");
    let line: Vec<_> = (1..=6).map(|level| Authority::new(format!("Level {level}"))).collect();
    let mut sent = Vec::new();
    let mut above = &root;
    for authority in &line {
        sent.push(authority.by(above));
        above = authority;
    }
    sent.reverse();
    // Nine that are of no use, such as those of another chain.
    sent.extend((0..9).map(|level| Authority::new(format!("Other {level}")).by(&root)));
    assert_eq!(judge(&[root.by(&root)], &line[5].leaf(), &sent), (None, 7));
}

#[test]
fn authorities_that_all_certify_each_other_lead_to_each_of_them() {
    let four = ["A", "B", "C", "D"].map(Authority::new);
    for trusted in &four {
        let pairs = four.iter().flat_map(|a| four.iter().map(move |b| (a, b)));
        let sent: Vec<_> =
            pairs.filter(|(a, b)| a.name != b.name || a.name != trusted.name).map(|(a, b)| a.by(b)).collect();
        assert_eq!(sent.len(), 15);
        for authority in &four {
            assert_eq!(judge(&[trusted.by(trusted)], &authority.leaf(), &sent).0, None);
        }
    }
}

#[test] // An attacker chooses names and keys at will, and knows the names of the roots.
fn namesakes_of_a_root_cost_few_signatures_or_none() {
    let root = Authority::new("X");
    let namesakes: Vec<_> = (0..15).map(|_| Authority::new("X")).collect();
    let sent: Vec<_> = namesakes.iter().map(|each| each.by(each)).collect();
    let leaf = namesakes[0].leaf();
    let costs: Vec<_> = (1..=15).map(|number| judge(&[root.by(&root)], &leaf, &sent[..number])).collect();
    // n + n(n-1) + n(n-1)(n-2) + … paths, and the peer's certificate alone.
    assert_eq!(costs[..4], [2, 5, 16, 65].map(|checks| (Some(CertificateFault::BadSignature), checks)));
    assert!(costs[4..].iter().all(|&cost| cost == TOO_MANY), "{costs:?}");
}

#[test]
fn layers_are_followed_with_two_authorities_in_each_and_refused_with_three() {
    let of = |width: usize, depth: usize| {
        let layers: Vec<Vec<_>> =
            (0..=depth).map(|at| (0..width).map(|_| Authority::new(format!("Level {at}"))).collect()).collect();
        let up = |pair: &[Vec<Authority>]| pair[0].iter().map(|each| each.by(&pair[1][0])).collect::<Vec<_>>();
        let sent: Vec<_> = layers.windows(2).flat_map(up).collect();
        let root = &layers[depth][0];
        judge(&[root.by(root)], &layers[0][0].leaf(), &sent)
    };
    // 126 paths; that with the first of each is the first to be tried.
    assert_eq!(of(2, 6), (None, 7));
    // One layer more is too long a path, not too many.
    assert_eq!(of(2, 7), (Some(CertificateFault::UnknownIssuer), 0));
    assert_eq!(of(3, 4), (None, 5));
    assert_eq!(of(3, 5), TOO_MANY);
}

#[test]
fn rings_of_authorities_that_certify_each_other_cost_nothing() {
    for (length, steps, expected) in
        [(7, [1, 6].as_slice(), UNKNOWN), (5, &[1, 2, 3], UNKNOWN), (5, &[0, 1, 4], UNKNOWN)]
    {
        let ring: Vec<_> = (0..length).map(|at| Authority::new(format!("Ring {at}"))).collect();
        let by = |at: usize| steps.iter().map(move |step| (at, (at + step) % length));
        let sent: Vec<_> = (0..length).flat_map(by).map(|(at, other)| ring[at].by(&ring[other])).collect();
        let root = Authority::new("Root");
        assert_eq!(judge(&[root.by(&root)], &ring[0].leaf(), &sent), expected, "{length} {steps:?}");
    }
}

#[test]
fn copies_of_a_certificate_count_once_whatever_their_signatures() {
    let (root, x, stranger) = (Authority::new("Root"), Authority::new("X"), Authority::new("X"));
    let copies: Vec<_> = (0..15).map(|_| x.by(&root)).collect();
    assert_ne!(copies[0], copies[1], "ECDSA signatures have a random part");
    let roots = [root.by(&root)];
    assert_eq!(judge(&roots, &x.leaf(), &copies), (None, 2));
    let forged = stranger.leaf();
    assert_eq!(judge(&roots, &forged, &copies[..1]), (Some(CertificateFault::BadSignature), 2));
    assert_eq!(judge(&roots, &forged, &copies), (Some(CertificateFault::BadSignature), 2));
}

#[test]
fn copies_of_an_authority_have_no_list_checked_again() {
    let (pki, stranger) = (TestPki::new().with_intermediate(), TestPki::new().with_intermediate());
    let lists = [Crl::new(&[]), Crl { signer: CrlSigner::Root, ..Crl::new(&[]) }].map(|list| pki.crl(&list));
    let (good, forged) = (pki.client("good.test"), stranger.client("forged.test"));
    let intermediate = &good.intermediates()[0];
    for (leaf, fault, checks) in [(&good, None, 4), (&forged, Some(CertificateFault::BadSignature), 3)] {
        for copies in [1, 15] {
            let (algorithms, count) = counting();
            let builder = ChainVerifier::builder(algorithms).with_roots([pki.root()]).unwrap();
            let verifier = builder.with_crls(lists.iter().cloned()).unwrap().with_clock(clock).build().unwrap();
            let sent = vec![intermediate.clone(); copies];
            let verdict = verifier.verify(&Presented::chain(leaf.end_entity(), &sent, PeerRole::Client));
            assert_eq!((verdict.now().unwrap().err(), count.load(Ordering::Relaxed)), (fault, checks), "{copies}");
        }
    }
}

#[test] // A response has as many certificates as its sender likes, all of one name.
fn responders_of_one_name_cost_few_signatures() {
    let pki = TestPki::new();
    let identity = pki.server("server.test");
    let responder = || pki.issue(&Leaf::new(&["responder.test"], Purpose::OcspSigning));
    let own = responder();
    let namesakes: Vec<_> = (0..20).map(|_| responder().end_entity().clone()).collect();
    for (number, checks) in [(0, 3), (1, 4), (3, 6), (4, 5), (20, 5)] {
        let (algorithms, count) = counting();
        let builder = ChainVerifier::builder(algorithms).with_roots([pki.root()]).unwrap();
        let verifier = builder.with_ocsp(OcspPolicy::Required).with_clock(clock).build().unwrap();
        let certificates = namesakes[..number].to_vec();
        let signer = OcspSigner::Responder(&own);
        let response = pki.ocsp(&Ocsp { certificates, signer, ..Ocsp::good(identity.end_entity()) });
        let name = ServerName::try_from("server.test").unwrap();
        let mut presented = Presented::chain(identity.end_entity(), &[], PeerRole::Server(&name));
        presented.ocsp_response = &response;
        assert_eq!(verifier.verify(&presented).now().unwrap().is_ok(), number < 4);
        assert_eq!(count.load(Ordering::Relaxed), checks, "{number}");
    }
}

/// A certificate: the number of its subject's name, of that name's keys, and of its issuer's name.
type Tie = (usize, usize, usize);

/// How many paths begin at a certificate that the first name issued, by the rules of the search; those beyond the
/// thousandth are not counted.
fn paths(ties: &[Tie]) -> usize {
    let mut ties = ties.to_vec();
    ties.sort_unstable();
    ties.dedup();
    let mut paths: Vec<Vec<Tie>> = vec![Vec::new()];
    let mut at = 0;
    while let Some(path) = paths.get(at).cloned().filter(|_| paths.len() <= 1000) {
        at += 1;
        let issuer = path.last().map_or(0, |tie| tie.2);
        let met = |tie: &Tie| path.iter().any(|each| (each.0, each.1) == (tie.0, tie.1));
        let next = ties.iter().filter(|tie| path.len() < 6 && tie.0 == issuer && !met(tie));
        paths.extend(next.map(|&tie| [path.as_slice(), &[tie]].concat()));
    }
    paths.len() - 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_sent_few_signatures_are_checked(
        ties in prop::collection::vec((0..4usize, 0..3usize, 0..4usize), 0..=15),
    ) {
        let names: Vec<Vec<_>> =
            (0..4).map(|name| (0..3).map(|_| Authority::new(format!("Name {name}"))).collect()).collect();
        let sent: Vec<_> = ties.iter().map(|&(name, key, issuer)| names[name][key].by(&names[issuer][0])).collect();
        let strangers = (0..4).map(|name| Authority::new(format!("Name {name}")));
        let roots: Vec<_> = strangers.map(|root| root.by(&root)).collect();
        let (fault, checks) = judge(&roots, &names[0][0].leaf(), &sent);
        let expected = match paths(&ties) {
            followed @ 0..100 => (Some(CertificateFault::BadSignature), followed + 1),
            100..=128 => (Some(CertificateFault::TooManyPaths), 100),
            _ => TOO_MANY,
        };
        prop_assert_eq!((fault, checks), expected);
    }
}
