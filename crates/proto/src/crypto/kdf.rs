//! The PRF of 1.2 and the HKDF-Expand of 1.3, made of HMAC, for providers that have none of their own
//! (RFC 5246 §5, RFC 5869 §2.3).

use alloc::boxed::Box;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{Digest, HmacKey, SecretArray};

/// A secret of 1.2, expanded for the PRF.
pub trait PrfKey: Send + Sync {
    /// Fills `out` from the secret, `label` and the concatenation of `seed` (RFC 5246 §5).
    fn derive(&self, label: &[u8], seed: &[&[u8]], out: &mut [u8]);
}

/// A secret that is expanded for HMAC.
pub(super) struct HmacPrf(pub(super) Box<dyn HmacKey>);

impl PrfKey for HmacPrf {
    fn derive(&self, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        hmac_prf(&*self.0, label, seed, out);
    }
}

/// Bytes that label and seed have at most in a handshake: of the key block, both randoms.
const USUAL_LEN: usize = 80;

/// `P_hash` with `key`, the expanded secret, over `label` and the concatenation of `seed`: fills `out`.
pub fn hmac_prf(key: &dyn HmacKey, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let parts = || core::iter::once(&label).chain(seed);
    let len = parts().map(|part| part.len()).sum::<usize>();
    // A seed may be secret as well, so both places are wiped.
    let mut short = SecretArray::new([0; USUAL_LEN]);
    let mut long = Zeroizing::new(Vec::new());
    let whole = match short.get_mut(..len) {
        Some(whole) => whole,
        None => {
            // It never grows, so nothing of it is left behind.
            long.resize(len, 0);
            &mut long
        }
    };
    let mut rest = &mut *whole;
    for part in parts() {
        let (to, after) = rest.split_at_mut(part.len());
        to.copy_from_slice(part);
        rest = after;
    }
    let mut a = key.sign(&[whole]);
    for (index, chunk) in out.chunks_mut(a.as_ref().len().max(1)).enumerate() {
        if index > 0 {
            a = key.sign(&[a.as_ref()]);
        }
        let block = key.sign(&[a.as_ref(), whole]);
        for (to, from) in chunk.iter_mut().zip(block.as_ref()) {
            *to = *from;
        }
    }
}

/// HKDF-Expand with `key`, the expanded secret, over the concatenation of `info`: fills `out`, which has at
/// most 255 times the length of a digest (RFC 5869 §2.3). What is longer is not filled to its end.
pub fn hmac_hkdf_expand(key: &dyn HmacKey, info: &[&[u8]], out: &mut [u8]) {
    let info = info.concat();
    let mut block = Digest::new(&[]);
    let mut rest = out;
    for number in 1..=u8::MAX {
        block = key.sign(&[block.as_ref(), &info, &[number]]);
        let (now, later) = rest.split_at_mut(block.as_ref().len().min(rest.len()));
        for (to, from) in now.iter_mut().zip(block.as_ref()) {
            *to = *from;
        }
        if later.is_empty() {
            break;
        }
        rest = later;
        debug_assert!(number < u8::MAX, "HKDF gives no more than 255 digests");
    }
}
