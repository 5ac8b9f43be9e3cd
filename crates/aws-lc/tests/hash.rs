//! Known answers for the hash functions and HMAC.

mod common;

use common::hex;
use gramseal_aws_lc::{SHA256, SHA384};

#[test]
fn digests_of_abc() {
    let answers = [
        (SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
    ];
    for (hash, answer) in answers {
        let mut context = hash.start();
        context.update(b"ab");
        context.update(b"c");
        assert_eq!(context.current().as_ref(), hex(answer));
        assert_eq!(context.current().as_ref().len(), hash.algorithm().output_len());
    }
}

#[test]
fn a_fork_goes_its_own_way() {
    for hash in [SHA256, SHA384] {
        let mut trunk = hash.start();
        trunk.update(b"shared");
        let mut branch = trunk.fork();
        assert_eq!(trunk.current().as_ref(), branch.current().as_ref());
        branch.update(b"more");
        assert_ne!(trunk.current().as_ref(), branch.current().as_ref());
        trunk.update(b"more");
        assert_eq!(trunk.current().as_ref(), branch.current().as_ref());
    }
}

#[test] // RFC 4231 §4.3, §4.4, §4.7
fn hmac_known_answers() {
    let cases = [
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
            vec![0xAA; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
        ),
    ];
    for (key, data, sha256, sha384) in cases {
        for (hash, answer) in [(SHA256, sha256), (SHA384, sha384)] {
            let key = hash.hmac_key(&key);
            let (front, back) = data.split_at(7);
            assert_eq!(key.sign(&[front, &[], back]).as_ref(), hex(answer));
            assert_eq!(key.sign(&[&data]).as_ref(), hex(answer), "a key serves many messages");
        }
    }
}
