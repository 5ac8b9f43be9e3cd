//! How much one key may protect, and how many forgeries it may meet.
//!
//! RFC 9147 §4.5.3 and appendix B, RFC 9846 §5.5, RFC 9325 §4.4. Nothing here acts on a limit:
//! `epoch.rs` counts and refuses, `connection` closes or (1.3) updates keys in time.

use crate::crypto::AeadAlgorithm;

/// 2^24.5, rounded down.
const TWO_POW_24_5: u64 = 23_726_566;
/// 2^23.5, rounded down.
const TWO_POW_23_5: u64 = 11_863_283;

/// Blocks that a record of 2^14 bytes is charged with.
const FULL_SIZE_BLOCKS: u64 = blocks(1 << 14);

/// The usage limits of one AEAD key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsageLimits {
    /// What may be sealed, in blocks as [`blocks`] counts them.
    ///
    /// The standards count full-size records, and so bound the number of cipher blocks, which is
    /// what the proofs need. Counting blocks gives the same limit for full-size records and does
    /// not end a connection of small ones sixteen times too early.
    pub(crate) sealed_blocks: u64,
    /// How many records may fail to open.
    pub(crate) failed_opens: u64,
}

impl UsageLimits {
    /// No limit but that of the sequence number: for records that nothing protects.
    pub(crate) const NONE: Self = Self { sealed_blocks: u64::MAX, failed_opens: u64::MAX };

    /// The limits of an algorithm in DTLS 1.3 (RFC 9147 §4.5.3).
    pub(crate) const fn dtls13(algorithm: AeadAlgorithm) -> Self {
        match algorithm {
            AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => {
                Self { failed_opens: 1 << 36, ..Self::dtls12(algorithm) }
            }
            AeadAlgorithm::ChaCha20Poly1305
            | AeadAlgorithm::Aes128Ccm
            | AeadAlgorithm::Aes256Ccm
            | AeadAlgorithm::Aes128Ccm8
            | AeadAlgorithm::Aes256Ccm8 => Self::dtls12(algorithm),
        }
    }

    /// The limits of an algorithm in DTLS 1.2.
    ///
    /// They are those of 1.3 except that RFC 9325 §4.4 allows 2^28 forgeries with GCM in 1.2 where
    /// RFC 9147 §4.5.3 allows 2^36. For CCM_8 it leaves the limit to us, because the one that would
    /// keep the usual margin (2^7) lets anybody end a connection. With 2^20 a forgery succeeds with
    /// a chance of 2^-44 in a key's whole life, and who only wants to end the connection has to send
    /// a million records that look right.
    pub(crate) const fn dtls12(algorithm: AeadAlgorithm) -> Self {
        match algorithm {
            AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => {
                Self { sealed_blocks: TWO_POW_24_5 * FULL_SIZE_BLOCKS, failed_opens: 1 << 28 }
            }
            AeadAlgorithm::ChaCha20Poly1305 => Self { sealed_blocks: u64::MAX, failed_opens: 1 << 36 },
            AeadAlgorithm::Aes128Ccm | AeadAlgorithm::Aes256Ccm => {
                Self { sealed_blocks: (1 << 23) * FULL_SIZE_BLOCKS, failed_opens: TWO_POW_23_5 }
            }
            AeadAlgorithm::Aes128Ccm8 | AeadAlgorithm::Aes256Ccm8 => {
                Self { sealed_blocks: (1 << 23) * FULL_SIZE_BLOCKS, failed_opens: 1 << 20 }
            }
        }
    }
}

/// What a record with `len` bytes of content is charged with: its blocks of 16 bytes, rounded up,
/// and one for the tag.
pub(super) const fn blocks(len: usize) -> u64 {
    len as u64 / 16 + 2
}

#[cfg(test)]
mod tests {
    use super::{UsageLimits, blocks};
    use crate::crypto::AeadAlgorithm;

    #[test] // RFC 9846 §5.5, RFC 9147 appendix B
    fn limits_count_full_size_records() {
        let gcm = UsageLimits::dtls12(AeadAlgorithm::Aes128Gcm);
        assert_eq!(gcm.sealed_blocks / blocks(1 << 14), 23_726_566);
        let ccm = UsageLimits::dtls12(AeadAlgorithm::Aes128Ccm);
        assert_eq!(ccm.sealed_blocks / blocks(1 << 14), 1 << 23);
        // No key of ChaCha20-Poly1305 wears out before its numbers do.
        for (algorithm, records) in [
            (AeadAlgorithm::Aes128Gcm, 23_726_566),
            (AeadAlgorithm::Aes256Gcm, 23_726_566),
            (AeadAlgorithm::Aes128Ccm, 1 << 23),
            (AeadAlgorithm::Aes256Ccm, 1 << 23),
            (AeadAlgorithm::Aes128Ccm8, 1 << 23),
            (AeadAlgorithm::Aes256Ccm8, 1 << 23),
            (AeadAlgorithm::ChaCha20Poly1305, u64::MAX / blocks(1 << 14)),
        ] {
            assert_eq!(UsageLimits::dtls13(algorithm).sealed_blocks / blocks(1 << 14), records, "{algorithm:?}");
        }
    }

    #[test] // RFC 9325 §4.4, RFC 9147 §4.5.3
    fn forgery_limits_are_those_of_the_standards() {
        let failed = |algorithm| UsageLimits::dtls12(algorithm).failed_opens;
        assert_eq!(failed(AeadAlgorithm::Aes256Gcm), 1 << 28);
        assert_eq!(UsageLimits::dtls13(AeadAlgorithm::Aes256Gcm).failed_opens, 1 << 36);
        assert_eq!(failed(AeadAlgorithm::ChaCha20Poly1305), 1 << 36);
        assert_eq!(failed(AeadAlgorithm::Aes128Ccm), 11_863_283);
        assert_eq!(failed(AeadAlgorithm::Aes128Ccm8), 1 << 20);
        for (algorithm, forgeries) in [
            (AeadAlgorithm::Aes128Gcm, 1 << 36),
            (AeadAlgorithm::Aes256Gcm, 1 << 36),
            (AeadAlgorithm::ChaCha20Poly1305, 1 << 36),
            (AeadAlgorithm::Aes128Ccm, 11_863_283),
            (AeadAlgorithm::Aes256Ccm, 11_863_283),
            (AeadAlgorithm::Aes128Ccm8, 1 << 20),
            (AeadAlgorithm::Aes256Ccm8, 1 << 20),
        ] {
            assert_eq!(UsageLimits::dtls13(algorithm).failed_opens, forgeries, "{algorithm:?}");
        }
    }

    #[test] // RFC 9846 §5.5: what is counted are blocks of 16 bytes
    fn a_record_is_charged_with_its_blocks_and_the_tag() {
        for (len, expected) in [(0, 2), (1, 2), (15, 2), (16, 3), (1 << 14, 1026)] {
            assert_eq!(blocks(len), expected, "{len}");
        }
        for ccm in [AeadAlgorithm::Aes128Ccm, AeadAlgorithm::Aes256Ccm8] {
            assert_eq!(UsageLimits::dtls12(ccm).sealed_blocks, 8_388_608 * 1026);
        }
    }
}
