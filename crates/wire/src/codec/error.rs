//! What can be wrong with bytes, and with values that should become bytes.

use core::error::Error;
use core::fmt;

/// Why bytes are not the value asked for. Named by the fault, not by the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the value does.
    Truncated,
    /// The value ends before the bytes do.
    TrailingBytes,
    /// A fragment reaches beyond the end of its message.
    FragmentOutOfRange,
    /// An extension block carries one type twice.
    DuplicateExtension,
    /// A vector's length is outside its bounds or no multiple of its element size.
    BadVectorLength,
    /// A vector that must not be empty is empty.
    EmptyVector,
    /// A field has a value its definition rules out.
    IllegalValue,
    /// The first byte starts no DTLS record.
    NotARecord,
    /// An inner plaintext is all zero padding and has no content type.
    NoContentType,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "bytes end early",
            Self::TrailingBytes => "bytes left over",
            Self::FragmentOutOfRange => "fragment reaches beyond its message",
            Self::DuplicateExtension => "extension appears twice",
            Self::BadVectorLength => "vector length out of bounds",
            Self::EmptyVector => "vector must not be empty",
            Self::IllegalValue => "illegal value",
            Self::NotARecord => "not a DTLS record",
            Self::NoContentType => "inner plaintext without a content type",
        })
    }
}

impl Error for DecodeError {}

/// Why a value has no encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// A number or a vector does not fit its field.
    TooLong,
    /// The output buffer is shorter than the encoding.
    BufferTooSmall,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "value does not fit its field",
            Self::BufferTooSmall => "output buffer too small",
        })
    }
}

impl Error for EncodeError {}
