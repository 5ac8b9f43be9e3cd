//! The conformance suite against every provider, and against one composed of two.

use std::panic;
use std::sync::Arc;

use gramseal_proto::crypto::{
    ActiveKx, AeadAlgorithm, CryptoError, CryptoProvider, KxError, KxGroup, SecureRandom, SharedSecret,
};
use gramseal_rustcrypto::{FINITE_FIELD, OsRandom, ccm_aeads, ffdhe_groups};
use gramseal_testkit::{conformance, null};
use gramseal_wire::NamedGroup;

fn aws_lc() -> CryptoProvider {
    gramseal_aws_lc::provider()
}

fn rustcrypto() -> CryptoProvider {
    gramseal_rustcrypto::provider(Arc::new(OsRandom::new()))
}

/// aws-lc with everything added that it lacks.
fn aws_lc_and_more() -> CryptoProvider {
    let mut provider = aws_lc();
    provider.aeads.extend(ccm_aeads());
    provider.groups.extend(ffdhe_groups());
    provider.finite_field = Some(FINITE_FIELD);
    provider
}

/// Record protection and hashes from one provider, the handshake's part from the other.
fn halves() -> CryptoProvider {
    CryptoProvider { aeads: aws_lc().aeads, hashes: aws_lc().hashes, ..rustcrypto() }
}

macro_rules! suite {
    ($($provider:ident)*) => {$(
        mod $provider {
            use gramseal_testkit::conformance;

            #[test]
            fn aeads() {
                conformance::aeads(&super::$provider());
            }

            #[test]
            fn masks() {
                conformance::masks(&super::$provider());
            }

            #[test]
            fn hashes() {
                conformance::hashes(&super::$provider());
            }

            #[test]
            fn groups() {
                conformance::groups(&super::$provider());
            }

            #[test]
            fn finite_field() {
                conformance::finite_field(&super::$provider());
            }

            #[test]
            fn signatures() {
                conformance::signatures(&super::$provider());
            }

            #[test]
            fn keys() {
                conformance::keys(&super::$provider());
            }
        }
    )*};
}

mod suites {
    use super::{aws_lc, aws_lc_and_more, halves, rustcrypto};

    suite! { aws_lc rustcrypto aws_lc_and_more halves }
}

const AEADS: [AeadAlgorithm; 7] = [
    AeadAlgorithm::Aes128Gcm,
    AeadAlgorithm::Aes256Gcm,
    AeadAlgorithm::ChaCha20Poly1305,
    AeadAlgorithm::Aes128Ccm,
    AeadAlgorithm::Aes256Ccm,
    AeadAlgorithm::Aes128Ccm8,
    AeadAlgorithm::Aes256Ccm8,
];

const GROUPS: [NamedGroup; 9] = [
    NamedGroup::X25519MLKEM768,
    NamedGroup::SECP256R1MLKEM768,
    NamedGroup::X25519,
    NamedGroup::SECP256R1,
    NamedGroup::SECP384R1,
    NamedGroup::SECP521R1,
    NamedGroup::FFDHE2048,
    NamedGroup::FFDHE3072,
    NamedGroup::FFDHE4096,
];

#[test]
fn each_provider_has_what_it_promises() {
    conformance::has(&aws_lc(), &AEADS[..3], &GROUPS[..6]);
    conformance::has(&rustcrypto(), &AEADS, &GROUPS);
    conformance::has(&aws_lc_and_more(), &AEADS, &GROUPS);
}

#[test]
fn key_agreement_known_answers() {
    conformance::key_agreement_known_answers(&rustcrypto());
}

#[test]
fn certificate_algorithms() {
    conformance::certificate_algorithms(&aws_lc(), gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS);
    conformance::certificate_algorithms(&rustcrypto(), gramseal_rustcrypto::ALL_VERIFICATION_ALGORITHMS);
}

fn fails(check: fn(&CryptoProvider), provider: &CryptoProvider) -> bool {
    panic::catch_unwind(panic::AssertUnwindSafe(|| check(provider))).is_err()
}

/// The suite can fail: cryptography that protects nothing passes little of it.
#[test]
fn null_cryptography_does_not_conform() {
    let provider = null::provider(1);
    assert!(fails(conformance::aeads, &provider));
    assert!(fails(conformance::masks, &provider));
    assert!(fails(conformance::hashes, &provider));
    assert!(fails(conformance::signatures, &provider));
    assert!(fails(conformance::keys, &provider));
    assert!(fails(conformance::key_agreement_known_answers, &provider));
}

/// A group that takes every share.
#[derive(Debug)]
struct Credulous(&'static dyn KxGroup);

struct ActiveCredulous(Box<dyn ActiveKx>);

impl KxGroup for Credulous {
    fn name(&self) -> NamedGroup {
        self.0.name()
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        Ok(Box::new(ActiveCredulous(self.0.start(random)?)))
    }
}

impl ActiveKx for ActiveCredulous {
    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        Ok(self.0.complete(peer).unwrap_or_else(|_| SharedSecret::new(vec![1; 32])))
    }
}

#[test]
fn groups_that_take_every_share_do_not_conform() {
    for group in rustcrypto().groups {
        let credulous: &'static dyn KxGroup = Box::leak(Box::new(Credulous(group)));
        let provider = CryptoProvider { groups: vec![credulous], ..rustcrypto() };
        assert!(fails(conformance::groups, &provider), "{group:?}");
    }
}
