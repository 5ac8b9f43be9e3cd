//! Test certificates: an authority of its own for every test, and leaves of every kind.
//!
//! Owns the making of keys and certificates. It never checks a certificate: that is what the code
//! under test does. Keys differ from run to run; names, purposes, sizes and validity do not.
//!
//! All good certificates are valid from 2020 to the end of 2049, so they please both a verifier
//! that runs on [`clock`] and a foreign peer that asks the clock of its machine.

mod ocsp;
mod revocation;

use std::fmt;
use std::time::Duration;

use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SignatureAlgorithm,
};

/// Seconds since 1970 of the moment at which every test takes place: 2030-01-01T00:00:00Z.
pub const NOW_SECONDS: u64 = 1_893_456_000;

/// Bytes of padding in each certificate of a [`TestPki::with_big_chain`].
const BIG_PADDING: usize = 2000;

const TLS_FEATURE_OID: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 24];
const OCSP_NO_CHECK_OID: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 5];

/// An extension that nobody knows, in the arc for enterprises.
const PADDING_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 0xfeed, 1];

pub use ocsp::{Ocsp, OcspHash, OcspSigner, OcspStatus, ocsp_wrap};
pub use revocation::{Crl, CrlSigner};

/// The moment at which every test takes place; give it to verifiers as their clock.
#[must_use]
pub fn clock() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW_SECONDS))
}

/// Which key a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "tests iterate over all kinds and must notice a new one")]
pub enum TestKeyKind {
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
}

impl TestKeyKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::EcdsaP256, Self::EcdsaP384, Self::EcdsaP521, Self::Ed25519, Self::Rsa2048];

    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::EcdsaP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::EcdsaP521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
            Self::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
        }
    }

    fn generate(self) -> KeyPair {
        let key = KeyPair::generate_for(self.algorithm()).expect("every kind can be generated");
        if self != Self::Ed25519 {
            return key;
        }
        let pkcs8 = PrivatePkcs8KeyDer::from(ed25519_without_public_key(key.serialized_der()));
        KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, self.algorithm()).expect("the same key in its older form")
    }
}

/// Rewrites an Ed25519 key of PKCS#8 version 2 (RFC 5958) as version 1, which leaves out the
/// public key: every peer reads version 1, not every one version 2.
fn ed25519_without_public_key(pkcs8: &[u8]) -> Vec<u8> {
    /// Both versions put the 32-byte seed behind this many bytes of headers.
    const SEED: core::ops::Range<usize> = 16..48;
    let mut older = vec![0x30, 0x2e, 0x02, 0x01, 0x00];
    older.extend([0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]);
    older.extend(&pkcs8[SEED]);
    older
}

/// What a certificate may be used for (extended key usage, RFC 5280 §4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "tests iterate over them")]
pub enum Purpose {
    /// `serverAuth` only.
    Server,
    /// `clientAuth` only.
    Client,
    /// The extension is left out.
    Any,
    /// `codeSigning` only: no peer of ours may have it.
    Other,
    /// `OCSPSigning` only: a responder that the issuer appoints (RFC 6960 §4.2.2.2).
    OcspSigning,
}

/// When a certificate is valid, seen from [`clock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no other time")]
pub enum Validity {
    /// It is: from 2020 to the end of 2049.
    Current,
    /// It was: the year 2020.
    Past,
    /// It will be: from 2048 to the end of 2049.
    Future,
}

impl Validity {
    /// Its first and its last day: year, month, day.
    fn dates(self) -> [(i32, u8, u8); 2] {
        // Years below 2050 are encoded as UTCTime, which every peer reads (RFC 5280 §4.1.2.5).
        match self {
            Self::Current => [(2020, 1, 1), (2049, 12, 31)],
            Self::Past => [(2020, 1, 1), (2020, 12, 31)],
            Self::Future => [(2048, 1, 1), (2049, 12, 31)],
        }
    }
}

