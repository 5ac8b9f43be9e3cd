//! Key exchange: both sides agree, and bad shares are refused.

use gramseal_proto::crypto::{CryptoProvider, FiniteFieldParams, KxError, KxGroup, ParamsRejected, SharedSecret};
use gramseal_wire::NamedGroup;

use super::{FixedRandom, hex};

/// Agreement and refusals of every group that `provider` has.
pub fn groups(provider: &CryptoProvider) {
    for group in &provider.groups {
        both_sides_agree(*group, provider);
        shares_of_other_lengths_are_refused(*group, provider);
        match group.name() {
            NamedGroup::X25519 => points_of_small_order_are_refused(*group, provider),
            NamedGroup::FFDHE2048 | NamedGroup::FFDHE3072 | NamedGroup::FFDHE4096 => {
                trivial_numbers_are_refused(*group, provider);
            }
            NamedGroup::X25519MLKEM768 => {
                hybrid_parts_are_checked(*group, provider, 0, &[0; 32]);
            }
            NamedGroup::SECP256R1MLKEM768 => {
                hybrid_parts_are_checked(*group, provider, 65, &[&[4][..], &[0; 64]].concat());
            }
            _ => bad_points_are_refused(*group, provider),
        }
    }
}

const ML_KEM_KEY_LEN: usize = 1184;
const ML_KEM_CIPHERTEXT_LEN: usize = 1088;

/// Bytes in the share that answers one (draft-ietf-tls-ecdhe-mlkem §4.2).
fn answer_len(group: &dyn KxGroup) -> usize {
    match group.name() {
        NamedGroup::X25519MLKEM768 => ML_KEM_CIPHERTEXT_LEN + 32,
        NamedGroup::SECP256R1MLKEM768 => 65 + ML_KEM_CIPHERTEXT_LEN,
        _ => share_len(group),
    }
}

/// Bytes in the share of who starts.
fn share_len(group: &dyn KxGroup) -> usize {
    match group.name() {
        NamedGroup::X25519 => 32,
        NamedGroup::SECP256R1 => 65,
        NamedGroup::SECP384R1 => 97,
        NamedGroup::SECP521R1 => 133,
        NamedGroup::FFDHE2048 => 256,
        NamedGroup::FFDHE3072 => 384,
        NamedGroup::FFDHE4096 => 512,
        NamedGroup::X25519MLKEM768 => ML_KEM_KEY_LEN + 32,
        NamedGroup::SECP256R1MLKEM768 => 65 + ML_KEM_KEY_LEN,
        other => panic!("no share length known for {other:?}"),
    }
}

fn is_finite_field(group: &dyn KxGroup) -> bool {
    matches!(group.name(), NamedGroup::FFDHE2048 | NamedGroup::FFDHE3072 | NamedGroup::FFDHE4096)
}

fn refuses(group: &dyn KxGroup, provider: &CryptoProvider, share: &[u8], what: &str) {
    let ours = group.start(&*provider.random).expect("a key pair");
    assert_eq!(ours.complete(share).err(), Some(KxError::InvalidShare), "{group:?} takes {what}");
    let answer = group.answer(&*provider.random, share);
    assert_eq!(answer.err(), Some(KxError::InvalidShare), "{group:?} answers {what}");
}

fn both_sides_agree(group: &dyn KxGroup, provider: &CryptoProvider) {
    let client = group.start(&*provider.random).expect("a key pair");
    let other = group.start(&*provider.random).expect("a key pair");
    assert_ne!(client.public_key(), other.public_key(), "{group:?}: key pairs are fresh");
    assert_eq!(client.public_key().len(), share_len(group), "{group:?}");
    let (share, server_secret) = group.answer(&*provider.random, client.public_key()).expect("a good share");
    assert_eq!(share.len(), answer_len(group), "{group:?}");
    let client_secret = client.complete(&share).expect("a good share");
    assert_eq!(client_secret.as_ref(), server_secret.as_ref(), "{group:?}");
    assert!(client_secret.as_ref().iter().any(|byte| *byte != 0), "{group:?}");
    let secret_len = match group.name() {
        // draft-ietf-tls-ecdhe-mlkem §4.3
        NamedGroup::X25519MLKEM768 | NamedGroup::SECP256R1MLKEM768 => 64,
        // The x coordinate of NIST's curves (RFC 8422 §5.10).
        NamedGroup::SECP256R1 | NamedGroup::SECP384R1 | NamedGroup::SECP521R1 => share.len() / 2,
        // The number as long as the prime.
        _ => share.len(),
    };
    assert_eq!(client_secret.as_ref().len(), secret_len, "{group:?}");
}

