//! Numbers with a meaning: epochs, sequence numbers, record numbers and message sequence numbers.
//!
//! Owns: the types and their limits. Never does: decide which number comes next on a connection.
//! RFC 6347 §4.1, RFC 9147 §4 and §5.2.

use core::fmt;

use crate::codec::{CodePoint, Codec, DecodeError, Reader, Writer};

/// Counts key changes. 16 bits in a DTLS 1.2 record, 64 bits in DTLS 1.3 (RFC 9147 §4.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch without protection.
    pub const UNPROTECTED: Self = Self(0);
    /// The epoch of early data in 1.3 (RFC 9147 §6.1).
    pub const EARLY_DATA: Self = Self(1);
    /// The epoch of the handshake in 1.3.
    pub const HANDSHAKE: Self = Self(2);
    /// The first epoch of application data in 1.3; each KeyUpdate adds one.
    pub const APPLICATION: Self = Self(3);

    /// The following epoch, or `None` at the end of the number space.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts records within an epoch: 48 bits on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(pub u64);

impl SequenceNumber {
    /// The largest number that can be sent: 2⁴⁸ − 1.
    pub const MAX: Self = Self((1 << 48) - 1);

    /// The following number, or `None` when the epoch is used up (RFC 6347 §4.1, RFC 9147 §4.2.1).
    pub fn next(self) -> Option<Self> {
        if self < Self::MAX { self.0.checked_add(1).map(Self) } else { None }
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one record of a direction (RFC 9147 §4). Ordered by epoch, then by sequence number.
///
/// ```text
/// struct {
///     uint64 epoch;
///     uint64 sequence_number;
/// } RecordNumber;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordNumber {
    /// The epoch the record is protected in.
    pub epoch: Epoch,
    /// Its place in the epoch.
    pub sequence_number: SequenceNumber,
}

impl RecordNumber {
    /// Joins the two parts.
    pub fn new(epoch: Epoch, sequence_number: SequenceNumber) -> Self {
        Self { epoch, sequence_number }
    }
}

impl fmt::Display for RecordNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.sequence_number)
    }
}

impl<'a> Codec<'a> for RecordNumber {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self::new(Epoch(r.u64()?), SequenceNumber(r.u64()?)))
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u64(self.epoch.0);
        w.u64(self.sequence_number.0);
    }
}

impl CodePoint for RecordNumber {
    const LEN: usize = 16;
}

/// Counts the handshake messages of a side (RFC 6347 §4.2.2, RFC 9147 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageSeq(pub u16);

impl MessageSeq {
    /// The following number, or `None` after 65535; the number never wraps.
    pub fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    /// The number `count` messages later, or `None` beyond 65535.
    pub fn checked_add(self, count: u16) -> Option<Self> {
        self.0.checked_add(count).map(Self)
    }

    /// How many messages `self` is ahead of `earlier`, or `None` if it is behind.
    pub fn checked_sub(self, earlier: Self) -> Option<u16> {
        self.0.checked_sub(earlier.0)
    }
}

impl fmt::Display for MessageSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_instead_of_wrapping() {
        assert_eq!(SequenceNumber(0xffff_ffff_fffe).next(), Some(SequenceNumber::MAX));
        assert_eq!(SequenceNumber::MAX.next(), None);
        assert_eq!(SequenceNumber(u64::MAX).next(), None);
        assert_eq!(MessageSeq(0xffff).next(), None);
        assert_eq!(Epoch(u64::MAX).next(), None);
        assert_eq!(MessageSeq(3).checked_sub(MessageSeq(5)), None);
    }

    #[test]
    fn record_numbers_order_by_epoch_first() {
        let low = RecordNumber::new(Epoch(1), SequenceNumber(9));
        let high = RecordNumber::new(Epoch(2), SequenceNumber(0));
        assert!(low < high);
        assert_eq!(low.to_vec().unwrap(), [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]);
    }
}
