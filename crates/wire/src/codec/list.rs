//! Lists of code points: checked once, then iterated without errors.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use super::{Codec, DecodeError, Reader, Writer};

/// A code point of fixed size, for which every value of its bytes is valid.
pub trait CodePoint: for<'x> Codec<'x> + Copy + Eq + fmt::Debug {
    /// Size on the wire in bytes.
    const LEN: usize;
}

/// A borrowed list of code points. Its bytes are a whole number of elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct List<'a, T> {
    bytes: &'a [u8],
    element: PhantomData<T>,
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self { bytes: &[], element: PhantomData }
    }
}

impl<'a, T> List<'a, T> {
    /// Takes bytes that are known to be whole elements.
    pub(crate) const fn of_whole(bytes: &'a [u8]) -> Self {
        Self { bytes, element: PhantomData }
    }
}

impl<'a, T: CodePoint> List<'a, T> {
    /// Takes the elements' bytes, without a length field.
    ///
    /// # Errors
    /// [`DecodeError::BadVectorLength`] if the length is no multiple of the element size.
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() % T::LEN != 0 {
            return Err(DecodeError::BadVectorLength);
        }
        Ok(Self { bytes, element: PhantomData })
    }

    /// Reads a list with a one-byte length field and at least one element.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::EmptyVector`], [`DecodeError::BadVectorLength`]
    pub fn read8(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::new(r.nonempty8()?)
    }

    /// Reads a list with a two-byte length field and at least one element.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::EmptyVector`], [`DecodeError::BadVectorLength`]
    pub fn read16(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::new(r.nonempty16()?)
    }

    /// Writes the list behind a one-byte length field.
    pub fn write8(&self, w: &mut Writer<'_>) {
        w.vec8(|w| w.bytes(self.bytes));
    }

    /// Writes the list behind a two-byte length field.
    pub fn write16(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.bytes));
    }

    /// The elements in order.
    pub fn iter(&self) -> ListIter<'a, T> {
        ListIter { reader: Reader::new(self.bytes), element: PhantomData }
    }

    /// Whether `element` is in the list.
    pub fn contains(&self, element: &T) -> bool {
        self.iter().any(|e| e == *element)
    }

    /// The first element.
    pub fn first(&self) -> Option<T> {
        self.iter().next()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / T::LEN
    }

    /// The elements' bytes, without a length field.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<T: CodePoint> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: CodePoint> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over a [`List`].
#[derive(Clone, Debug)]
pub struct ListIter<'a, T> {
    reader: Reader<'a>,
    element: PhantomData<T>,
}

impl<T: CodePoint> Iterator for ListIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        T::read(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.reader.remaining() / T::LEN;
        (left, Some(left))
    }
}

impl<T: CodePoint> ExactSizeIterator for ListIter<'_, T> {}

/// A list of code points to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedList<T> {
    bytes: Vec<u8>,
    element: PhantomData<T>,
}

impl<T: CodePoint> OwnedList<T> {
    /// An empty list.
    pub fn new() -> Self {
        Self { bytes: Vec::new(), element: PhantomData }
    }

    /// Adds one element at the end.
    pub fn push(&mut self, element: T) {
        // A code point has no length field, so nothing can overflow and the writer needs no `finish`.
        element.write(&mut Writer::new(&mut self.bytes));
    }

    /// The list as a message borrows it.
    pub fn as_list(&self) -> List<'_, T> {
        List { bytes: &self.bytes, element: PhantomData }
    }
}

impl<T: CodePoint> Default for OwnedList<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: CodePoint> fmt::Debug for OwnedList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_list().fmt(f)
    }
}

impl<T: CodePoint> FromIterator<T> for OwnedList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let elements = elements.into_iter();
        let expected = elements.size_hint().0.saturating_mul(T::LEN);
        let mut list = Self { bytes: Vec::with_capacity(expected), element: PhantomData };
        elements.for_each(|e| list.push(e));
        list
    }
}

impl<T: CodePoint> From<&[T]> for OwnedList<T> {
    fn from(elements: &[T]) -> Self {
        elements.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{CipherSuite, CompressionMethod};

    #[test]
    fn a_list_is_whole_elements() {
        let bytes = [0x13, 0x01, 0xfa, 0xfa];
        let list = List::<CipherSuite>::new(&bytes).unwrap();
        assert_eq!(list.len(), 2);
        assert!(list.contains(&CipherSuite(0xfafa)));
        assert!(!list.contains(&CipherSuite(0x01fa)));
        assert_eq!(list.iter().collect::<OwnedList<_>>().as_list(), list);
        assert_eq!(List::<CipherSuite>::new(&bytes[..3]), Err(DecodeError::BadVectorLength));
        assert_eq!(List::<CompressionMethod>::read8(&mut Reader::new(&[0])), Err(DecodeError::EmptyVector));
    }
}
