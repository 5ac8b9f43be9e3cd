//! Private keys: every form, every kind, and what must be refused.
//!
//! The keys in `data` were made by OpenSSL 3.0 (`openssl genpkey`).

use std::sync::Arc;

use gramseal_proto::crypto::{CryptoProvider, KeyRejected, SigningKey};
use gramseal_wire::SignatureScheme;
use pki_types::pem::PemObject;
use pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use super::{MESSAGE, public_key};

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("data/", $name, ".pem"))
    };
}

/// A usable key.
pub(super) struct TestKey {
    pub(super) name: &'static str,
    pub(super) key: Arc<dyn SigningKey>,
    /// The public half, as OpenSSL writes it.
    pub(super) info: Vec<u8>,
}

/// One key of each kind.
pub(super) fn test_keys(provider: &CryptoProvider) -> Vec<TestKey> {
    let files: [(&str, &[u8], &[u8]); 5] = [
        ("rsa2048", data!("rsa2048"), data!("rsa2048.pub")),
        ("p256", data!("p256"), data!("p256.pub")),
        ("p384", data!("p384"), data!("p384.pub")),
        ("p521", data!("p521"), data!("p521.pub")),
        ("ed25519", data!("ed25519"), data!("ed25519.pub")),
    ];
    let load_one = |(name, private, public)| {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(public).expect("a public key in PEM").as_ref().to_vec();
        TestKey { name, key: load(provider, private).expect("a usable key"), info }
    };
    files.map(load_one).into()
}

fn private_key(pem: &[u8]) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem).expect("a private key in PEM")
}

fn load(provider: &CryptoProvider, pem: &[u8]) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    provider.keys.load(&private_key(pem))
}

/// Loading of private keys.
pub fn keys(provider: &CryptoProvider) {
    public_halves_are_those_of_another_library(provider);
    every_form_of_a_key_is_the_same_key(provider);
    rsa_prefers_pss(provider);
    keys_of_other_kinds_are_refused_for_the_right_reason(provider);
    damaged_keys_are_refused(provider);
    debug_output_keeps_the_secret(provider);
}

fn public_halves_are_those_of_another_library(provider: &CryptoProvider) {
    for TestKey { name, key, info } in test_keys(provider) {
        assert_eq!(key.public_key().expect("a key in memory knows its public half").as_ref(), info, "{name}");
    }
}

fn every_form_of_a_key_is_the_same_key(provider: &CryptoProvider) {
    let forms: [(&[u8], &[u8]); 4] = [
        (data!("rsa2048"), data!("rsa2048-pkcs1")),
        (data!("p256"), data!("p256-sec1")),
        (data!("p384"), data!("p384-sec1")),
        (data!("p521"), data!("p521-sec1")),
    ];
    for (pkcs8, own_form) in forms {
        let one = load(provider, pkcs8).expect("PKCS#8");
        let two = load(provider, own_form).expect("PKCS#1 or SEC1");
        same_key(provider, &*one, &*two);
    }
    // OpenSSL leaves the public half out of Ed25519 files; RFC 5958 lets others put it in.
    let short = load(provider, data!("ed25519")).expect("PKCS#8 version 1");
    let PrivateKeyDer::Pkcs8(short_der) = private_key(data!("ed25519")) else { panic!("the file holds PKCS#8") };
    let info = short.public_key().expect("a key in memory knows its public half");
    let long_der = with_public_half(short_der.secret_pkcs8_der(), public_key(info.as_ref()).key());
    let long = provider.keys.load(&PrivateKeyDer::Pkcs8(long_der.clone().into())).expect("PKCS#8 version 2");
    same_key(provider, &*short, &*long);

    let mut of_another = long_der;
    *of_another.last_mut().expect("a whole key") ^= 1;
    let loaded = provider.keys.load(&PrivateKeyDer::Pkcs8(of_another.into()));
    assert_eq!(loaded.expect_err("halves of two keys"), KeyRejected::BadEncoding);
}

