//! Private keys and signatures, checked against keys and signatures that OpenSSL 3.0 made
//! (`tests/data`: `openssl genpkey`, `openssl dgst -sign` over [`MESSAGE`]).

mod common;

use std::sync::Arc;

use common::hex;
use gramseal_aws_lc::{ALL_VERIFICATION_ALGORITHMS, KEY_LOADER, provider};
use gramseal_proto::crypto::{CryptoProvider, KeyRejected, PublicKey, SigningKey};
use gramseal_wire::SignatureScheme;
use pki_types::pem::PemObject;
use pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};

/// What was signed.
const MESSAGE: &[u8] = b"signed elsewhere";

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("data/", $name, ".pem"))
    };
}

fn load(pem: &[u8]) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    KEY_LOADER.load(&PrivateKeyDer::from_pem_slice(pem).expect("a private key in PEM"))
}

/// One usable key of each kind, with its public half as OpenSSL writes it.
fn keys() -> Vec<(&'static str, Arc<dyn SigningKey>, SubjectPublicKeyInfoDer<'static>)> {
    let files: [(&str, &[u8], &[u8]); 5] = [
        ("rsa2048", data!("rsa2048"), data!("rsa2048.pub")),
        ("p256", data!("p256"), data!("p256.pub")),
        ("p384", data!("p384"), data!("p384.pub")),
        ("p521", data!("p521"), data!("p521.pub")),
        ("ed25519", data!("ed25519"), data!("ed25519.pub")),
    ];
    let load_one = |(name, private, public)| {
        let public = SubjectPublicKeyInfoDer::from_pem_slice(public).expect("a public key in PEM");
        (name, load(private).expect("a usable key"), public)
    };
    files.map(load_one).into()
}

/// Splits a `SubjectPublicKeyInfo` as the certificate reader of the protocol does.
fn public_key(info: &[u8]) -> PublicKey {
    let ids = [alg_id::RSA_ENCRYPTION, alg_id::ECDSA_P256, alg_id::ECDSA_P384, alg_id::ECDSA_P521, alg_id::ED25519];
    let find = |id: &pki_types::AlgorithmIdentifier| {
        let at = info.windows(id.len()).position(|window| window == id.as_ref())?;
        Some((id.to_vec(), at + id.len()))
    };
    let (algorithm, end) = ids.iter().find_map(find).expect("a known kind of key");
    let header_len = match info[end + 1] {
        0x82 => 4,
        0x81 => 3,
        _ => 2,
    };
    PublicKey::new(algorithm, info[end + header_len + 1..].to_vec())
}

#[test]
fn every_scheme_signs_and_verifies_and_nothing_else_passes() {
    let provider = provider();
    let mut schemes = Vec::new();
    let keys = keys();
    for (name, key, info) in &keys {
        let public = public_key(info);
        for scheme in key.schemes() {
            let signature = key.sign(*scheme, MESSAGE, &*provider.random).unwrap();
            provider.verify12(*scheme, &public, MESSAGE, &signature).unwrap();
            assert!(provider.verify12(*scheme, &public, b"something else", &signature).is_err());
            let mut changed = signature.clone();
            changed[signature.len() / 2] ^= 1;
            assert!(provider.verify12(*scheme, &public, MESSAGE, &changed).is_err());
            assert!(provider.verify12(*scheme, &public, MESSAGE, &[]).is_err());
            for (other_name, _, other) in keys.iter().filter(|(other_name, ..)| other_name != name) {
                let result = provider.verify12(*scheme, &public_key(other), MESSAGE, &signature);
                assert!(result.is_err(), "{scheme:?} of {name} passes with {other_name}");
            }
            schemes.push(*scheme);
        }
    }
    assert_eq!(schemes.len(), provider.verifiers.len());
    assert!(provider.verifiers.iter().all(|verifier| schemes.contains(&verifier.scheme)));
}

#[test]
fn a_signature_is_of_one_scheme_only() {
    let provider = provider();
    for (_, key, info) in keys() {
        for scheme in key.schemes() {
            let signature = key.sign(*scheme, MESSAGE, &*provider.random).unwrap();
            for other in provider.verifiers.iter().map(|verifier| verifier.scheme).filter(|other| other != scheme) {
                assert!(provider.verify12(other, &public_key(&info), MESSAGE, &signature).is_err());
            }
        }
    }
}

#[test]
fn a_key_signs_with_its_own_schemes_only() {
    let provider = provider();
    for (_, key, _) in keys() {
        for scheme in provider.verifiers.iter().map(|verifier| verifier.scheme) {
            let result = key.sign(scheme, MESSAGE, &*provider.random);
            assert_eq!(result.is_ok(), key.schemes().contains(&scheme));
        }
    }
}

#[test]
fn rsa_prefers_pss() {
    let key = load(data!("rsa2048")).unwrap();
    assert_eq!(key.schemes()[0], SignatureScheme::RSA_PSS_RSAE_SHA256);
    assert_eq!(key.schemes()[3], SignatureScheme::RSA_PKCS1_SHA256);
}

