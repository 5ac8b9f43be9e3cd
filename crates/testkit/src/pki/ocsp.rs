//! OCSP responses of test authorities and of the responders that they appoint (RFC 6960 §4.2).
//!
//! Written byte for byte, so that tests do not read with the code that wrote.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use pki_types::{AlgorithmIdentifier, CertificateDer, PrivatePkcs8KeyDer, alg_id};
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use x509_cert::Certificate as Parsed;
use x509_cert::der::{Decode, Encode};

use super::{TestIdentity, TestKeyKind, TestPki, Validity};

/// What a response says about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum OcspStatus {
    /// It is good.
    Good,
    /// It was revoked.
    Revoked,
    /// The responder does not know it.
    Unknown,
}

/// The hash that names a certificate's issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name no others")]
pub enum OcspHash {
    /// SHA-1, which is usual.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// Who signs a response.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "tests name no others")]
pub enum OcspSigner<'a> {
    /// The authority that issued the certificate.
    Issuer,
    /// The root, although an intermediate may have issued the certificate.
    Root,
    /// A responder, whose certificate comes along.
    Responder(&'a TestIdentity),
    /// A responder that says it is the authority.
    Pretender(&'a TestIdentity),
}

/// What to put into a response; see [`TestPki::ocsp`].
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests set the fields that matter to them")]
pub struct Ocsp<'a> {
    /// What is said about which certificates of the authority that signs peers' certificates.
    pub about: Vec<(&'a CertificateDer<'a>, OcspStatus)>,
    /// The time from `thisUpdate` to `nextUpdate`.
    pub validity: Validity,
    /// Whether `nextUpdate` is told.
    pub has_next_update: bool,
    /// Who signs.
    pub signer: OcspSigner<'a>,
    /// Whether the signer is named by the hash of its key instead of its name.
    pub signer_by_key: bool,
    /// The hash of the certificates' issuer.
    pub hash: OcspHash,
    /// Whether the response carries a critical extension that nobody knows.
    pub unknown_critical_extension: bool,
    /// Certificates that come along before the signer's.
    pub certificates: Vec<CertificateDer<'a>>,
}

impl<'a> Ocsp<'a> {
    /// The issuer says that `certificate` is good.
    #[must_use]
    pub fn good(certificate: &'a CertificateDer<'a>) -> Self {
        Self::new(certificate, OcspStatus::Good)
    }

