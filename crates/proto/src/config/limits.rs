//! Bounds of what may be configured for the size of records.

use core::ops::RangeInclusive;

use gramseal_wire::extension::MaxFragmentLength;

use super::ConfigError;

/// What record_size_limit may say in 1.2, in bytes (RFC 8449 §4).
pub(crate) const RECORD_SIZE_LIMITS: RangeInclusive<u16> = 64..=1 << 14;

pub(super) fn check_record_size_limit(limit: Option<u16>) -> Result<(), ConfigError> {
    match limit.filter(|limit| !RECORD_SIZE_LIMITS.contains(limit)) {
        Some(limit) => Err(ConfigError::BadRecordSizeLimit(limit)),
        None => Ok(()),
    }
}

/// The code for `limit` (RFC 6066 §4).
pub(super) fn max_fragment_length(limit: u16) -> Result<MaxFragmentLength, ConfigError> {
    MaxFragmentLength::of(limit).ok_or(ConfigError::BadMaxFragmentLength(limit))
}
