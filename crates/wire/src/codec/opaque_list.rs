//! Lists of opaque strings with a length field each: certificates, names, protocols, binders.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use super::{DecodeError, EncodeError, Reader, Writer};

/// The size of a length field, as a type.
pub trait LengthField: Copy + Eq + fmt::Debug {
    /// Reads one vector with such a length field.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    fn read<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError>;

    /// Writes one vector with such a length field.
    fn write(bytes: &[u8], w: &mut Writer<'_>);
}

/// A one-byte length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Len8;

/// A two-byte length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Len16;

/// A three-byte length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Len24;

impl LengthField for Len8 {
    fn read<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        r.vec8()
    }

    fn write(bytes: &[u8], w: &mut Writer<'_>) {
        w.vec8(|w| w.bytes(bytes));
    }
}

impl LengthField for Len16 {
    fn read<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        r.vec16()
    }

    fn write(bytes: &[u8], w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(bytes));
    }
}

impl LengthField for Len24 {
    fn read<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        r.vec24()
    }

    fn write(bytes: &[u8], w: &mut Writer<'_>) {
        w.vec24(|w| w.bytes(bytes));
    }
}

/// A borrowed list of non-empty strings, each behind a length field `L`. The list itself may be empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OpaqueList<'a, L> {
    bytes: &'a [u8],
    length_field: PhantomData<L>,
}

impl<L> Default for OpaqueList<'_, L> {
    fn default() -> Self {
        Self { bytes: &[], length_field: PhantomData }
    }
}

impl<'a, L: LengthField> OpaqueList<'a, L> {
    /// Takes the encoded strings, without the length field of the whole list.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the last string is cut off, [`DecodeError::EmptyVector`] if one is empty.
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        while !r.is_empty() {
            if L::read(&mut r)?.is_empty() {
                return Err(DecodeError::EmptyVector);
            }
        }
        Ok(Self { bytes, length_field: PhantomData })
    }

    /// The strings in order, without their length fields.
    pub fn iter(&self) -> OpaqueIter<'a, L> {
        OpaqueIter { reader: Reader::new(self.bytes), length_field: PhantomData }
    }

    /// The first string.
    pub fn first(&self) -> Option<&'a [u8]> {
        self.iter().next()
    }

    /// Whether there are no strings.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The encoded strings, without the length field of the whole list.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<L: LengthField> fmt::Debug for OpaqueList<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, L: LengthField> IntoIterator for OpaqueList<'a, L> {
    type Item = &'a [u8];
    type IntoIter = OpaqueIter<'a, L>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over an [`OpaqueList`].
#[derive(Clone, Debug)]
pub struct OpaqueIter<'a, L> {
    reader: Reader<'a>,
    length_field: PhantomData<L>,
}

impl<'a, L: LengthField> Iterator for OpaqueIter<'a, L> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        L::read(&mut self.reader).ok()
    }
}

/// A list of strings to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedOpaqueList<L> {
    bytes: Vec<u8>,
    length_field: PhantomData<L>,
}

impl<L: LengthField> OwnedOpaqueList<L> {
    /// Builds the list; empty strings are left out, as they have no encoding in it.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if a string does not fit its length field.
    pub fn new<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Result<Self, EncodeError> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        for string in strings {
            if !string.as_ref().is_empty() {
                L::write(string.as_ref(), &mut w);
            }
        }
        w.finish()?;
        Ok(Self { bytes, length_field: PhantomData })
    }

    /// The list as a message borrows it.
    pub fn as_list(&self) -> OpaqueList<'_, L> {
        OpaqueList { bytes: &self.bytes, length_field: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_checked_once() {
        let owned = OwnedOpaqueList::<Len16>::new([&b"ab"[..], b"c"]).unwrap();
        assert_eq!(owned.as_list().as_bytes(), [0, 2, b'a', b'b', 0, 1, b'c']);
        assert_eq!(owned.as_list().iter().collect::<Vec<_>>(), [&b"ab"[..], b"c"]);
        assert_eq!(OpaqueList::<Len8>::new(&[1, b'a', 0]), Err(DecodeError::EmptyVector));
        assert_eq!(OpaqueList::<Len8>::new(&[1, b'a', 2, b'b']), Err(DecodeError::Truncated));
        assert_eq!(OwnedOpaqueList::<Len8>::new([[0; 256]]), Err(EncodeError::TooLong));
    }
}
