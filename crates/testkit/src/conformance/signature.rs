//! Signatures: what is signed verifies, nothing else does, and another library's signatures do.

use gramseal_proto::crypto::{CryptoProvider, PublicKey};
use gramseal_wire::SignatureScheme;
use pki_types::pem::PemObject;
use pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, alg_id};

use super::key::{TestKey, test_keys};
use super::{MESSAGE, hex, public_key};

const SHORT_RSA_PUBLIC: &[u8] = include_bytes!("data/rsa1024.pub.pem");

/// Round trips, rejections and known signatures of every scheme that `provider` verifies.
pub fn signatures(provider: &CryptoProvider) {
    let keys = test_keys(provider);
    every_scheme_signs_and_verifies(provider, &keys);
    a_signature_is_of_one_scheme_only(provider, &keys);
    signatures_of_another_library_verify(provider, &keys);
    the_first_algorithm_of_a_scheme_is_that_of_its_name(provider);
    a_scheme_of_1_3_binds_its_curve(provider, &keys);
    a_correct_signature_by_a_short_rsa_key_is_refused(provider);
}

fn every_scheme_signs_and_verifies(provider: &CryptoProvider, keys: &[TestKey]) {
    let mut schemes = Vec::new();
    for test_key in keys {
        for scheme in test_key.key.schemes() {
            let signature = test_key
                .key
                .sign(*scheme, MESSAGE, &*provider.random)
                .now()
                .expect("a local key answers at once")
                .expect("a scheme of the key");
            let public = public_key(&test_key.info);
            let verify = |message: &[u8], signature: &[u8]| provider.verify12(*scheme, &public, message, signature);
            assert!(verify(MESSAGE, &signature).is_ok(), "{scheme:?} of {}", test_key.name);
            assert!(verify(b"something else", &signature).is_err(), "{scheme:?} of another message");
            for position in [0, 1, signature.len() / 2, signature.len() - 1] {
                let mut changed = signature.clone();
                changed[position] ^= 1;
                assert!(verify(MESSAGE, &changed).is_err(), "{scheme:?} changed at {position}");
            }
            assert!(verify(MESSAGE, &[]).is_err(), "{scheme:?}: nothing is no signature");
            assert!(verify(MESSAGE, &[&signature[..], &[0]].concat()).is_err(), "{scheme:?} with a trailing byte");
            assert!(verify(MESSAGE, &signature[..signature.len() - 1]).is_err(), "{scheme:?} cut short");
            for other in keys.iter().filter(|other| other.name != test_key.name) {
                let result = provider.verify12(*scheme, &public_key(&other.info), MESSAGE, &signature);
                assert!(result.is_err(), "{scheme:?} of {} passes with {}", test_key.name, other.name);
            }
            schemes.push(*scheme);
        }
    }
    assert_eq!(schemes.len(), provider.verifiers.len());
    assert!(provider.verifiers.iter().all(|verifier| schemes.contains(&verifier.scheme)));
}

fn a_signature_is_of_one_scheme_only(provider: &CryptoProvider, keys: &[TestKey]) {
    for test_key in keys {
        for scheme in provider.verifiers.iter().map(|verifier| verifier.scheme) {
            let signed =
                test_key.key.sign(scheme, MESSAGE, &*provider.random).now().expect("a local key answers at once");
            assert_eq!(signed.is_ok(), test_key.key.schemes().contains(&scheme), "{scheme:?} by {}", test_key.name);
            let Ok(signature) = signed else { continue };
            for other in provider.verifiers.iter().map(|verifier| verifier.scheme).filter(|other| *other != scheme) {
                let result = provider.verify12(other, &public_key(&test_key.info), MESSAGE, &signature);
                assert!(result.is_err(), "{scheme:?} passes for {other:?}");
            }
        }
    }
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

/// Key, scheme and signature of each line of the file of signatures that OpenSSL 3.0 made
/// (`openssl dgst -sign` over [`MESSAGE`]).
fn signatures_of_openssl() -> Vec<(&'static str, SignatureScheme, Vec<u8>)> {
    let read = |line: &'static str| {
        let [key, scheme, signature] = line.split(' ').collect::<Vec<_>>().try_into().expect("three words");
        (key, scheme_named(scheme), hex(signature))
    };
    include_str!("data/signatures.txt").lines().map(read).collect()
}

/// Every hash on every curve among them, as 1.2 allows.
fn signatures_of_another_library_verify(provider: &CryptoProvider, keys: &[TestKey]) {
    let mut count = 0;
    for (name, scheme, signature) in signatures_of_openssl() {
        let Some(test_key) = keys.iter().find(|test_key| test_key.name == name) else { continue };
        let public = public_key(&test_key.info);
        assert!(provider.verify12(scheme, &public, MESSAGE, &signature).is_ok(), "{scheme:?} of {name}");
        assert!(provider.verify12(scheme, &public, b"something else", &signature).is_err());
        count += 1;
    }
    assert_eq!(count, 16);
}

