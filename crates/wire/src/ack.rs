//! ACK (RFC 9147 §7).
//!
//! Owns: the list of record numbers. Never does: know which records were sent.

use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::numbers::RecordNumber;

/// The content of an `ACK` record: what was received, in ascending order; it may be empty (RFC 9147 §7).
///
/// ```text
/// struct {
///     RecordNumber record_numbers<0..2^16-1>;
/// } ACK;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Record numbers, 16 bytes each.
    pub record_numbers: List<'a, RecordNumber>,
}

impl<'a> Codec<'a> for Ack<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { record_numbers: List::new(r.vec16()?)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.record_numbers.write16(w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::OwnedList;
    use crate::numbers::{Epoch, SequenceNumber};

    #[test]
    fn format() {
        let bytes = [0, 16, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7];
        let numbers: OwnedList<_> = [RecordNumber::new(Epoch(2), SequenceNumber(7))].into_iter().collect();
        let ack = Ack { record_numbers: numbers.as_list() };
        assert_eq!(ack.to_vec().unwrap(), bytes);
        assert_eq!(Ack::from_bytes(&bytes), Ok(ack));
        assert_eq!(Ack::from_bytes(&[0, 0]), Ok(Ack::default()));
        assert_eq!(Ack::from_bytes(&[0, 1, 0]), Err(DecodeError::BadVectorLength));
    }
}
