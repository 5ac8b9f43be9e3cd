//! Known answers for record protection, and what it must refuse.

mod common;

use common::hex;
use gramseal_aws_lc::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};
use gramseal_proto::crypto::{Aead, NONCE_LEN};

struct Vector {
    aead: &'static dyn Aead,
    key: &'static str,
    nonce: &'static str,
    aad: &'static str,
    plaintext: &'static str,
    sealed: &'static str,
}

const GCM_PLAINTEXT: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";

/// Test cases 4 and 16 of the GCM specification submitted to NIST, and RFC 8439 §2.8.2.
fn vectors() -> [Vector; 3] {
    [
        Vector {
            aead: AES_128_GCM,
            key: "feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            plaintext: GCM_PLAINTEXT,
            sealed: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
                21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091 5bc94fbc3221a5db94fae95ae7121a47",
        },
        Vector {
            aead: AES_256_GCM,
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            plaintext: GCM_PLAINTEXT,
            sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b",
        },
        Vector {
            aead: CHACHA20_POLY1305,
            key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            nonce: "070000004041424344454647",
            aad: "50515253c0c1c2c3c4c5c6c7",
            plaintext: "4c616469657320616e642047656e746c656d656e206f662074686520636c6173
                73206f66202739393a204966204920636f756c64206f6666657220796f75206f
                6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73
                637265656e20776f756c642062652069742e",
            sealed: "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
                3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
                92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
                3ff4def08e4b7a9de576d26586cec64b6116 1ae10b594f09e26a7e902ecbd0600691",
        },
    ]
}

fn nonce(text: &str) -> [u8; NONCE_LEN] {
    hex(text).try_into().expect("twelve bytes")
}

#[test]
fn known_answers_however_the_plaintext_is_split() {
    for vector in vectors() {
        let key = vector.aead.key(&hex(vector.key)).unwrap();
        let (aad, plaintext, sealed) = (hex(vector.aad), hex(vector.plaintext), hex(vector.sealed));
        for trailer_len in [0, 1, 16, plaintext.len()] {
            let (front, trailer) = plaintext.split_at(plaintext.len() - trailer_len);
            let mut out = vec![0; sealed.len()];
            key.seal(nonce(vector.nonce), &aad, front, trailer, &mut out).unwrap();
            assert_eq!(out, sealed, "{:?} with {trailer_len} bytes of trailer", vector.aead);
        }
        let mut in_out = sealed;
        let len = key.open(nonce(vector.nonce), &aad, &mut in_out).unwrap();
        assert_eq!(in_out[..len], plaintext);
    }
}

#[test]
fn any_change_is_noticed() {
    for vector in vectors() {
        let key = vector.aead.key(&hex(vector.key)).unwrap();
        let (aad, sealed) = (hex(vector.aad), hex(vector.sealed));
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 0x40;
            assert!(key.open(nonce(vector.nonce), &aad, &mut changed).is_err());
        }
        let mut other_nonce = nonce(vector.nonce);
        other_nonce[11] ^= 1;
        assert!(key.open(other_nonce, &aad, &mut sealed.clone()).is_err());
        assert!(key.open(nonce(vector.nonce), &aad[1..], &mut sealed.clone()).is_err());
        for len in 0..vector.aead.algorithm().tag_len() {
            assert!(key.open(nonce(vector.nonce), &aad, &mut sealed.clone()[..len]).is_err());
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    for vector in vectors() {
        let right_len = vector.aead.algorithm().key_len();
        assert!(vector.aead.key(&vec![0; right_len - 1]).is_err());
        assert!(vector.aead.key(&vec![0; right_len + 1]).is_err());
        let key = vector.aead.key(&vec![0; right_len]).unwrap();
        for out_len in [0, 4, 4 + 2 + 15, 4 + 2 + 17] {
            assert!(key.seal([0; NONCE_LEN], &[], &[0; 4], &[0; 2], &mut vec![0; out_len]).is_err());
        }
    }
}
