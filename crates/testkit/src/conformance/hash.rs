//! Hash functions, HMAC, the PRF of 1.2 and HKDF: known answers, forks.

use gramseal_proto::crypto::{CryptoProvider, Hash, HashAlgorithm, hmac_hkdf_expand, hmac_prf};

use super::hex;

/// Messages with their SHA-256 and SHA-384: FIPS 180-4's examples, and the digest of nothing.
const DIGESTS: [(&[u8], &str, &str); 3] = [
    (
        b"",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
    ),
    (
        b"abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6b0455a8520bc4e6f5fe95b1fe3c8452b",
    ),
];

/// Key, message, HMAC with SHA-256 and with SHA-384: RFC 4231 §4.2 to §4.8. The case of §4.6 cuts
/// its answer to 16 bytes.
fn macs() -> [(Vec<u8>, Vec<u8>, &'static str, &'static str); 7] {
    let numbers: Vec<u8> = (1..=25).collect();
    let long_message = b"This is a test using a larger than block-size key and a larger than block-size data. \
        The key needs to be hashed before being used by the HMAC algorithm.";
    [
        (
            vec![0x0B; 20],
            b"Hi There".to_vec(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        ),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            vec![0xAA; 20],
            vec![0xDD; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
        ),
        (
            numbers,
            vec![0xCD; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
        ),
        (
            vec![0x0C; 20],
            b"Test With Truncation".to_vec(),
            "a3b6167473100ee06e0c796c2955552b",
            "3abf34c3503b2a23a46efc619baef897",
        ),
        (
            vec![0xAA; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
        ),
        (
            vec![0xAA; 131],
            long_message.to_vec(),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
        ),
    ]
}

/// Known answers and behaviour of every hash function that `provider` has.
pub fn hashes(provider: &CryptoProvider) {
    for hash in &provider.hashes {
        digests(*hash);
        a_fork_goes_its_own_way(*hash);
        hmac(*hash);
        prf(*hash);
        hkdf(*hash);
    }
}

/// The answer of the two that belongs to `hash`.
fn answer(hash: &dyn Hash, sha256: &str, sha384: &str) -> Vec<u8> {
    match hash.algorithm() {
        HashAlgorithm::Sha256 => hex(sha256),
        HashAlgorithm::Sha384 => hex(sha384),
        other => panic!("no known answer for {other:?}"),
    }
}

fn digests(hash: &dyn Hash) {
    for (message, sha256, sha384) in DIGESTS {
        let expected = answer(hash, sha256, sha384);
        assert_eq!(expected.len(), hash.algorithm().output_len());
        for split in [0, 1, message.len()] {
            let (front, back) = message.split_at(split.min(message.len()));
            let mut context = hash.start();
            context.update(front);
            context.update(back);
            assert_eq!(context.current().as_ref(), expected, "{hash:?}");
            // Looking does not change what is hashed.
            assert_eq!(context.current().as_ref(), expected, "{hash:?}");
            assert_eq!(hash.digest(&[front, &[], back]).as_ref(), expected, "{hash:?}");
        }
    }
}

fn a_fork_goes_its_own_way(hash: &dyn Hash) {
    let mut trunk = hash.start();
    trunk.update(b"shared");
    let mut branch = trunk.fork();
    assert_eq!(trunk.current().as_ref(), branch.current().as_ref());
    branch.update(b"more");
    assert_ne!(trunk.current().as_ref(), branch.current().as_ref());
    trunk.update(b"more");
    assert_eq!(trunk.current().as_ref(), branch.current().as_ref());
}

fn hmac(hash: &dyn Hash) {
    for (key, message, sha256, sha384) in macs() {
        let expected = answer(hash, sha256, sha384);
        assert_eq!(hash.hmac(&key, &message).as_ref()[..expected.len()], expected, "{hash:?}");
        let key = hash.hmac_key(&key);
        let (front, back) = message.split_at(7);
        for parts in [&[front, &[], back][..], &[&message]] {
            let mac = key.sign(parts);
            assert_eq!(mac.as_ref().len(), hash.algorithm().output_len());
            assert_eq!(mac.as_ref()[..expected.len()], expected, "{hash:?}: a key serves many messages");
        }
    }
}

/// RFC 5246 §5: a PRF of a provider's own is the one that HMAC makes.
fn prf(hash: &dyn Hash) {
    for secret in [&[][..], &[1], &[2; 48], &[3; 200]] {
        let seeds: [&[&[u8]]; 4] = [&[], &[b"one"], &[b"one", b"two"], &[b"one", b"", b"two", b"three"]];
        for seed in seeds {
            for len in [0, 1, 12, 32, 48, 104, 200] {
                let (mut own, mut made) = (vec![0; len], vec![0xee; len]);
                hash.prf(secret, b"a label", seed, &mut own);
                hmac_prf(&*hash.hmac_key(secret), b"a label", seed, &mut made);
                assert_eq!(own, made, "{hash:?}, {} bytes of secret, {len} of output", secret.len());
            }
        }
    }
}

/// RFC 5869 §2.3, with the known answer of its §A.1; HKDF of a provider's own is the one that
/// HMAC makes.
fn hkdf(hash: &dyn Hash) {
    if hash.algorithm() == HashAlgorithm::Sha256 {
        let secret = hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        let input: Vec<u8> = [0x0B; 22].to_vec();
        assert_eq!(hash.hmac(&hex("000102030405060708090a0b0c"), &input).as_ref(), secret);
        let mut out = [0; 42];
        hash.hkdf_expand(&secret, &[&hex("f0f1f2f3f4"), &hex("f5f6f7f8f9")], &mut out);
        assert_eq!(
            out[..],
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        );
    }
    let most = 255 * hash.algorithm().output_len();
    for secret in [&[1; 32][..], &[2; 48], &[3; 200]] {
        let infos: [&[&[u8]]; 4] = [&[], &[b"one"], &[b"one", b"", b"two"], &[&[7; 300]]];
        for info in infos {
            for len in [0, 1, 12, 32, 48, 200, most] {
                let (mut own, mut made) = (vec![0; len], vec![0xEE; len]);
                hash.hkdf_expand(secret, info, &mut own);
                hmac_hkdf_expand(&*hash.hmac_key(secret), info, &mut made);
                assert_eq!(own, made, "{hash:?}, {} bytes of secret, {len} of output", secret.len());
            }
        }
    }
}
