//! Certificates and keys: from files, or made on the spot.

use std::path::Path;

use clap::ValueEnum;
use gramseal::pki_types::pem::PemObject;
use gramseal::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use gramseal::proto::config::Identity;
use gramseal::proto::crypto::CryptoProvider;
use gramseal::proto::wire::CipherSuite;
use gramseal::webpki::Fingerprint;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, RsaKeySize, SanType,
};

use crate::failure::Failure;

/// An identity, and how peers can recognise it.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) identity: Identity,
    pub(crate) form: Form,
    pub(crate) fingerprint: Fingerprint,
}

/// In which form an identity is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Certificate,
    /// RFC 7250.
    RawPublicKey,
}

/// What kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// ECDSA on P-256
    #[value(name = "p256")]
    EcdsaP256,
    /// ECDSA on P-384
    #[value(name = "p384")]
    EcdsaP384,
    /// Ed25519
    #[value(name = "ed25519")]
    Ed25519,
    /// RSA of 2048 bits
    #[value(name = "rsa2048")]
    Rsa2048,
    /// RSA of 3072 bits
    #[value(name = "rsa3072")]
    Rsa3072,
}

impl KeyKind {
    /// The kind that `suites` need: ECDSA unless all of them want RSA.
    pub(crate) fn for_suites(suites: &[CipherSuite]) -> Self {
        let rsa = |suite: &CipherSuite| suite.to_string().contains("_RSA_");
        if !suites.is_empty() && suites.iter().all(rsa) { Self::Rsa2048 } else { Self::EcdsaP256 }
    }
}

/// The certificates of `file`, at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let unusable = |reason: String| Failure::usage(reason).at(file);
    let found = CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() {
        return Err(unusable("holds no certificate".to_owned()));
    }
    Ok(found)
}

/// The identity in PEM files: a certificate chain and its key, or a key without certificates.
pub(crate) fn from_files(provider: &CryptoProvider, cert: Option<&Path>, key: &Path) -> Result<Own, Failure> {
    let chain = cert.map(certificates).transpose()?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| Failure::usage(format!("no private key: {error}")).at(key))?;
    let own = match chain {
        Some(chain) => own(provider, chain, &private),
        None => raw_public_key(provider, &private),
    };
    own.map_err(|error| error.at(key))
}

fn raw_public_key(provider: &CryptoProvider, key: &PrivateKeyDer<'_>) -> Result<Own, Failure> {
    let key = provider.keys.load(key).map_err(Failure::usage)?;
    let public = key.public_key().ok_or_else(|| Failure::usage("the public half of the key is not known"))?;
    let fingerprint = Fingerprint::of_public_key(&public);
    drop(public);
    let identity = Identity::raw_public_key(key).map_err(Failure::usage)?;
    Ok(Own { identity, form: Form::RawPublicKey, fingerprint })
}

/// A certificate for `name`, a host name or an IP address, signed with its own key.
pub(crate) fn self_signed(provider: &CryptoProvider, name: &str, kind: KeyKind) -> Result<Own, Failure> {
    let key = key_pair(kind)?;
    let params = leaf_params(name, alternatives(name)?, ExtendedKeyUsagePurpose::ServerAuth)?;
    let certificate = params.self_signed(&key).map_err(not_made)?;
    own(provider, vec![certificate.der().clone()], &private_key(&key))
}