// RFC 9846 §4.3.3: in 1.3 the scheme names the curve.
fn the_first_algorithm_of_a_scheme_is_that_of_its_name(provider: &CryptoProvider) {
    for (scheme, curve) in [
        (SignatureScheme::ECDSA_SECP256R1_SHA256, alg_id::ECDSA_P256),
        (SignatureScheme::ECDSA_SECP384R1_SHA384, alg_id::ECDSA_P384),
        (SignatureScheme::ECDSA_SECP521R1_SHA512, alg_id::ECDSA_P521),
    ] {
        let verifier = provider.verifiers.iter().find(|verifier| verifier.scheme == scheme).expect("a known scheme");
        assert_eq!(verifier.algorithms[0].public_key_alg_id(), curve, "{scheme:?}");
    }
}

// RFC 9846 §4.3.3: what 1.2 takes with any curve, 1.3 takes with one.
fn a_scheme_of_1_3_binds_its_curve(provider: &CryptoProvider, keys: &[TestKey]) {
    let mut refused = 0;
    for (name, scheme, signature) in signatures_of_openssl() {
        let Some(test_key) = keys.iter().find(|test_key| test_key.name == name) else { continue };
        let public = public_key(&test_key.info);
        let own = test_key.key.schemes().contains(&scheme);
        assert_eq!(provider.verify13(scheme, &public, MESSAGE, &signature).is_ok(), own, "{scheme:?} of {name}");
        assert!(provider.verify13(scheme, &public, b"something else", &signature).is_err());
        refused += usize::from(!own);
    }
    assert!(refused > 0, "some hashes are on other curves than their own");
}

// BCP 195: RSA keys of 2048 bits and more.
fn a_correct_signature_by_a_short_rsa_key_is_refused(provider: &CryptoProvider) {
    let (public, signature) = short_rsa_signature();
    assert!(provider.verify12(SHORT_RSA_SCHEME, &public, MESSAGE, &signature).is_err());
}

/// The scheme of [`short_rsa_signature`].
pub const SHORT_RSA_SCHEME: SignatureScheme = SignatureScheme::RSA_PKCS1_SHA256;

/// A correct signature of [`MESSAGE`] by an RSA key of 1024 bits, for tests to show that it is
/// correct: the suite wants it refused.
#[must_use]
pub fn short_rsa_signature() -> (PublicKey, Vec<u8>) {
    let info = SubjectPublicKeyInfoDer::from_pem_slice(SHORT_RSA_PUBLIC).expect("a public key in PEM");
    let signature = signatures_of_openssl().into_iter().find(|(key, ..)| *key == "rsa1024").expect("one of them");
    assert_eq!(signature.1, SHORT_RSA_SCHEME);
    (public_key(info.as_ref()), signature.2)
}

/// What certificates' signatures are verified with: all that `provider` verifies handshakes with,
/// and RSA signatures whose identifier lacks the NULL that belongs there (RFC 4055 §2.1).
pub fn certificate_algorithms(provider: &CryptoProvider, all: &[&dyn SignatureVerificationAlgorithm]) {
    let pair = |algorithm: &dyn SignatureVerificationAlgorithm| {
        (algorithm.public_key_alg_id().to_vec(), algorithm.signature_alg_id().to_vec())
    };
    let mut pairs: Vec<_> = all.iter().map(|algorithm| pair(*algorithm)).collect();
    pairs.sort();
    pairs.dedup();
    assert_eq!(pairs.len(), all.len(), "every pair of identifiers is listed once");
    for algorithm in provider.verifiers.iter().flat_map(|verifier| verifier.algorithms) {
        assert!(pairs.contains(&pair(*algorithm)), "{algorithm:?}");
    }
    let rsa = [
        alg_id::RSA_PSS_SHA256,
        alg_id::RSA_PSS_SHA384,
        alg_id::RSA_PSS_SHA512,
        alg_id::RSA_PKCS1_SHA256,
        alg_id::RSA_PKCS1_SHA384,
        alg_id::RSA_PKCS1_SHA512,
    ];
    for whole in rsa {
        let is_it = |(_, id): &&(Vec<u8>, Vec<u8>)| *id != whole.to_vec() && skeleton(id) == skeleton(&whole);
        assert_eq!(pairs.iter().filter(is_it).count(), 1, "{whole:?} without its NULL");
    }
    let (public, signature) = short_rsa_signature();
    for algorithm in all {
        assert!(algorithm.verify_signature(public.key(), MESSAGE, &signature).is_err(), "{algorithm:?}");
    }
}

/// The elements of an identifier, with neither NULLs nor the lengths of what holds others.
fn skeleton(mut der: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    while let [tag, len, rest @ ..] = der {
        let constructed = tag & 0x20 != 0;
        let (content, after) = rest.split_at(if constructed { 0 } else { usize::from(*len) });
        if *tag != 0x05 {
            kept.push(*tag);
            kept.extend(content);
        }
        der = after;
    }
    kept
}
