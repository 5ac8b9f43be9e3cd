//! What our own formats have beside those of the wire: values that may be missing, and switches.

use gramseal_wire::{DecodeError, Reader, Writer};

/// Bytes that may be missing, of at most 65,535.
pub(crate) fn optional(w: &mut Writer<'_>, value: Option<&[u8]>) {
    flag(w, value.is_some());
    if let Some(value) = value {
        w.vec16(|w| w.bytes(value));
    }
}

/// Reads what [`optional`] wrote.
pub(crate) fn read_optional<'a>(r: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    if read_flag(r)? { r.vec16().map(Some) } else { Ok(None) }
}

/// Something that is so or not.
pub(crate) fn flag(w: &mut Writer<'_>, value: bool) {
    w.u8(u8::from(value));
}

/// Reads what [`flag`] wrote.
pub(crate) fn read_flag(r: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::IllegalValue),
    }
}

/// A number of 64 bits that may be missing.
pub(crate) fn optional_u64(w: &mut Writer<'_>, value: Option<u64>) {
    flag(w, value.is_some());
    if let Some(value) = value {
        w.u64(value);
    }
}

/// Reads what [`optional_u64`] wrote.
pub(crate) fn read_optional_u64(r: &mut Reader<'_>) -> Result<Option<u64>, DecodeError> {
    if read_flag(r)? { r.u64().map(Some) } else { Ok(None) }
}