    /// The issuer says `status` about `certificate`.
    #[must_use]
    pub fn new(certificate: &'a CertificateDer<'a>, status: OcspStatus) -> Self {
        Self {
            about: vec![(certificate, status)],
            validity: Validity::Current,
            has_next_update: true,
            signer: OcspSigner::Issuer,
            signer_by_key: false,
            hash: OcspHash::Sha1,
            unknown_critical_extension: false,
            certificates: Vec::new(),
        }
    }
}

impl TestPki {
    /// A DER `OCSPResponse` as `ocsp` says.
    ///
    /// # Panics
    /// If a certificate is none, or there is none to tell about.
    #[must_use]
    pub fn ocsp(&self, ocsp: &Ocsp<'_>) -> Vec<u8> {
        let issuer = self.signer();
        let (first, _) = ocsp.about.first().expect("a response is about a certificate");
        let issuer_name = parse(first).tbs_certificate().issuer().to_der().expect("a name has an encoding");
        let issuer_key = issuer.key().der_bytes();

        let loaded;
        let (name, key, own) = match ocsp.signer {
            OcspSigner::Issuer => (issuer_name.clone(), issuer.key(), None),
            OcspSigner::Root => (subject(self.root.certificate.der()), self.root.issuer.key(), None),
            OcspSigner::Responder(identity) => {
                loaded = key_pair(identity);
                (subject(identity.end_entity()), &loaded, Some(identity.end_entity()))
            }
            OcspSigner::Pretender(identity) => {
                loaded = key_pair(identity);
                (issuer_name.clone(), &loaded, Some(identity.end_entity()))
            }
        };
        let responder = match ocsp.signer_by_key {
            false => tlv(0xa1, &[&name]),
            true => tlv(0xa2, &[&tlv(0x04, &[&hash(&SHA1_FOR_LEGACY_USE_ONLY, key.der_bytes())])]),
        };
        let singles: Vec<u8> =
            ocsp.about.iter().flat_map(|about| ocsp.single(about, &issuer_name, issuer_key)).collect();
        let extension = [tlv(0x06, &[UNKNOWN_OID]), tlv(0x01, &[&[0xff]]), tlv(0x04, &[&[0x05, 0x00]])].concat();
        let extensions = match ocsp.unknown_critical_extension {
            true => tlv(0xa1, &[&tlv(0x30, &[&tlv(0x30, &[&extension])])]),
            false => Vec::new(),
        };
        let data = tlv(0x30, &[&responder, &time(ocsp.validity, 0), &tlv(0x30, &[&singles]), &extensions]);

        let signature = key.sign(&data).expect("the key can sign");
        let algorithm = tlv(0x30, &[self.kind.signature_algorithm().as_ref()]);
        let certificates: Vec<&[u8]> = ocsp.certificates.iter().chain(own).map(AsRef::as_ref).collect();
        let certificates = match certificates.is_empty() {
            true => Vec::new(),
            false => tlv(0xa0, &[&tlv(0x30, &certificates)]),
        };
        let basic = tlv(0x30, &[&data, &algorithm, &tlv(0x03, &[&[0], &signature]), &certificates]);
        ocsp_wrap(BASIC_OID, &basic)
    }
}

impl Ocsp<'_> {
    /// A `SingleResponse`.
    fn single(&self, about: &(&CertificateDer<'_>, OcspStatus), issuer_name: &[u8], issuer_key: &[u8]) -> Vec<u8> {
        let (algorithm, oid) = match self.hash {
            OcspHash::Sha1 => (&SHA1_FOR_LEGACY_USE_ONLY, SHA1_OID),
            OcspHash::Sha256 => (&SHA256, SHA256_OID),
        };
        let hashed = |bytes: &[u8]| tlv(0x04, &[&hash(algorithm, bytes)]);
        let serial = parse(about.0).tbs_certificate().serial_number().to_der().expect("a number has an encoding");
        let algorithm = tlv(0x30, &[&tlv(0x06, &[oid]), &[0x05, 0x00]]);
        let id = tlv(0x30, &[&algorithm, &hashed(issuer_name), &hashed(issuer_key), &serial]);
        let status = match about.1 {
            OcspStatus::Good => tlv(0x80, &[]),
            OcspStatus::Revoked => tlv(0xa1, &[&time(Validity::Past, 0)]),
            OcspStatus::Unknown => tlv(0x82, &[]),
        };
        let next = match self.has_next_update {
            true => tlv(0xa0, &[&time(self.validity, 1)]),
            false => Vec::new(),
        };
        tlv(0x30, &[&id, &status, &time(self.validity, 0), &next])
    }
}

/// An `OCSPResponse` around `response`, whose type has the content `oid`.
#[must_use]
pub fn ocsp_wrap(oid: &[u8], response: &[u8]) -> Vec<u8> {
    let bytes = tlv(0x30, &[&tlv(0x06, &[oid]), &tlv(0x04, &[response])]);
    tlv(0x30, &[&[0x0a, 1, 0], &tlv(0xa0, &[&bytes])])
}

/// id-pkix-ocsp-basic.
const BASIC_OID: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
const SHA1_OID: &[u8] = &[0x2b, 14, 3, 2, 26];
const SHA256_OID: &[u8] = &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 1];
/// In the arc for enterprises.
const UNKNOWN_OID: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xfd, 0x6d, 3];

impl TestKeyKind {
    fn signature_algorithm(self) -> AlgorithmIdentifier {
        match self {
            Self::EcdsaP256 => alg_id::ECDSA_SHA256,
            Self::EcdsaP384 => alg_id::ECDSA_SHA384,
            Self::EcdsaP521 => alg_id::ECDSA_SHA512,
            Self::Ed25519 => alg_id::ED25519,
            Self::Rsa2048 => alg_id::RSA_PKCS1_SHA256,
        }
    }
}

fn key_pair(identity: &TestIdentity) -> KeyPair {
    let pkcs8 = PrivatePkcs8KeyDer::from(identity.key.secret_der());
    KeyPair::try_from(&pkcs8).expect("an identity has a key")
}

fn parse(certificate: &CertificateDer<'_>) -> Parsed {
    Parsed::from_der(certificate).expect("the certificate can be read")
}

fn subject(certificate: &CertificateDer<'_>) -> Vec<u8> {
    parse(certificate).tbs_certificate().subject().to_der().expect("a name has an encoding")
}

/// A `GeneralizedTime`: the first moment of the first or of the last day of `validity`.
fn time(validity: Validity, end: usize) -> Vec<u8> {
    let (year, month, day) = validity.dates()[end];
    tlv(0x18, &[format!("{year:04}{month:02}{day:02}000000Z").as_bytes()])
}

fn hash(algorithm: &'static Algorithm, bytes: &[u8]) -> Vec<u8> {
    digest(algorithm, bytes).as_ref().to_vec()
}

/// DER of a value with `tag` whose content is `parts`.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u32::try_from(content.len()).expect("no test needs more than 4 GiB").to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![tag];
    match *significant {
        [] => der.push(0),
        [short @ 0..=0x7f] => der.push(short),
        _ => {
            der.push(0x80 | u8::try_from(significant.len()).expect("at most 4"));
            der.extend(significant);
        }
    }
    der.extend(content);
    der
}
