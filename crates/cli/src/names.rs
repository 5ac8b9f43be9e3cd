//! IANA's names of cipher suites, groups and SRTP profiles, and which of them work here.

use std::sync::Arc;

use gramseal::proto::config::{ClientConfig, LegacySuites, Psk};
use gramseal::proto::wire::{CipherSuite, NamedGroup, SrtpProfile};
use gramseal::webpki::dangerous::AcceptAnyCertificate;

/// The cipher suite called `name`.
pub(crate) fn suite(name: &str) -> Result<CipherSuite, String> {
    CipherSuite::from_name(name).ok_or_else(|| unknown(&usable_suites()))
}

/// The group called `name`.
pub(crate) fn group(name: &str) -> Result<NamedGroup, String> {
    NamedGroup::from_name(name).ok_or_else(|| unknown(&usable_groups()))
}

/// The SRTP profile called `name` by IANA, or by OpenSSL, which leaves out the function that MACs are made with.
pub(crate) fn srtp_profile(name: &str) -> Result<SrtpProfile, String> {
    let is_called = |profile: &&SrtpProfile| profile.to_string().replace("HMAC_", "") == name;
    let known = SrtpProfile::from_name(name).or_else(|| SrtpProfile::ALL.iter().find(is_called).copied());
    known.ok_or_else(|| unknown(&usable_srtp_profiles()))
}

fn usable_srtp_profiles() -> Vec<String> {
    let provider = gramseal::provider();
    let works = |profile: &&SrtpProfile| {
        let builder = ClientConfig::builder(Arc::clone(&provider), Arc::new(AcceptAnyCertificate));
        builder.with_srtp(&[**profile]).build().is_ok()
    };
    SrtpProfile::ALL.iter().filter(works).map(ToString::to_string).collect()
}

/// Which suites a configuration takes, legacy ones included: asked of the library, which alone knows.
pub(crate) fn usable_suites() -> Vec<String> {
    let provider = gramseal::provider();
    let works = |suite: &CipherSuite| {
        let Ok(psk) = Psk::new("any", [0]) else { return false };
        let builder = ClientConfig::builder(Arc::clone(&provider), Arc::new(AcceptAnyCertificate)).with_psk(psk);
        builder.with_legacy_suites(LegacySuites::Allowed).with_cipher_suites(&[*suite]).build().is_ok()
    };
    CipherSuite::ALL.iter().filter(|suite| works(suite)).map(ToString::to_string).collect()
}

fn usable_groups() -> Vec<String> {
    gramseal::provider().groups.iter().map(|group| group.name().to_string()).collect()
}

fn unknown(known: &[String]) -> String {
    format!("the name is not known; known are:\n  {}", known.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        assert_eq!(suite("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"), Ok(CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256));
        let message = suite("TLS_FANCY").unwrap_err();
        assert!(message.contains("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), "{message}");
        assert!(message.contains("TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"), "{message}");
        assert!(message.contains("TLS_PSK_WITH_AES_128_CCM_8"), "{message}");
        assert!(!message.contains("TLS_PSK_WITH_AES_256_CCM"), "what has a name but is not implemented: {message}");
        let message = srtp_profile("AES_CM_128_HMAC_SHA1_80").unwrap_err();
        assert!(message.contains("SRTP_AES128_CM_HMAC_SHA1_80") && !message.contains("DOUBLE"), "{message}");
        let message = group("p256").unwrap_err();
        assert!(message.contains("x25519") && message.contains("ffdhe2048"), "{message}");
    }

    #[test]
    fn srtp_profiles_have_names_of_iana_and_of_openssl() {
        assert_eq!(srtp_profile("SRTP_AES128_CM_HMAC_SHA1_80"), Ok(SrtpProfile::AES128_CM_HMAC_SHA1_80));
        assert_eq!(srtp_profile("SRTP_AES128_CM_SHA1_32"), Ok(SrtpProfile::AES128_CM_HMAC_SHA1_32));
        assert_eq!(srtp_profile("SRTP_AEAD_AES_256_GCM"), Ok(SrtpProfile::AEAD_AES_256_GCM));
    }
}