/// What to put into a certificate of a peer; see [`TestPki::issue`].
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests set the fields that matter to them")]
pub struct Leaf<'a> {
    /// Common name of the subject.
    pub common_name: &'a str,
    /// Subject alternative names: IP addresses become `iPAddress`, all else `dNSName`.
    pub names: &'a [&'a str],
    /// What it may be used for.
    pub purpose: Purpose,
    /// When it is valid.
    pub validity: Validity,
    /// Whether it carries a critical extension that nobody knows.
    pub unknown_critical_extension: bool,
    /// Whether it promises that an OCSP response is stapled to it (RFC 7633).
    pub must_staple: bool,
    /// Whether it says that nobody need check whether it is revoked (RFC 6960 §4.2.2.2.1).
    pub no_check: bool,
    /// Whether its serial number has more than the 20 bytes that RFC 5280 §4.1.2.2 allows, as some
    /// authorities make them.
    pub long_serial: bool,
}

impl<'a> Leaf<'a> {
    /// A good certificate with `names`; the first is the common name too.
    #[must_use]
    pub fn new(names: &'a [&'a str], purpose: Purpose) -> Self {
        let common_name = names.first().copied().unwrap_or("nameless");
        Self {
            common_name,
            names,
            purpose,
            validity: Validity::Current,
            unknown_critical_extension: false,
            must_staple: false,
            no_check: false,
            long_serial: false,
        }
    }
}

/// A certificate chain and the private key of its first certificate.
pub struct TestIdentity {
    /// The peer's certificate, then the intermediates up to, but without, the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key in PKCS#8 form.
    pub key: PrivateKeyDer<'static>,
    /// The chain as PEM, in the same order.
    pub chain_pem: String,
    /// The private key as PEM.
    pub key_pem: String,
    /// The public key as PEM.
    pub public_key_pem: String,
}

impl TestIdentity {
    /// The peer's own certificate.
    #[must_use]
    pub fn end_entity(&self) -> &CertificateDer<'static> {
        self.chain.first().expect("a chain begins with the peer's certificate")
    }

    /// The certificates between the peer's own and the root.
    #[must_use]
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        self.chain.get(1..).unwrap_or(&[])
    }
}

impl Clone for TestIdentity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            chain_pem: self.chain_pem.clone(),
            key_pem: self.key_pem.clone(),
            public_key_pem: self.public_key_pem.clone(),
        }
    }
}

impl fmt::Debug for TestIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIdentity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// A certification authority for tests.
pub struct TestPki {
    kind: TestKeyKind,
    padding: usize,
    root: Authority,
    /// The nearest to the root first.
    intermediates: Vec<Authority>,
}

struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl TestPki {
    /// ECDSA on P-256 throughout; the root signs the peers' certificates.
    #[must_use]
    pub fn new() -> Self {
        Self::of(TestKeyKind::EcdsaP256)
    }

    /// The root and all other certificates have keys of `kind`.
    #[must_use]
    pub fn of(kind: TestKeyKind) -> Self {
        let params = authority_params("Gramseal Test Root", 0);
        let key = kind.generate();
        let certificate = params.self_signed(&key).expect("the root is well formed");
        let root = Authority { certificate, issuer: Issuer::new(params, key) };
        Self { kind, padding: 0, root, intermediates: Vec::new() }
    }

    /// From now on, new certificates have keys of `kind`; the authorities keep theirs.
    #[must_use]
    pub fn with_keys(mut self, kind: TestKeyKind) -> Self {
        self.kind = kind;
        self
    }

    /// From now on, one more intermediate authority signs.
    #[must_use]
    pub fn with_intermediate(self) -> Self {
        let name = format!("Gramseal Test Intermediate {}", self.intermediates.len() + 1);
        let params = authority_params(&name, self.padding);
        self.with_signer(params)
    }

    /// From now on, a peer that is no authority signs all the same, as an attacker with a
    /// certificate of its own would.
    #[must_use]
    pub fn with_impostor(self, name: &str) -> Self {
        let params = leaf_params(&Leaf::new(&[name], Purpose::Any), self.padding);
        self.with_signer(params)
    }

    fn with_signer(mut self, mut params: CertificateParams) -> Self {
        let key = self.kind.generate();
        let certificate = params.signed_by(&key, self.signer()).expect("the certificate is well formed");
        // rcgen would not sign with a key that may not; that is for verifiers to notice.
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        self.intermediates.push(Authority { certificate, issuer: Issuer::new(params, key) });
        self
    }

    /// From now on, every certificate is `bytes` bytes larger, by an extension without meaning.
    /// Verifiers refuse certificates of 64 KiB and more.
    #[must_use]
    pub fn with_padding(mut self, bytes: usize) -> Self {
        self.padding = bytes;
        self
    }

    /// Two intermediates, and padding: chains of three certificates and at least 6000 bytes, which
    /// no datagram of usual size carries in one fragment.
    #[must_use]
    pub fn with_big_chain(self) -> Self {
        self.with_padding(BIG_PADDING).with_intermediate().with_intermediate()
    }

    /// The root certificate.
    #[must_use]
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.certificate.der().clone()
    }

    /// The root certificate as PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.root.certificate.pem()
    }

    /// A server called `name` (a DNS name, with `*` as first label if need be, or an IP address).
    #[must_use]
    pub fn server(&self, name: &str) -> TestIdentity {
        self.issue(&Leaf::new(&[name], Purpose::Server))
    }

    /// A client called `name`.
    #[must_use]
    pub fn client(&self, name: &str) -> TestIdentity {
        self.issue(&Leaf::new(&[name], Purpose::Client))
    }

    /// A peer for either role whose certificate ran out at the end of 2020.
    #[must_use]
    pub fn expired(&self, name: &str) -> TestIdentity {
        self.issue(&Leaf { validity: Validity::Past, ..Leaf::new(&[name], Purpose::Any) })
    }

    /// A peer for either role whose certificate begins in 2048.
    #[must_use]
    pub fn not_yet_valid(&self, name: &str) -> TestIdentity {
        self.issue(&Leaf { validity: Validity::Future, ..Leaf::new(&[name], Purpose::Any) })
    }

    /// A certificate with a new key and everything else as `leaf` says.
    ///
    /// # Panics
    /// If a name of `leaf` is neither an IP address nor ASCII.
    #[must_use]
    pub fn issue(&self, leaf: &Leaf<'_>) -> TestIdentity {
        let key = self.kind.generate();
        let params = leaf_params(leaf, self.padding);
        let certificate = params.signed_by(&key, self.signer()).expect("the certificate is well formed");

        let mut chain = vec![certificate.der().clone()];
        let mut chain_pem = certificate.pem();
        for authority in self.intermediates.iter().rev() {
            chain.push(authority.certificate.der().clone());
            chain_pem.push_str(&authority.certificate.pem());
        }
        TestIdentity {
            chain,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            chain_pem,
            key_pem: key.serialize_pem(),
            public_key_pem: key.public_key_pem(),
        }
    }

    fn signer(&self) -> &Issuer<'static, KeyPair> {
        &self.intermediates.last().unwrap_or(&self.root).issuer
    }
}

impl Default for TestPki {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestPki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestPki")
            .field("kind", &self.kind)
            .field("padding", &self.padding)
            .field("intermediates", &self.intermediates.len())
            .finish_non_exhaustive()
    }
}