/// Makes version 2 of an Ed25519 key's version 1 (RFC 8410 §7).
fn with_public_half(version1: &[u8], public: &[u8]) -> Vec<u8> {
    let mut der = version1.to_vec();
    der[4] = 1;
    der.extend([0x81, 0x21, 0]);
    der.extend(public);
    der[1] = u8::try_from(der.len() - 2).expect("a short key");
    der
}

fn same_key(provider: &CryptoProvider, one: &dyn SigningKey, two: &dyn SigningKey) {
    assert_eq!(one.schemes(), two.schemes());
    let info = one.public_key().expect("a key in memory knows its public half");
    assert_eq!(info, two.public_key().expect("a key in memory knows its public half"));
    for scheme in two.schemes() {
        let signature = two
            .sign(*scheme, MESSAGE, &*provider.random)
            .now()
            .expect("a local key answers at once")
            .expect("a scheme of the key");
        assert!(provider.verify12(*scheme, &public_key(info.as_ref()), MESSAGE, &signature).is_ok());
    }
}

fn rsa_prefers_pss(provider: &CryptoProvider) {
    let key = load(provider, data!("rsa2048")).expect("a usable key");
    assert_eq!(key.schemes()[0], SignatureScheme::RSA_PSS_RSAE_SHA256);
    assert_eq!(key.schemes()[3], SignatureScheme::RSA_PKCS1_SHA256);
}

fn keys_of_other_kinds_are_refused_for_the_right_reason(provider: &CryptoProvider) {
    let refusal = |pem| load(provider, pem).expect_err("a key that cannot be used");
    assert_eq!(refusal(data!("rsa1024")), KeyRejected::TooSmall);
    for other_kind in [&data!("x25519")[..], data!("p256k1"), data!("p256k1-sec1"), data!("rsapss")] {
        assert_eq!(refusal(other_kind), KeyRejected::Unsupported);
    }
}

fn damaged_keys_are_refused(provider: &CryptoProvider) {
    let files: [&[u8]; 5] =
        [data!("p256"), data!("ed25519"), data!("rsa2048"), data!("p384-sec1"), data!("rsa2048-pkcs1")];
    for pem in files {
        let whole = private_key(pem);
        let again = |der: Vec<u8>| match &whole {
            PrivateKeyDer::Pkcs8(_) => PrivateKeyDer::Pkcs8(der.into()),
            PrivateKeyDer::Sec1(_) => PrivateKeyDer::Sec1(der.into()),
            _ => PrivateKeyDer::Pkcs1(der.into()),
        };
        let der = whole.secret_der();
        // All of the short ones, every sixteenth of an RSA key's. What follows a whole key is not
        // tried: aws-lc-rs does not look at it.
        for len in (0..der.len()).step_by(if der.len() < 300 { 1 } else { 16 }) {
            let loaded = provider.keys.load(&again(der[..len].to_vec()));
            assert_eq!(loaded.expect_err("a key cut short"), KeyRejected::BadEncoding, "{len} bytes");
        }
    }
    // The public half in these is the last that they hold: it must belong to the private one.
    for pem in [&data!("p256")[..], data!("p384-sec1"), data!("p521")] {
        let whole = private_key(pem);
        let mut der = whole.secret_der().to_vec();
        *der.last_mut().expect("a whole key") ^= 1;
        let key = match whole {
            PrivateKeyDer::Sec1(_) => PrivateKeyDer::Sec1(der.into()),
            _ => PrivateKeyDer::Pkcs8(der.into()),
        };
        assert_eq!(provider.keys.load(&key).expect_err("halves of two keys"), KeyRejected::BadEncoding);
    }
}

fn debug_output_keeps_the_secret(provider: &CryptoProvider) {
    for TestKey { name, key, .. } in test_keys(provider) {
        let shown = format!("{key:?}");
        assert!(shown.starts_with("Key { schemes: ["), "{name}: {shown}");
        assert!(shown.len() < 400, "{name}: {shown}");
    }
}