fn shares_of_other_lengths_are_refused(group: &dyn KxGroup, provider: &CryptoProvider) {
    let ours = group.start(&*provider.random).expect("a key pair");
    let share = ours.public_key();
    refuses(group, provider, &[], "nothing");
    refuses(group, provider, &[share, &[0]].concat(), "a trailing byte");
    // Numbers of a finite field may lack leading zeros in 1.2.
    if !is_finite_field(group) {
        refuses(group, provider, &share[1..], "a share without its first byte");
        refuses(group, provider, &share[..share.len() - 1], "a share without its last byte");
        for other in provider.groups.iter().filter(|other| other.name() != group.name()) {
            let theirs = other.start(&*provider.random).expect("a key pair");
            refuses(group, provider, theirs.public_key(), "another group's share");
        }
    }
}

/// What each part refuses, the whole refuses; `at` is where ML-KEM begins, and `bad_point` no share of the curve.
fn hybrid_parts_are_checked(group: &dyn KxGroup, provider: &CryptoProvider, at: usize, bad_point: &[u8]) {
    let ours = group.start(&*provider.random).expect("a key pair");
    let share = ours.public_key().to_vec();
    let (answer, secret) = group.answer(&*provider.random, &share).expect("a good share");
    let answered = |share: &[u8]| group.answer(&*provider.random, share).map(|_| ());
    let completed = |answer: &[u8]| {
        let active = group.start(&*provider.random).expect("a key pair");
        active.complete(answer).map(|_| ())
    };
    for wrong in [&answer[1..], &answer[..answer.len() - 1], &[&answer[..], &[0]].concat(), &share] {
        assert_eq!(completed(wrong), Err(KxError::InvalidShare), "{group:?}: {} bytes", wrong.len());
    }
    assert_eq!(answered(&answer), Err(KxError::InvalidShare), "{group:?} takes an answer for a share");

    // FIPS 203 §7.2, draft-ietf-tls-ecdhe-mlkem §4.2: numbers of 12 bits that are not below the modulus.
    let mut overflow = share.clone();
    overflow[at..at + 3].fill(0xFF);
    assert_eq!(answered(&overflow), Err(KxError::InvalidShare), "{group:?}");

    let point_at = |whole: &[u8], kem_len: usize| if at == 0 { kem_len..whole.len() } else { 0..at };
    let (mut bad_share, mut bad_answer) = (share.clone(), answer.clone());
    bad_share[point_at(&share, ML_KEM_KEY_LEN)].copy_from_slice(bad_point);
    bad_answer[point_at(&answer, ML_KEM_CIPHERTEXT_LEN)].copy_from_slice(bad_point);
    assert_eq!(answered(&bad_share), Err(KxError::InvalidShare), "{group:?}");
    assert_eq!(completed(&bad_answer), Err(KxError::InvalidShare), "{group:?}");

    // FIPS 203 §6.3: a ciphertext that was changed is not told from a good one, and its secret is another. The
    // curve's part of the secret is the same, which shows the order of the two (draft §4.3).
    let mut changed = answer;
    changed[at] ^= 1;
    let other = ours.complete(&changed).expect("no way to tell");
    let halves = |secret: &SharedSecret| {
        let (first, second) = secret.as_ref().split_at(32);
        if at == 0 { (first.to_vec(), second.to_vec()) } else { (second.to_vec(), first.to_vec()) }
    };
    let ((kem, curve), (other_kem, other_curve)) = (halves(&secret), halves(&other));
    assert_eq!(curve, other_curve, "{group:?}");
    assert_ne!(kem, other_kem, "{group:?}");
}

// RFC 7748 §6.1, RFC 8422 §5.11: an all-zero secret ends the handshake.
fn points_of_small_order_are_refused(group: &dyn KxGroup, provider: &CryptoProvider) {
    let small_order = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for share in small_order {
        refuses(group, provider, &hex(share), "a point of small order");
    }
}

