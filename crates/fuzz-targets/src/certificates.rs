//! Certificates, raw keys, revocation lists and OCSP responses, as peers and files have them.
//!
//! Signatures are believed here: a hostile authority may be among those that somebody trusts, and what lies behind a
//! signature is read by code, too.

use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use gramseal_testkit::null::{NullKey, ToyKind};
use gramseal_webpki::{
    ChainVerifier, ChainVerifierBuilder, Fingerprint, FingerprintVerifier, OcspPolicy, PeerRole, PeerVerifier,
    Presented, RawPublicKeyVerifier, belong_together, certificate_schemes, describe, host_names, issuers,
    public_key_of, public_key_of_raw,
};
use pki_types::pem::PemObject;
use pki_types::{
    AlgorithmIdentifier, CertificateDer, CertificateRevocationListDer, InvalidSignature, PrivateKeyDer, ServerName,
    SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, UnixTime, alg_id,
};

use crate::input::Input;

/// The name that the certificates of [`fixtures`] are for.
pub const NAME: &str = "server.test";

/// Since 1970; the test kit's PKI has it, too.
const NOW: Duration = Duration::from_secs(1_893_456_000);

/// A root, an intermediate, a server, and what both say of it; made by the example `seeds`.
pub mod fixtures {
    /// The root's certificate.
    pub const ROOT: &[u8] = include_bytes!("../fixtures/root.der");
    /// That of an authority below it.
    pub const INTERMEDIATE: &[u8] = include_bytes!("../fixtures/intermediate.der");
    /// That of a server below that.
    pub const SERVER: &[u8] = include_bytes!("../fixtures/server.der");
}

/// The moment at which the certificates of [`fixtures`] are valid.
fn clock() -> UnixTime {
    UnixTime::since_unix_epoch(NOW)
}

/// Believes every signature.
#[derive(Debug)]
struct Credulous(AlgorithmIdentifier, AlgorithmIdentifier);

impl SignatureVerificationAlgorithm for Credulous {
    fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.1
    }
}

static ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 3] = [
    &Credulous(alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
    &Credulous(alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256),
    &Credulous(alg_id::ED25519, alg_id::ED25519),
];

static SERVER_NAME: LazyLock<ServerName<'static>> = LazyLock::new(|| ServerName::try_from(NAME).expect("a name"));

/// What the bytes are, then the bytes.
///
/// # Panics
/// Only because of a fault.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 8 {
        0 => certificate(input.rest()),
        1 => raw_key(input.rest()),
        2 => chain(&mut input),
        3 => judge(builder(), fixtures::SERVER, &[fixtures::INTERMEDIATE], input.rest()),
        4 => revocation_list(input.rest()),
        5 => root(input.rest()),
        6 => fingerprint(input.rest()),
        _ => pem(input.rest()),
    }
}

fn builder() -> ChainVerifierBuilder {
    let builder = ChainVerifier::builder(&ALGORITHMS).with_clock(clock).with_ocsp(OcspPolicy::IfStapled);
    builder.with_roots([CertificateDer::from(fixtures::ROOT)]).expect("a root")
}

/// Any verdict is fine.
fn judge(builder: ChainVerifierBuilder, server: &[u8], intermediates: &[&[u8]], response: &[u8]) {
    let Ok(verifier) = builder.build() else { return };
    let server = CertificateDer::from(server);
    let intermediates: Vec<_> = intermediates.iter().map(|bytes| CertificateDer::from(*bytes)).collect();
    for role in [PeerRole::Server(&SERVER_NAME), PeerRole::Client] {
        let presented = Presented::chain(&server, &intermediates, role).with_ocsp_response(response);
        drop(verifier.verify(&presented).now());
    }
    drop((verifier.session_context(), verifier.authorities().len()));
}

fn certificate(bytes: &[u8]) {
    let certificate = CertificateDer::from(bytes);
    if let Ok(description) = describe(&certificate) {
        assert!(!description.subject.chars().any(char::is_control), "{description:?} commands a terminal");
    }
    let key = NullKey::new(ToyKind::EcdsaP256, 1);
    drop((host_names(&certificate), public_key_of(&certificate), belong_together(&certificate, &key)));
    let chain = [certificate];
    drop((issuers(&chain), certificate_schemes(&chain)));
    let [certificate] = chain;
    let verifier = FingerprintVerifier::new([Fingerprint::of(&certificate)]);
    drop(verifier.verify(&Presented::chain(&certificate, &[], PeerRole::Client)).now());
}

fn raw_key(bytes: &[u8]) {
    let key = SubjectPublicKeyInfoDer::from(bytes);
    let known = public_key_of_raw(&key).is_ok();
    let verifier = RawPublicKeyVerifier::new([Fingerprint::of_public_key(&key)]);
    let verdict = verifier.verify(&Presented::raw_public_key(&key, PeerRole::Client)).now();
    assert_eq!(verdict.is_some_and(|verdict| verdict.is_ok()), known, "a key that is known by its fingerprint");
}

fn chain(input: &mut Input<'_>) {
    let (server, first, second) = (input.string(), input.string(), input.string());
    judge(builder(), server, &[first, second, fixtures::INTERMEDIATE], input.rest());
}

fn revocation_list(bytes: &[u8]) {
    if let Ok(builder) = builder().with_crls([CertificateRevocationListDer::from(bytes)]) {
        judge(builder, fixtures::SERVER, &[fixtures::INTERMEDIATE], &[]);
    }
}

fn root(bytes: &[u8]) {
    let builder = ChainVerifier::builder(&ALGORITHMS).with_clock(clock);
    if let Ok(builder) = builder.with_roots([CertificateDer::from(bytes)]) {
        judge(builder, fixtures::SERVER, &[fixtures::INTERMEDIATE], &[]);
    }
}

fn fingerprint(bytes: &[u8]) {
    if let Ok(fingerprint) = String::from_utf8_lossy(bytes).parse::<Fingerprint>() {
        assert_eq!(Fingerprint::from_str(&fingerprint.to_string()).as_ref(), Ok(&fingerprint));
    }
}

fn pem(bytes: &[u8]) {
    for found in CertificateDer::pem_slice_iter(bytes).map_while(Result::ok).take(20) {
        certificate(&found);
    }
    drop(PrivateKeyDer::from_pem_slice(bytes));
}
