//! The PRF of 1.2, made of HMAC, for providers that have none of their own (RFC 5246 §5).

use alloc::vec::Vec;

use super::HmacKey;

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
