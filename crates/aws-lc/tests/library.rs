//! What can only be seen with the library at hand. All else is in the conformance suite of
//! `gramseal-testkit`, which runs against this provider too.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::signature;
use gramseal_aws_lc::{X25519, provider};
use gramseal_proto::crypto::CryptoError;
use gramseal_testkit::conformance::{MESSAGE, hex, short_rsa_signature};

#[test] // RFC 7748 §6.1
fn x25519_known_answer() {
    let secret = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    let peer = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
    let answer = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    let alice = PrivateKey::from_private_key(&agreement::X25519, &hex(secret)).unwrap();
    let computed = |peer: &[u8]| {
        let peer = UnparsedPublicKey::new(&agreement::X25519, peer);
        agree(&alice, peer, CryptoError::new(), |secret| Ok(secret.to_vec())).unwrap()
    };
    assert_eq!(computed(&hex(peer)), hex(answer));

    let ours = X25519.start(&*provider().random).unwrap();
    let with_ours = computed(ours.public_key());
    assert_eq!(ours.complete(alice.compute_public_key().unwrap().as_ref()).unwrap().as_ref(), with_ours);
}

/// The suite wants it refused because of its key; a library that allows such keys accepts it.
#[test]
fn the_suite_s_signature_by_a_short_rsa_key_is_correct() {
    let (public, signed) = short_rsa_signature();
    signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, public.key())
        .verify(MESSAGE, &signed)
        .unwrap();
}
