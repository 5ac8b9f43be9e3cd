//! What SRTP's profiles need of the handshake (RFC 5764 §4.1.2, RFC 7714 §14.2).

use gramseal_wire::SrtpProfile;

use super::ConfigError;

/// Bytes of the keying material of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SrtpLengths {
    pub(crate) master_key: usize,
    pub(crate) master_salt: usize,
}

impl SrtpLengths {
    /// Of a profile that we know.
    pub(crate) fn of(profile: SrtpProfile) -> Option<Self> {
        let (master_key, master_salt) = match profile {
            // The NULL ciphers have no key of their own, but authentication does: it is derived from a
            // master key with AES-CM, which takes 128 bits, and 112 bits of salt (RFC 3711 §4.3.3).
            SrtpProfile::AES128_CM_HMAC_SHA1_80
            | SrtpProfile::AES128_CM_HMAC_SHA1_32
            | SrtpProfile::NULL_HMAC_SHA1_80
            | SrtpProfile::NULL_HMAC_SHA1_32 => (16, 14),
            SrtpProfile::AEAD_AES_128_GCM => (16, 12),
            SrtpProfile::AEAD_AES_256_GCM => (32, 12),
            _ => return None,
        };
        Some(Self { master_key, master_salt })
    }
}

/// Checks that keys can be exported for each of `profiles`.
pub(super) fn check_profiles(profiles: &[SrtpProfile]) -> Result<(), ConfigError> {
    match profiles.iter().find(|profile| SrtpLengths::of(**profile).is_none()) {
        Some(profile) => Err(ConfigError::UnsupportedSrtpProfile(*profile)),
        None => Ok(()),
    }
}

/// Checks the master key identifier that a client offers with `profiles` (RFC 5764 §4.1.1).
pub(super) fn check_mki(mki: &[u8], profiles: &[SrtpProfile]) -> Result<(), ConfigError> {
    let pointless = !mki.is_empty() && profiles.is_empty();
    if pointless || mki.len() > 255 { Err(ConfigError::BadSrtpMki) } else { Ok(()) }
}
