//! ec_point_formats.

use super::Extension;
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::registry::{EcPointFormat, ExtensionType};

/// Point encodings the sender can read; 1.2 only (RFC 8422 §5.1.2).
///
/// ```text
/// struct {
///     ECPointFormat ec_point_format_list<1..2^8-1>;
/// } EcPointFormats;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcPointFormats<'a> {
    /// The sender's favourite first.
    pub formats: List<'a, EcPointFormat>,
}

impl EcPointFormats<'static> {
    /// The one format that is still in use (RFC 8422 §5.1.2).
    pub const UNCOMPRESSED: Self = Self { formats: List::of_whole(&[EcPointFormat::UNCOMPRESSED.0]) };
}

impl<'a> Codec<'a> for EcPointFormats<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { formats: List::read8(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.formats.write8(w);
    }
}

impl<'a> Extension<'a> for EcPointFormats<'a> {
    const TYPE: ExtensionType = ExtensionType::EC_POINT_FORMATS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [2, 0, 9];
        let read = EcPointFormats::from_bytes(&bytes).unwrap();
        assert!(read.formats.iter().eq([EcPointFormat::UNCOMPRESSED, EcPointFormat(9)]));
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(EcPointFormats::UNCOMPRESSED.to_vec().unwrap(), [1, 0]);
        assert_eq!(EcPointFormats::from_bytes(&[0]), Err(DecodeError::EmptyVector));
    }
}
