//! The conformance suite against every provider, and against one composed of two.

use std::sync::Arc;

use gramseal_proto::crypto::{AeadAlgorithm, CryptoProvider};
use gramseal_rustcrypto::{FINITE_FIELD, OsRandom, ccm_aeads, ffdhe_groups};
use gramseal_testkit::conformance;
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

const GROUPS: [NamedGroup; 7] = [
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
    conformance::has(&aws_lc(), &AEADS[..3], &GROUPS[..4]);
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
