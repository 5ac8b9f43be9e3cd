//! Reading and writing the TLS presentation language (RFC 9846 §3).
//!
//! Owns: [`Reader`], which cannot step out of its slice; [`Writer`], which back-patches length fields and remembers
//! an overflow; and lists of code points or opaque strings that are validated once and iterated without errors.
//! Never does: interpret a value.

mod error;
mod list;
mod opaque_list;
mod reader;
mod sequence;
mod writer;

use alloc::vec::Vec;

pub use error::{DecodeError, EncodeError};
pub use list::{CodePoint, List, ListIter, OwnedList};
pub use opaque_list::{Len8, Len16, Len24, LengthField, OpaqueIter, OpaqueList, OwnedOpaqueList};
pub use reader::Reader;
pub use sequence::{Sequence, SequenceIter};
pub use writer::Writer;

/// A value with exactly one encoding: what [`Codec::write`] emits, [`Codec::read`] gives back unchanged.
pub trait Codec<'a>: Sized {
    /// Reads one value and leaves `r` behind it.
    ///
    /// # Errors
    /// The fault in the bytes; `r` is then at an unspecified place.
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Appends the encoding. A value too long for its length field makes [`Writer::finish`] fail.
    fn write(&self, w: &mut Writer<'_>);

    /// Reads a value that fills `bytes` exactly.
    ///
    /// # Errors
    /// The fault in the bytes, or [`DecodeError::TrailingBytes`].
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let value = Self::read(&mut r)?;
        r.finish()?;
        Ok(value)
    }

    /// The encoding in a new vector.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if a part does not fit its length field.
    fn to_vec(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        self.write(&mut w);
        w.finish()?;
        Ok(out)
    }
}
