//! Premaster secrets from pre-shared keys.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::{Error, LocalFault};

/// RFC 4279 §2: a plain key stands behind as many zeros.
pub(super) fn plain(key: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let length = length_of(key)?;
    let mut premaster_secret = Zeroizing::new(Vec::with_capacity(2 * (2 + key.len())));
    premaster_secret.extend_from_slice(&length);
    premaster_secret.resize(2 + key.len(), 0);
    premaster_secret.extend_from_slice(&length);
    premaster_secret.extend_from_slice(key);
    Ok(premaster_secret)
}

/// RFC 5489 §2: the key stands behind the shared secret of the curve.
pub(super) fn behind(other_secret: &[u8], key: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut premaster_secret = Zeroizing::new(Vec::with_capacity(4 + other_secret.len() + key.len()));
    for part in [other_secret, key] {
        premaster_secret.extend_from_slice(&length_of(part)?);
        premaster_secret.extend_from_slice(part);
    }
    Ok(premaster_secret)
}

fn length_of(part: &[u8]) -> Result<[u8; 2], Error> {
    Ok(u16::try_from(part.len()).map_err(|_| LocalFault::MessageTooLong)?.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // RFC 4279 §2
    fn a_plain_key_stands_behind_zeros() {
        assert_eq!(**plain(&[1, 2, 3]).expect("short"), [0, 3, 0, 0, 0, 0, 3, 1, 2, 3]);
    }

    #[test] // RFC 5489 §2
    fn a_key_stands_behind_the_shared_secret() {
        assert_eq!(**behind(&[9, 8], &[1]).expect("short"), [0, 2, 9, 8, 0, 1, 1]);
    }
}
