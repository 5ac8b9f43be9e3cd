//! Record protection: known answers, and what must be refused.

use gramseal_proto::crypto::{Aead, AeadAlgorithm, AeadKey, CryptoProvider, NONCE_LEN};

use super::hex;

struct Vector {
    algorithm: AeadAlgorithm,
    key: &'static str,
    nonce: &'static str,
    aad: &'static str,
    plaintext: &'static str,
    sealed: &'static str,
}

const GCM_PLAINTEXT: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";

const GCM_AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";

/// What IEEE 802.1AE authenticates in the first examples of its annex C, 54 bytes of a frame.
const MACSEC_AAD: &str = "d609b1f056637a0d46df998d88e5222ab2c2846512153524c0895e8108000f101112131415161718191a1b1c
    1d1e1f202122232425262728292a2b2c2d2e2f30313233340001";

/// In this order: test cases 1, 4, 13 and 16 of the GCM specification submitted to NIST; IEEE
/// 802.1AE annex C.1.1 and C.1.2; RFC 8439 §2.8.2; example 3 of NIST SP 800-38C; and, as RFC 3610
/// has vectors for nonces of 13 bytes only, cases 51, 207 and 462 of Wycheproof's `aes_ccm`.
static VECTORS: &[Vector] = &[
    Vector {
        algorithm: AeadAlgorithm::Aes128Gcm,
        key: "00000000000000000000000000000000",
        nonce: "000000000000000000000000",
        aad: "",
        plaintext: "",
        sealed: "58e2fccefa7e3061367f1d57a4e7455a",
    },
    Vector {
        algorithm: AeadAlgorithm::Aes128Gcm,
        key: "feffe9928665731c6d6a8f9467308308",
        nonce: "cafebabefacedbaddecaf888",
        aad: GCM_AAD,
        plaintext: GCM_PLAINTEXT,
        sealed: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
            21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091 5bc94fbc3221a5db94fae95ae7121a47",
    },
    Vector {
        algorithm: AeadAlgorithm::Aes256Gcm,
        key: "0000000000000000000000000000000000000000000000000000000000000000",
        nonce: "000000000000000000000000",
        aad: "",
        plaintext: "",
        sealed: "530f8afbc74536b9a963b4f1c4cb738b",
    },
    Vector {
        algorithm: AeadAlgorithm::Aes256Gcm,
        key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        nonce: "cafebabefacedbaddecaf888",
        aad: GCM_AAD,
        plaintext: GCM_PLAINTEXT,
        sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
            8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b",
    },
    Vector {
        algorithm: AeadAlgorithm::Aes128Gcm,
        key: "ad7a2bd03eac835a6f620fdcb506b345",
        nonce: "12153524c0895e81b2c28465",
        aad: MACSEC_AAD,
        plaintext: "",
        sealed: "f09478a9b09007d06f46e9b6a1da25dd",
    },
    Vector {
        algorithm: AeadAlgorithm::Aes256Gcm,
        key: "e3c08a8f06c6e3ad95a70557b23f75483ce33021a9c72b7025666204c69c0b72",
        nonce: "12153524c0895e81b2c28465",
        aad: MACSEC_AAD,
        plaintext: "",
        sealed: "2f0bc5af409e06d609ea8b7d0fa5ea50",
    },
    Vector {
        algorithm: AeadAlgorithm::ChaCha20Poly1305,
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
    Vector {
        algorithm: AeadAlgorithm::Aes128Ccm8,
        key: "404142434445464748494a4b4c4d4e4f",
        nonce: "101112131415161718191a1b",
        aad: "000102030405060708090a0b0c0d0e0f10111213",
        plaintext: "202122232425262728292a2b2c2d2e2f3031323334353637",
        sealed: "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5 484392fbc1b09951",
    },
    Vector {
        algorithm: AeadAlgorithm::Aes128Ccm,
        key: "2c9b9ff47d742c4ab224e9ca1ed57c4c",
        nonce: "917962caf3932441c259282f",
        aad: "72175bdfdb4a23e97fdcbd263baf4316",
        plaintext: "b542c2f3f81670ddf74f15184ab7de17e057cde9eef92babdb837500774c19",
        sealed: "320ae0c11e92d10d5bf5485c854b2d8f6318e33f16b520cffd35ada381c967 a4866908e664ee140c6ae2b9d2ab8416",
    },
    Vector {
        algorithm: AeadAlgorithm::Aes256Ccm,
        key: "f59abcbf4218bd5c7601f080b5fbd3ae088733702c8fbef0c5296a406f563827",
        nonce: "a5eb0e6fe669e68239ace550",
        aad: "d603491fbf0950d36489abb40dd8d42b",
        plaintext: "97dcbacd70a678cfaed13c942cf920e851ec3e6fb1f6c6eb95f1c965fb1a13",
        sealed: "c0b27edd6533cfba81323ac78d0aeb0371b1d7b89938e04c319148961513fb 56aabbde47ab2c53db48703033f8ca68",
    },
    Vector {
        algorithm: AeadAlgorithm::Aes256Ccm8,
        key: "110480ea9c9f4c5e6b5be01a2aafc861d1370c243aff9faafd0a92a9d18e5845",
        nonce: "0e5cf683e13204cf91a2d4b6",
        aad: "c490a5fa19b97c3e3adf20bc4df51140",
        plaintext: "c92ec3d6a2c2fa19c45be7107a48a9ea0fe46a92978b5dabb3f94b457b5fbd",
        sealed: "bb5110dd12bd3d12144c8de55b3b2677fc7084d56afcc6a76a5228fff8dbd3 e39b0d1174f7609b",
    },
];

/// Known answers, refusals and lengths of every AEAD that `provider` has.
pub fn aeads(provider: &CryptoProvider) {
    for aead in &provider.aeads {
        let mut count = 0;
        for vector in VECTORS.iter().filter(|vector| vector.algorithm == aead.algorithm()) {
            let key = aead.key(&hex(vector.key)).expect("a key of the right length");
            known_answer(vector, &*key);
            any_change_is_noticed(vector, &*key);
            count += 1;
        }
        assert!(count > 0, "no known answer for {aead:?}");
        lengths(*aead);
    }
}

fn nonce(text: &str) -> [u8; NONCE_LEN] {
    hex(text).try_into().expect("twelve bytes")
}

/// The answer must be the same however the plaintext is split into a payload and a trailer.
fn known_answer(vector: &Vector, key: &dyn AeadKey) {
    let (aad, plaintext, sealed) = (hex(vector.aad), hex(vector.plaintext), hex(vector.sealed));
    for trailer_len in [0, 1, 16, plaintext.len()] {
        let (front, trailer) = plaintext.split_at(plaintext.len().saturating_sub(trailer_len));
        // What was in the buffer must not matter.
        let mut out = vec![0xA5; sealed.len()];
        key.seal(nonce(vector.nonce), &aad, front, trailer, &mut out).expect("room for text and tag");
        assert_eq!(out, sealed, "{:?} with {trailer_len} bytes of trailer", vector.algorithm);
    }
    let mut in_out = sealed;
    let len = key.open(nonce(vector.nonce), &aad, &mut in_out).expect("an authentic record");
    assert_eq!(in_out[..len], plaintext, "{:?}", vector.algorithm);
}

fn any_change_is_noticed(vector: &Vector, key: &dyn AeadKey) {
    let (aad, sealed) = (hex(vector.aad), hex(vector.sealed));
    let refuses = |nonce, aad: &[u8], mut in_out: Vec<u8>| {
        let opened = key.open(nonce, aad, &mut in_out);
        assert!(opened.is_err(), "{:?} opens what was changed", vector.algorithm);
    };
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 0x40;
        refuses(nonce(vector.nonce), &aad, changed);
    }
    let mut other_nonce = nonce(vector.nonce);
    other_nonce[NONCE_LEN - 1] ^= 1;
    refuses(other_nonce, &aad, sealed.clone());
    refuses(nonce(vector.nonce), &[&aad[..], &[0]].concat(), sealed.clone());
    refuses(nonce(vector.nonce), &aad, [&sealed[..], &[0]].concat());
    for len in 0..sealed.len() {
        refuses(nonce(vector.nonce), &aad, sealed[..len].to_vec());
    }
}

