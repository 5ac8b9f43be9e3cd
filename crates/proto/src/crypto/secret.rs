//! Secrets that are kept: wiped when dropped, never shown, and compared in time that does not depend on them.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A secret on the heap, so that a move leaves no copy behind that nobody wipes.
#[derive(Clone)]
pub(crate) struct SecretBytes(Zeroizing<Vec<u8>>);

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<Zeroizing<Vec<u8>>> for SecretBytes {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Only how long they are can be learned from the time that it takes.
impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.len())
    }
}

impl ZeroizeOnDrop for SecretBytes {}

/// Secret bytes, wiped when dropped. `Zeroizing` does the same, but wipes an array byte by byte and a slice in words.
pub(crate) struct SecretArray<const N: usize>([u8; N]);

impl<const N: usize> SecretArray<N> {
    pub(crate) const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    fn wipe(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl<const N: usize> Deref for SecretArray<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> DerefMut for SecretArray<N> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl<const N: usize> Drop for SecretArray<N> {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl<const N: usize> ZeroizeOnDrop for SecretArray<N> {}

/// Compiles if what a type keeps in a field is wiped when dropped.
#[cfg(test)]
pub(crate) fn assert_wiped<T, F: ZeroizeOnDrop + ?Sized>(_: fn(&T) -> &F) {}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use zeroize::ZeroizeOnDrop;

    use super::{SecretArray, SecretBytes, assert_wiped};
    use crate::crypto::{Digest, RecordKeys12, RecordKeys13};
    use crate::session::Session;

    #[test]
    fn secrets_are_compared_whole_and_not_shown() {
        let secret = SecretBytes::from(vec![0xAB; 16]);
        assert_eq!(secret, secret.clone());
        let mut other = vec![0xAB; 16];
        other[15] ^= 1;
        assert_ne!(secret, SecretBytes::from(other));
        assert_ne!(secret, SecretBytes::from(vec![0xAB; 15]));
        assert_eq!(format!("{secret:?}"), "SecretBytes(16 bytes)");
    }

    #[test]
    fn secrets_are_wiped_when_dropped() {
        fn wiped<T: ZeroizeOnDrop>() {
            assert!(core::mem::needs_drop::<T>());
        }
        wiped::<SecretBytes>();
        wiped::<SecretArray<48>>();
        wiped::<Digest>();
        wiped::<RecordKeys12>();
        wiped::<RecordKeys13>();
        assert_wiped(|secret: &SecretBytes| &secret.0);
        assert_wiped(|session: &Session| &session.secret);

        let mut secret = SecretArray::new([0xAB; 48]);
        secret.wipe();
        assert_eq!(*secret, [0; 48]);
    }
}
