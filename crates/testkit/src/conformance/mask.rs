//! Masks of record numbers: known answers, and keys that must be refused.

use gramseal_proto::crypto::{AeadAlgorithm, CryptoProvider};

use super::hex;

struct Vector {
    algorithms: &'static [AeadAlgorithm],
    key: &'static str,
    sample: &'static str,
    mask: [u8; 2],
}

const AES_128: &[AeadAlgorithm] = &[AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes128Ccm, AeadAlgorithm::Aes128Ccm8];
const AES_256: &[AeadAlgorithm] = &[AeadAlgorithm::Aes256Gcm, AeadAlgorithm::Aes256Ccm, AeadAlgorithm::Aes256Ccm8];
const CHACHA20: &[AeadAlgorithm] = &[AeadAlgorithm::ChaCha20Poly1305];

/// In this order: the client's and the server's packet of RFC 9001 appendices A.2 and A.3, whose
/// masks are made the same way (§5.4.3, §5.4.4); records 0 to 3 of the server, 0 of the client, and
/// 0 of both with application keys, of the handshake recorded at dtls.xargs.org; FIPS 197 appendix
/// C.3, the block that AES-256 makes of the sample; the packet of RFC 9001 appendix A.5; and RFC 8439
/// §2.3.2, where counter and nonce are those of the sample. The last one is about the last counter
/// there is; `openssl enc -chacha20` made it.
static VECTORS: &[Vector] = &[
    Vector {
        algorithms: AES_128,
        key: "9f50449e04a0e810283a1e9933adedd2",
        sample: "d1b1c98dd7689fb8ec11d242b123dc9b",
        mask: [0x43, 0x7b],
    },
    Vector {
        algorithms: AES_128,
        key: "c206b8d9b9f0f37644430b490eeaa314",
        sample: "2cd0991cd25b0aac406a5816b6394100",
        mask: [0x2e, 0xc0],
    },
    Vector {
        algorithms: AES_128,
        key: "7173fac51194e775001d625ef69d7c9f",
        sample: "ee9dcff3f8679a4859fe68377fb34ada",
        mask: [0x79, 0xfa],
    },
    Vector {
        algorithms: AES_128,
        key: "7173fac51194e775001d625ef69d7c9f",
        sample: "d3777e1adf9e98c8c4ffa072c2c3b6bb",
        mask: [0xed, 0x2a],
    },
    Vector {
        algorithms: AES_128,
        key: "7173fac51194e775001d625ef69d7c9f",
        sample: "83bedfea0f4aa578453af4f4a4be4106",
        mask: [0xa4, 0x3c],
    },
    Vector {
        algorithms: AES_128,
        key: "7173fac51194e775001d625ef69d7c9f",
        sample: "a44135732a099823b8a5f61a2b35ce92",
        mask: [0x0b, 0xbb],
    },
    Vector {
        algorithms: AES_128,
        key: "beed6218676635c2cb46a45694144fec",
        sample: "8a2cd52d5000f8786afb47cdf0b8f2b8",
        mask: [0xc2, 0x48],
    },
    Vector {
        algorithms: AES_128,
        key: "57ba02596c6a1352d7fe8416c7e17d5a",
        sample: "ea80ab8e08c93895418d243571ea6de7",
        mask: [0x31, 0x50],
    },
    Vector {
        algorithms: AES_128,
        key: "5cb5bd8bac29777c650c0dde22d16d47",
        sample: "7d72278b6c649f1e7b56b3cad411faf7",
        mask: [0x68, 0x3f],
    },
    Vector {
        algorithms: AES_256,
        key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        sample: "00112233445566778899aabbccddeeff",
        mask: [0x8e, 0xa2],
    },
    Vector {
        algorithms: CHACHA20,
        key: "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
        sample: "5e5cd55c41f69080575d7999c25a5bfb",
        mask: [0xae, 0xfe],
    },
    Vector {
        algorithms: CHACHA20,
        key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        sample: "01000000000000090000004a00000000",
        mask: [0x10, 0xf1],
    },
    Vector {
        algorithms: CHACHA20,
        key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        sample: "ffffffffffffffffffffffffffffffff",
        mask: [0x3a, 0x74],
    },
];

/// Known answers of every AEAD that `provider` has.
pub fn masks(provider: &CryptoProvider) {
    for aead in &provider.aeads {
        let mut count = 0;
        for vector in VECTORS.iter().filter(|vector| vector.algorithms.contains(&aead.algorithm())) {
            let key = aead.mask_key(&hex(vector.key)).expect("a key of the right length");
            let sample = hex(vector.sample).try_into().expect("16 bytes");
            assert_eq!(key.mask(&sample), Ok(vector.mask), "{aead:?}, sample {}", vector.sample);
            count += 1;
        }
        assert!(count > 0, "no known answer for {aead:?}");
        let key_len = aead.algorithm().key_len();
        for wrong in [0, key_len - 1, key_len + 1, 2 * key_len] {
            assert!(aead.mask_key(&vec![0; wrong]).is_err(), "{aead:?} takes a key of {wrong} bytes");
        }
    }
}
