//! Images that are damaged, foreign or made up.

use gramseal_proto::config::ClientConfig;
use gramseal_proto::crypto::{AeadAlgorithm, CryptoProvider, HashAlgorithm, NONCE_LEN};
use gramseal_proto::wire::{CipherSuite, ProtocolVersion};
use gramseal_proto::{Connection, ImageKey, ImportError};
use gramseal_testkit::null::{self, NullVerifier};
use gramseal_testkit::rng::Rng;
use gramseal_testkit::sim::Side;
use std::sync::Arc;

use crate::{Configs, SECRET, VERSIONS, connect, connection, import, key};

/// Magic, format, name of the key, seed.
const HEADER_LEN: usize = 4 + 2 + 8 + 16;

fn exported(version: ProtocolVersion, side: Side) -> (Vec<u8>, Configs) {
    let (mut sim, pair, configs) = connect(version);
    let now = sim.now();
    (connection(&mut sim, pair, side).export(&key(), b"along", now).expect("nothing is under way"), configs)
}

fn error(configs: &Configs, side: Side, image: &[u8]) -> Option<ImportError> {
    import(configs, side, image, Default::default()).err()
}

#[test]
fn each_changed_byte_is_refused() {
    for version in VERSIONS {
        let (image, configs) = exported(version, Side::Server);
        for index in 0..image.len() {
            for bit in [0x01, 0x80] {
                let mut changed = image.clone();
                changed[index] ^= bit;
                let expected = match index {
                    0..4 => ImportError::NotAnImage,
                    4..6 => ImportError::UnknownFormat(u16::from_be_bytes([changed[4], changed[5]])),
                    6..14 => ImportError::WrongKey,
                    _ => ImportError::Tampered,
                };
                assert_eq!(error(&configs, Side::Server, &changed), Some(expected), "{index}");
            }
            let expected = if index < HEADER_LEN { ImportError::NotAnImage } else { ImportError::Tampered };
            assert_eq!(error(&configs, Side::Server, &image[..index]), Some(expected), "{index}");
        }
        let longer = [&image[..], &[0]].concat();
        assert_eq!(error(&configs, Side::Server, &longer), Some(ImportError::Tampered));
        assert_eq!(error(&configs, Side::Server, &image), None);
    }
}

#[test]
fn another_key_or_role_is_named() {
    for version in VERSIONS {
        for side in Side::BOTH {
            let (image, configs) = exported(version, side);
            assert_eq!(error(&configs, side.peer(), &image), Some(ImportError::WrongRole));
            let other = ImageKey::new(null::provider(1), &[6; ImageKey::LEN]).expect("the provider has it");
            let imported = Connection::import_server(configs.1, &other, &image, Default::default());
            assert_eq!(imported.err(), Some(ImportError::WrongKey));
        }
    }
}

#[test]
fn a_suite_that_the_provider_lacks_is_named() {
    let (image, _) = exported(ProtocolVersion::DTLS1_3, Side::Client);
    let all = null::provider(1);
    let aeads = all.aeads.iter().copied().filter(|aead| aead.algorithm() == AeadAlgorithm::ChaCha20Poly1305);
    let fewer = Arc::new(CryptoProvider { aeads: aeads.collect(), ..(*all).clone() });
    let config = ClientConfig::builder(fewer, Arc::new(NullVerifier::default())).build().expect("a configuration");
    let imported = Connection::import_client(Arc::new(config), &key(), &image, Default::default());
    let suite = CipherSuite::TLS_AES_128_GCM_SHA256;
    assert_eq!(imported.err(), Some(ImportError::MissingAlgorithm(suite)));
}

/// Opens what is sealed in an image, in the way that the documentation of the format says, hands it to `change` and
/// seals it again.
fn reseal(image: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let provider = null::provider(1);
    let hmac = provider.hash(HashAlgorithm::Sha256).expect("it is there").hmac_key(&SECRET);
    let aead = provider.aead(AeadAlgorithm::Aes256Gcm).expect("it is there");
    let (header, sealed) = image.split_at(HEADER_LEN);
    let material = hmac.sign(&[b"gramseal image", &header[14..]]);
    let key = aead.key(&material.as_ref()[..32]).expect("32 bytes");
    let mut fields = sealed.to_vec();
    let len = key.open([0; NONCE_LEN], header, &mut fields).expect("it is as it was");
    fields.truncate(len);
    change(&mut fields);
    let mut resealed = vec![0; fields.len() + 16];
    key.seal([0; NONCE_LEN], header, &fields, &[], &mut resealed).expect("it seals");
    [header, &resealed].concat()
}

#[test]
fn no_fields_panic_even_if_they_were_sealed_with_the_key() {
    for version in VERSIONS {
        for side in Side::BOTH {
            let (image, configs) = exported(version, side);
            assert_eq!(error(&configs, side, &reseal(&image, |_| {})), None);
            let mut len = 0;
            reseal(&image, |fields| len = fields.len());
            let mut rng = Rng::new(7);
            for index in 0..len {
                for bit in 0..8 {
                    let _ = error(&configs, side, &reseal(&image, |fields| fields[index] ^= 1 << bit));
                }
                let cut = error(&configs, side, &reseal(&image, |fields| fields.truncate(index)));
                // What was attached stands at the end, and may be missing.
                assert!(cut.is_some() || index == len - 4 - b"along".len(), "{index}");
                let noise = reseal(&image, |fields| {
                    for _ in 0..4 {
                        let at = usize::try_from(rng.below(fields.len() as u64)).expect("an index");
                        fields[at] = u8::try_from(rng.below(256)).expect("a byte");
                    }
                });
                let _ = error(&configs, side, &noise);
            }
        }
    }
}

#[test]
fn a_field_that_is_not_known_is_named() {
    let (image, configs) = exported(ProtocolVersion::DTLS1_2, Side::Client);
    let more = reseal(&image, |fields| fields.extend_from_slice(&[99, 0, 0, 1, 7]));
    assert_eq!(error(&configs, Side::Client, &more), Some(ImportError::UnknownField(99)));
    let empty = reseal(&image, Vec::clear);
    assert_eq!(error(&configs, Side::Client, &empty), Some(ImportError::Malformed));
}

#[test]
fn nothing_secret_is_readable_in_an_image() {
    let (image, _) = exported(ProtocolVersion::DTLS1_2, Side::Server);
    reseal(&image, |fields| {
        // The secret of the session is the second field, behind its tag and length.
        let first = 4 + usize::from(u16::from_be_bytes([fields[2], fields[3]]));
        let secret = &fields[first + 4..first + 4 + 48];
        assert!(!image.windows(8).any(|window| secret.windows(8).any(|part| part == window)));
    });
}