fn authority_params(name: &str, padding: usize) -> CertificateParams {
    let mut params = params(name, &[], Validity::Current, padding);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(leaf: &Leaf<'_>, padding: usize) -> CertificateParams {
    let mut params = params(leaf.common_name, leaf.names, leaf.validity, padding);
    // Not `ExplicitNoCa`: that writes the default, which DER forbids (X.690 §11.5), and wolfSSL refuses it.
    params.is_ca = IsCa::NoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match leaf.purpose {
        Purpose::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Purpose::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Purpose::Other => vec![ExtendedKeyUsagePurpose::CodeSigning],
        Purpose::OcspSigning => vec![ExtendedKeyUsagePurpose::OcspSigning],
        Purpose::Any => Vec::new(),
    };
    if leaf.long_serial {
        params.serial_number = Some(vec![0x55; 30].into());
    }
    if leaf.unknown_critical_extension {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 0xfeed, 2], vec![0x05, 0x00]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    }
    let mut extend = |oid: &[u64], value: &[u8]| {
        params.custom_extensions.push(CustomExtension::from_oid_content(oid, value.to_vec()));
    };
    if leaf.must_staple {
        // SEQUENCE { INTEGER 5 }, the number of status_request.
        extend(TLS_FEATURE_OID, &[0x30, 3, 2, 1, 5]);
    }
    if leaf.no_check {
        extend(OCSP_NO_CHECK_OID, &[0x05, 0x00]);
    }
    params
}

fn params(common_name: &str, names: &[&str], validity: Validity, padding: usize) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("the names are ASCII");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    [params.not_before, params.not_after] =
        validity.dates().map(|(year, month, day)| rcgen::date_time_ymd(year, month, day));
    if padding > 0 {
        params.custom_extensions.push(CustomExtension::from_oid_content(PADDING_OID, octet_string(padding)));
    }
    params
}

/// DER of an OCTET STRING with `length` bytes.
fn octet_string(length: usize) -> Vec<u8> {
    let length16 = u16::try_from(length).expect("padding is less than 64 KiB");
    let [high, low] = length16.to_be_bytes();
    let mut der = vec![0x04];
    match length16 {
        0..=0x7f => der.push(low),
        0x80..=0xff => der.extend([0x81, low]),
        _ => der.extend([0x82, high, low]),
    }
    der.resize(der.len() + length, 0xa5);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_makes_an_identity() {
        for kind in TestKeyKind::ALL {
            let identity = TestPki::new().with_keys(kind).server("server.test");
            assert_eq!(identity.chain.len(), 1);
            assert!(matches!(identity.key, PrivateKeyDer::Pkcs8(_)));
            assert!(identity.chain_pem.starts_with("-----BEGIN CERTIFICATE-----"));
            assert!(identity.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
        }
    }

    #[test] // X.690 §11.5
    fn no_default_is_written_out() {
        let identity = TestPki::new().server("server.test");
        // basicConstraints with a FALSE.
        let written = [0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01, 0x00];
        assert!(!identity.end_entity().windows(written.len()).any(|window| window == written));
    }

    #[test]
    fn ed25519_keys_are_in_the_form_that_old_peers_read() {
        let identity = TestPki::of(TestKeyKind::Ed25519).server("server.test");
        let der = identity.key.secret_der();
        assert_eq!(der.len(), 48);
        assert_eq!(der[..5], [0x30, 0x2e, 0x02, 0x01, 0x00]);
    }

    #[test]
    fn big_chains_are_big() {
        let identity = TestPki::new().with_big_chain().server("server.test");
        assert_eq!(identity.chain.len(), 3);
        assert_eq!(identity.intermediates().len(), 2);
        assert!(identity.chain.iter().all(|certificate| certificate.len() > BIG_PADDING));
        assert_eq!(identity.chain_pem.matches("BEGIN CERTIFICATE").count(), 3);
    }

    #[test]
    fn padding_of_every_length_form_is_encoded() {
        for length in [1, 0x7f, 0x80, 0xff, 0x100, 0x1234] {
            let der = octet_string(length);
            let identity = TestPki::new().with_padding(length).server("server.test");
            assert!(identity.end_entity().windows(der.len()).any(|window| window == der));
        }
    }

    #[test]
    fn ip_addresses_become_ip_names() {
        let identity = TestPki::new().server("192.0.2.7");
        // [7] IMPLICIT OCTET STRING of four bytes (RFC 5280 §4.2.1.6).
        let name = [0x87, 4, 192, 0, 2, 7];
        assert!(identity.end_entity().windows(name.len()).any(|window| window == name));
    }
}
