//! Key agreement: both sides agree, with the library's own keys too, and bad shares are refused.

mod common;

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, agree};
use common::hex;
use gramseal_aws_lc::{SECP256R1, SECP384R1, SECP521R1, X25519, provider};
use gramseal_proto::crypto::{CryptoError, KxGroup};
use gramseal_wire::NamedGroup;

fn is_refused(group: &dyn KxGroup, share: &[u8]) -> bool {
    let ours = group.start(&*provider().random).expect("a key pair");
    ours.complete(share).is_err()
}

#[test]
fn both_sides_compute_the_same_secret() {
    let provider = provider();
    for (group, share_len) in [(X25519, 32), (SECP256R1, 65), (SECP384R1, 97), (SECP521R1, 133)] {
        let client = group.start(&*provider.random).unwrap();
        assert_eq!(client.public_key().len(), share_len);
        let (share, server_secret) = group.answer(&*provider.random, client.public_key()).unwrap();
        assert_eq!(share.len(), share_len);
        let client_secret = client.complete(&share).unwrap();
        assert_eq!(client_secret.as_ref(), server_secret.as_ref());
        assert_ne!(client_secret.as_ref(), [0; 32]);
    }
}

#[test]
fn key_pairs_are_fresh() {
    let provider = provider();
    for group in provider.groups {
        let [one, two] = [(); 2].map(|()| group.start(&*provider.random).unwrap());
        assert_ne!(one.public_key(), two.public_key());
    }
}

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

#[test] // RFC 7748 §6.1, RFC 8422 §5.11: an all-zero secret ends the handshake.
fn x25519_points_of_small_order_are_refused() {
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
        assert!(is_refused(X25519, &hex(share)), "{share}");
    }
}

#[test]
fn shares_of_another_length_or_group_are_refused() {
    let provider = provider();
    for group in &provider.groups {
        let ours = group.start(&*provider.random).unwrap();
        let share = ours.public_key();
        assert!(is_refused(*group, &[]));
        assert!(is_refused(*group, &share[1..]));
        assert!(is_refused(*group, &[share, &[0]].concat()));
        for other in provider.groups.iter().filter(|other| other.name() != group.name()) {
            assert!(is_refused(*other, share));
        }
    }
}

#[test] // RFC 8422 §5.4.1 knows one point format; §5.10 wants points off the curve refused.
fn nist_shares_must_be_uncompressed_and_on_the_curve() {
    let provider = provider();
    for group in provider.groups.iter().filter(|group| group.name() != NamedGroup::X25519) {
        let ours = group.start(&*provider.random).unwrap();
        let share = ours.public_key();
        let field_len = share.len() / 2;

        let mut off_curve = share.to_vec();
        off_curve[2 * field_len] ^= 1;
        assert!(is_refused(*group, &off_curve));

        let parity = share[2 * field_len] & 1;
        let compressed = [&[2 + parity], &share[1..=field_len]].concat();
        assert!(is_refused(*group, &compressed));

        let hybrid = [&[6 + parity], &share[1..]].concat();
        assert!(is_refused(*group, &hybrid));
        assert!(is_refused(*group, &[0]), "the point at infinity");
    }
}