fn scheme_named(name: &str) -> SignatureScheme {
    match name {
        "ecdsa_sha256" => SignatureScheme::ECDSA_SECP256R1_SHA256,
        "ecdsa_sha384" => SignatureScheme::ECDSA_SECP384R1_SHA384,
        "ecdsa_sha512" => SignatureScheme::ECDSA_SECP521R1_SHA512,
        "rsa_pkcs1_sha256" => SignatureScheme::RSA_PKCS1_SHA256,
        "rsa_pkcs1_sha384" => SignatureScheme::RSA_PKCS1_SHA384,
        "rsa_pkcs1_sha512" => SignatureScheme::RSA_PKCS1_SHA512,
        "rsa_pss_sha256" => SignatureScheme::RSA_PSS_RSAE_SHA256,
        "rsa_pss_sha384" => SignatureScheme::RSA_PSS_RSAE_SHA384,
        "rsa_pss_sha512" => SignatureScheme::RSA_PSS_RSAE_SHA512,
        "ed25519" => SignatureScheme::ED25519,
        _ => panic!("no scheme is named {name}"),
    }
}

/// Key, scheme and signature of each line of the file of signatures.
fn signatures_of_openssl() -> Vec<(&'static str, SignatureScheme, Vec<u8>)> {
    let read = |line: &'static str| {
        let [key, scheme, signature] = line.split(' ').collect::<Vec<_>>().try_into().expect("three words");
        (key, scheme_named(scheme), hex(signature))
    };
    include_str!("data/signatures.txt").lines().map(read).collect()
}

#[test]
fn signatures_of_another_library_verify_with_every_hash_on_every_curve() {
    let provider = provider();
    let keys = keys();
    let mut count = 0;
    for (name, scheme, signature) in signatures_of_openssl() {
        let Some((_, _, info)) = keys.iter().find(|(key_name, ..)| *key_name == name) else { continue };
        provider.verify12(scheme, &public_key(info), MESSAGE, &signature).unwrap();
        assert!(provider.verify12(scheme, &public_key(info), b"something else", &signature).is_err());
        count += 1;
    }
    assert_eq!(count, 16);
}

#[test] // RFC 8446 §4.2.3: in 1.3 the scheme names the curve.
fn the_first_algorithm_of_a_scheme_is_that_of_its_name() {
    let CryptoProvider { verifiers, .. } = provider();
    let first = |scheme| {
        let verifier = verifiers.iter().find(|verifier| verifier.scheme == scheme).expect("a known scheme");
        verifier.algorithms[0].public_key_alg_id()
    };
    assert_eq!(first(SignatureScheme::ECDSA_SECP256R1_SHA256), alg_id::ECDSA_P256);
    assert_eq!(first(SignatureScheme::ECDSA_SECP384R1_SHA384), alg_id::ECDSA_P384);
    assert_eq!(first(SignatureScheme::ECDSA_SECP521R1_SHA512), alg_id::ECDSA_P521);
}

#[test] // BCP 195: RSA keys of 2048 bits and more.
fn a_correct_signature_by_a_short_rsa_key_is_refused() {
    let info = SubjectPublicKeyInfoDer::from_pem_slice(data!("rsa1024.pub")).unwrap();
    let signatures = signatures_of_openssl();
    let (_, scheme, signature) = signatures.iter().find(|(key, ..)| *key == "rsa1024").unwrap();
    let public = public_key(&info);
    assert!(provider().verify12(*scheme, &public, MESSAGE, signature).is_err());
    for algorithm in ALL_VERIFICATION_ALGORITHMS {
        assert!(algorithm.verify_signature(public.key(), MESSAGE, signature).is_err());
    }
    // The signature itself is right: a library that allows such keys accepts it.
    aws_lc_rs::signature::UnparsedPublicKey::new(
        &aws_lc_rs::signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        public.key(),
    )
    .verify(MESSAGE, signature)
    .unwrap();
}

#[test]
fn every_form_of_a_key_is_the_same_key() {
    let forms: [(&[u8], &[u8]); 4] = [
        (data!("rsa2048"), data!("rsa2048-pkcs1")),
        (data!("p256"), data!("p256-sec1")),
        (data!("p384"), data!("p384-sec1")),
        (data!("p521"), data!("p521-sec1")),
    ];
    for (pkcs8, own_form) in forms {
        let (one, two) = (load(pkcs8).unwrap(), load(own_form).unwrap());
        assert_eq!(one.schemes(), two.schemes());
        assert_eq!(one.public_key().unwrap().as_ref(), two.public_key().unwrap().as_ref());
    }
}

#[test]
fn public_halves_are_those_of_another_library() {
    for (name, key, info) in keys() {
        assert_eq!(key.public_key().unwrap().as_ref(), info.as_ref(), "{name}");
    }
}

#[test]
fn unusable_keys_are_refused_for_the_right_reason() {
    assert_eq!(load(data!("rsa1024")).unwrap_err(), KeyRejected::TooSmall);
    for other_kind in [&data!("x25519")[..], data!("p256k1"), data!("p256k1-sec1"), data!("rsapss")] {
        assert_eq!(load(other_kind).unwrap_err(), KeyRejected::Unsupported);
    }
    let PrivateKeyDer::Pkcs8(whole) = PrivateKeyDer::from_pem_slice(data!("p256")).unwrap() else {
        panic!("the file holds PKCS#8");
    };
    let whole = whole.secret_pkcs8_der();
    for len in 0..whole.len() {
        let cut = PrivateKeyDer::Pkcs8(whole[..len].to_vec().into());
        assert_eq!(KEY_LOADER.load(&cut).unwrap_err(), KeyRejected::BadEncoding);
    }
}

#[test]
fn debug_output_keeps_the_secret() {
    for (name, key, _) in keys() {
        let shown = format!("{key:?}");
        assert!(shown.starts_with("Key { schemes: ["), "{name}: {shown}");
        assert!(shown.len() < 400);
    }
}