// RFC 8422 §5.4.1 knows one point format; §5.10 wants points off the curve refused.
fn bad_points_are_refused(group: &dyn KxGroup, provider: &CryptoProvider) {
    let ours = group.start(&*provider.random).expect("a key pair");
    let share = ours.public_key();
    let field_len = share.len() / 2;

    let mut off_curve = share.to_vec();
    off_curve[2 * field_len] ^= 1;
    refuses(group, provider, &off_curve, "a point off the curve");

    let parity = share[2 * field_len] & 1;
    refuses(group, provider, &[&[2 + parity], &share[1..=field_len]].concat(), "a compressed point");
    refuses(group, provider, &[&[2 + parity], &share[1..]].concat(), "a compressed point with more after it");
    refuses(group, provider, &[&[6 + parity], &share[1..]].concat(), "a hybrid point");
    refuses(group, provider, &[0], "the point at infinity");
    refuses(group, provider, &vec![0; share.len()], "the point at infinity, filled up");
    refuses(group, provider, &[vec![4], vec![0; 2 * field_len]].concat(), "zero coordinates");
    refuses(group, provider, &[vec![4], vec![0xFF; 2 * field_len]].concat(), "coordinates above the field");
}

// RFC 7919 §5.1
fn trivial_numbers_are_refused(group: &dyn KxGroup, provider: &CryptoProvider) {
    let len = share_len(group);
    let number = |low: u8| [vec![0; len - 1], vec![low]].concat();
    refuses(group, provider, &number(0), "zero");
    refuses(group, provider, &number(1), "one");
    refuses(group, provider, &vec![0xFF; len], "a number above the prime");
    let Some(params) = provider.finite_field.and_then(|finite_field| finite_field.params(group.name())) else {
        return;
    };
    let mut last = params.p.to_vec();
    refuses(group, provider, &last, "the prime");
    last[len - 1] -= 1;
    refuses(group, provider, &last, "minus one");
}

/// The exchange in groups of the peer's choice, if `provider` has it.
pub fn finite_field(provider: &CryptoProvider) {
    let Some(finite_field) = provider.finite_field else { return };
    for group in provider.groups.iter().filter(|group| is_finite_field(**group)) {
        let params = finite_field.params(group.name()).expect("parameters of a group that the provider has");
        let server = group.start(&*provider.random).expect("a key pair");
        let client = finite_field.exchange(params, server.public_key(), &*provider.random).expect("a good group");
        let server_secret = server.complete(&client.public).expect("a good share");
        assert_eq!(server_secret.as_ref(), client.secret.as_ref(), "{group:?}");
    }
    assert!(finite_field.params(NamedGroup::X25519).is_none());
    let params = finite_field.params(NamedGroup::FFDHE2048).expect("the smallest group");
    let rejected = |p: &[u8], g: &[u8], peer: &[u8]| {
        finite_field.exchange(FiniteFieldParams { p, g }, peer, &*provider.random).expect_err("a bad group or share")
    };
    assert_eq!(rejected(&params.p[1..], params.g, &[2]), ParamsRejected::TooSmall);
    assert_eq!(rejected(&[0xFF; 1025], params.g, &[2]), ParamsRejected::TooLarge);
    assert_eq!(rejected(params.p, &[1], &[2]), ParamsRejected::Unsafe);
    assert_eq!(rejected(params.p, params.g, &[1]), ParamsRejected::BadPublicValue);
    assert_eq!(rejected(params.p, params.g, params.p), ParamsRejected::BadPublicValue);
}

/// Known answers of key agreement (RFC 7748 §6.1). They need a provider that takes the private key
/// from the caller's randomness, which aws-lc-rs does not.
pub fn key_agreement_known_answers(provider: &CryptoProvider) {
    let alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let alice_public = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    let bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let bob_public = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let secret = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    let group = provider.group(NamedGroup::X25519).expect("every provider has x25519");
    for (private, public, peer) in [(&alice, &alice_public, &bob_public), (&bob, &bob_public, &alice_public)] {
        let ours = group.start(&FixedRandom::new(private)).expect("a key pair");
        assert_eq!(ours.public_key(), *public);
        assert_eq!(ours.complete(peer).expect("a good share").as_ref(), secret);
    }
}
