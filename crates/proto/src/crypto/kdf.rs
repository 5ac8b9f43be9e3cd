//! The PRF of 1.2 and the HKDF-Expand of 1.3, made of HMAC, for providers that have none of their own
//! (RFC 5246 §5, RFC 5869 §2.3).

use alloc::vec::Vec;

use super::{Digest, HmacKey};

/// `P_hash` with `key`, the expanded secret, over `label` and the concatenation of `seed`: fills `out`.
pub fn hmac_prf(key: &dyn HmacKey, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let label_and_seed = || core::iter::once(label).chain(seed.iter().copied());
    let mut a = key.sign(&label_and_seed().collect::<Vec<_>>());
    for (index, chunk) in out.chunks_mut(a.as_ref().len().max(1)).enumerate() {
        if index > 0 {
            a = key.sign(&[a.as_ref()]);
        }
        let block = key.sign(&core::iter::once(a.as_ref()).chain(label_and_seed()).collect::<Vec<_>>());
        for (to, from) in chunk.iter_mut().zip(block.as_ref()) {
            *to = *from;
        }
    }
}

/// HKDF-Expand with `key`, the expanded secret, over the concatenation of `info`: fills `out`, which has at
/// most 255 times the length of a digest.
pub fn hmac_hkdf_expand(key: &dyn HmacKey, info: &[&[u8]], out: &mut [u8]) {
    let mut block: Option<Digest> = None;
    let mut rest = out;
    for number in 1..=u8::MAX {
        let previous = block.as_ref().map(AsRef::as_ref).unwrap_or_default();
        let number = [number];
        let parts = core::iter::once(previous).chain(info.iter().copied()).chain([&number[..]]);
        let next = key.sign(&parts.collect::<Vec<_>>());
        let (now, later) = rest.split_at_mut(next.as_ref().len().min(rest.len()));
        for (to, from) in now.iter_mut().zip(next.as_ref()) {
            *to = *from;
        }
        if later.is_empty() {
            break;
        }
        (rest, block) = (later, Some(next));
    }
}