fn lengths(aead: &dyn Aead) {
    let (key_len, tag_len) = (aead.algorithm().key_len(), aead.algorithm().tag_len());
    for wrong in [0, key_len - 1, key_len + 1, 2 * key_len] {
        assert!(aead.key(&vec![0; wrong]).is_err(), "{aead:?} takes a key of {wrong} bytes");
    }
    let key = aead.key(&vec![7; key_len]).expect("a key of the right length");
    for out_len in [0, 4, 4 + 2, 4 + 2 + tag_len - 1, 4 + 2 + tag_len + 1] {
        let sealed = key.seal([0; NONCE_LEN], &[], &[0; 4], &[0; 2], &mut vec![0; out_len]);
        assert!(sealed.is_err(), "{aead:?} seals 6 bytes into {out_len}");
    }
    // The largest record, and one of nothing.
    for len in [1 << 14, 0] {
        let plaintext = vec![0x5A; len];
        let mut sealed = vec![0; len + 1 + tag_len];
        key.seal([1; NONCE_LEN], b"aad", &plaintext, &[22], &mut sealed).expect("room for text and tag");
        let opened = key.open([1; NONCE_LEN], b"aad", &mut sealed).expect("an authentic record");
        assert_eq!(opened, len + 1);
        assert_eq!(sealed[..len], plaintext);
        assert_eq!(sealed[len], 22);
    }
}