/// A certification authority that lives as long as the program.
pub(crate) struct DemoAuthority {
    kind: KeyKind,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl DemoAuthority {
    /// With keys of `kind`, like everything it signs.
    pub(crate) fn new(kind: KeyKind) -> Result<Self, Failure> {
        let key = key_pair(kind)?;
        let params = authority_params("gramseal demo CA")?;
        let certificate = params.self_signed(&key).map_err(not_made)?.der().clone();
        Ok(Self { kind, certificate, issuer: Issuer::new(params, key) })
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// An identity called `name` for peers of `purpose`.
    pub(crate) fn issue(
        &self,
        provider: &CryptoProvider,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Own, Failure> {
        let key = key_pair(self.kind)?;
        let mut params = leaf_params(name, alternatives(name)?, purpose)?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(not_made)?;
        own(provider, vec![certificate.der().clone()], &private_key(&key))
    }
}

fn own(
    provider: &CryptoProvider,
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'_>,
) -> Result<Own, Failure> {
    let fingerprint = chain.first().map(Fingerprint::of).ok_or_else(|| Failure::usage("the chain is empty"))?;
    let key = provider.keys.load(key).map_err(Failure::usage)?;
    Ok(Own { identity: Identity::new(chain, key).map_err(Failure::usage)?, form: Form::Certificate, fingerprint })
}

/// What an authority called `name` is certified for.
pub(crate) fn authority_params(name: &str) -> Result<CertificateParams, Failure> {
    let mut params = named(name, Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// What a peer called `name` is certified for.
pub(crate) fn leaf_params(
    name: &str,
    alternatives: Vec<SanType>,
    purpose: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, Failure> {
    let mut params = named(name, alternatives)?;
    // Not `ExplicitNoCa`: that writes the default, which DER forbids (X.690 §11.5), and wolfSSL refuses it.
    params.is_ca = IsCa::NoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    Ok(params)
}

fn named(name: &str, alternatives: Vec<SanType>) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(Vec::new()).map_err(not_made)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = alternatives;
    Ok(params)
}

/// A host name or an IP address.
fn alternatives(name: &str) -> Result<Vec<SanType>, Failure> {
    Ok(CertificateParams::new(vec![name.to_owned()]).map_err(not_made)?.subject_alt_names)
}

fn key_pair(kind: KeyKind) -> Result<KeyPair, Failure> {
    let made = match kind {
        KeyKind::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyKind::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeyKind::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
        KeyKind::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeyKind::Rsa3072 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
    };
    made.map_err(not_made)
}

/// A key that every program can read once it is in a file: an Ed25519 key is generated together
/// with its public half (RFC 8410 §10.3), which some refuse, so it is made anew without.
pub(crate) fn portable_key_pair(kind: KeyKind) -> Result<KeyPair, Failure> {
    /// RFC 8410 §7: `OneAsymmetricKey` of version 1 for Ed25519, up to the 32 bytes of the key.
    const HEADER: [u8; 16] = [0x30, 0x2e, 0x02, 1, 0, 0x30, 5, 0x06, 3, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let pair = key_pair(kind)?;
    match pair.serialized_der().get(HEADER.len()..HEADER.len() + 32) {
        Some(secret) if kind == KeyKind::Ed25519 => {
            let key = PrivatePkcs8KeyDer::from([&HEADER, secret].concat());
            let portable = KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ED25519).map_err(not_made)?;
            assert_eq!(portable.public_key_raw(), pair.public_key_raw(), "both forms hold the same key");
            Ok(portable)
        }
        _ => Ok(pair),
    }
}

fn private_key(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

pub(crate) fn not_made(error: rcgen::Error) -> Failure {
    Failure::usage(format!("no certificate could be made: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_keys_make_identities() {
        let provider = gramseal::provider();
        for kind in KeyKind::value_variants() {
            assert!(self_signed(&provider, "localhost", *kind).is_ok());
            let authority = DemoAuthority::new(*kind).unwrap();
            assert!(authority.issue(&provider, "localhost", ExtendedKeyUsagePurpose::ServerAuth).is_ok());
        }
    }

    #[test] // X.690 §11.5
    fn no_default_is_written_out() {
        let params = leaf_params("a.test", Vec::new(), ExtendedKeyUsagePurpose::ServerAuth).unwrap();
        let made = params.self_signed(&key_pair(KeyKind::EcdsaP256).unwrap()).unwrap();
        // basicConstraints with a FALSE.
        let written = [0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01, 0x00];
        assert!(!made.der().windows(written.len()).any(|window| window == written));
    }

    #[test]
    fn suites_say_what_key_they_need() {
        let rsa = CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256;
        let ecdsa = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        assert_eq!(KeyKind::for_suites(&[rsa]), KeyKind::Rsa2048);
        assert_eq!(KeyKind::for_suites(&[rsa, ecdsa]), KeyKind::EcdsaP256);
        assert_eq!(KeyKind::for_suites(&[]), KeyKind::EcdsaP256);
    }

    #[test]
    fn files_without_certificates_are_wrong_use() {
        assert!(matches!(certificates(Path::new("Cargo.toml")), Err(Failure::Usage(_))));
        assert!(matches!(certificates(Path::new("no such file")), Err(Failure::Usage(_))));
    }
}
