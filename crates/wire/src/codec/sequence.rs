//! Lists of structured entries: certificates with extensions, key shares, PSK identities.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use super::{Codec, DecodeError, EncodeError, Reader, Writer};

/// A borrowed list of entries `T`, all of which were read once to check them.
pub struct Sequence<'a, T> {
    bytes: &'a [u8],
    entry: PhantomData<T>,
}

impl<'a, T: Codec<'a>> Sequence<'a, T> {
    /// Takes the encoded entries, without the length field of the list.
    ///
    /// # Errors
    /// The fault in the first bad entry.
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        while !r.is_empty() {
            let before = r.remaining();
            T::read(&mut r)?;
            // An entry without any bytes would never end the list.
            if r.remaining() == before {
                return Err(DecodeError::IllegalValue);
            }
        }
        Ok(Self { bytes, entry: PhantomData })
    }

    /// The entries in order.
    pub fn iter(&self) -> SequenceIter<'a, T> {
        SequenceIter { reader: Reader::new(self.bytes), entry: PhantomData }
    }

    /// The first entry.
    pub fn first(&self) -> Option<T> {
        self.iter().next()
    }
}

impl<'a, T> Sequence<'a, T> {
    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The encoded entries, without the length field of the list.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Encodes entries; [`Sequence::new`] borrows them from the result.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if an entry has no encoding.
    pub fn encode<'e, E: Codec<'e>>(entries: impl IntoIterator<Item = E>) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        entries.into_iter().for_each(|e| e.write(&mut w));
        w.finish()?;
        Ok(bytes)
    }
}

// By hand, since the entries need not be `Copy` or comparable for their bytes to be.
impl<T> Clone for Sequence<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Sequence<'_, T> {}

impl<T> PartialEq for Sequence<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Sequence<'_, T> {}

impl<T> Default for Sequence<'_, T> {
    fn default() -> Self {
        Self { bytes: &[], entry: PhantomData }
    }
}

impl<'a, T: Codec<'a> + fmt::Debug> fmt::Debug for Sequence<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Codec<'a>> IntoIterator for Sequence<'a, T> {
    type Item = T;
    type IntoIter = SequenceIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over a [`Sequence`].
#[derive(Clone, Debug)]
pub struct SequenceIter<'a, T> {
    reader: Reader<'a>,
    entry: PhantomData<T>,
}

impl<'a, T: Codec<'a>> Iterator for SequenceIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.reader.is_empty() { None } else { T::read(&mut self.reader).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::ServerHelloDone;
    use crate::numbers::RecordNumber;

    #[test]
    fn every_entry_is_checked() {
        assert_eq!(Sequence::<RecordNumber>::new(&[0; 48]).unwrap().iter().count(), 3);
        assert_eq!(Sequence::<RecordNumber>::new(&[0; 47]), Err(DecodeError::Truncated));
    }

    #[test]
    fn entries_without_bytes_do_not_loop() {
        assert_eq!(Sequence::<ServerHelloDone>::new(&[0]), Err(DecodeError::IllegalValue));
        assert_eq!(Sequence::<ServerHelloDone>::new(&[]).unwrap().iter().count(), 0);
    }
}
