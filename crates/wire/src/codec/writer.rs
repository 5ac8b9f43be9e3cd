//! The sink every writer uses.

use alloc::vec::Vec;

use super::EncodeError;

/// Appends to a vector. What does not fit its field is remembered and reported once, by [`Writer::finish`],
/// so that writers read like the structure they write.
#[derive(Debug)]
#[must_use = "an overflow is only reported by finish"]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
    overflow: bool,
}

impl<'b> Writer<'b> {
    /// Appends after what `out` already holds.
    #[inline]
    pub fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out, overflow: false }
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    /// Two bytes, big endian.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Three bytes, big endian; a larger value is an overflow.
    #[inline]
    pub fn u24(&mut self, value: u32) {
        let [high, tail @ ..] = value.to_be_bytes();
        self.overflow |= high != 0;
        self.bytes(&tail);
    }

    /// Four bytes, big endian.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Six bytes, big endian; a larger value is an overflow.
    #[inline]
    pub fn u48(&mut self, value: u64) {
        let [high0, high1, tail @ ..] = value.to_be_bytes();
        self.overflow |= high0 != 0 || high1 != 0;
        self.bytes(&tail);
    }

    /// Eight bytes, big endian.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// The bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// What `body` writes, behind a one-byte length field.
    pub fn vec8(&mut self, body: impl FnOnce(&mut Self)) {
        self.vector::<1>(body);
    }

    /// What `body` writes, behind a two-byte length field.
    pub fn vec16(&mut self, body: impl FnOnce(&mut Self)) {
        self.vector::<2>(body);
    }

    /// What `body` writes, behind a three-byte length field.
    pub fn vec24(&mut self, body: impl FnOnce(&mut Self)) {
        self.vector::<3>(body);
    }

    /// Marks the value as having no encoding, for limits other than those of a length field.
    pub fn overflow(&mut self) {
        self.overflow = true;
    }

    /// Ends writing.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if anything did not fit; what was appended is then meaningless.
    #[inline]
    pub fn finish(self) -> Result<(), EncodeError> {
        if self.overflow { Err(EncodeError::TooLong) } else { Ok(()) }
    }

    fn vector<const N: usize>(&mut self, body: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        self.bytes(&[0; N]);
        body(self);
        let length = self.out.len().saturating_sub(start).saturating_sub(N) as u64;
        let bytes = length.to_be_bytes();
        let (high, low) = bytes.split_at(bytes.len().saturating_sub(N));
        self.overflow |= high.iter().any(|&b| b != 0);
        if let Some(field) = self.out.get_mut(start..start.saturating_add(N)) {
            field.copy_from_slice(low);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn lengths_are_patched_in_behind_existing_bytes() {
        let mut out = vec![0xee];
        let mut w = Writer::new(&mut out);
        w.vec24(|w| {
            w.vec16(|w| w.vec8(|w| w.bytes(&[1, 2, 3])));
            w.u48(0x0102_0304_0506);
        });
        assert_eq!(w.finish(), Ok(()));
        assert_eq!(out, [0xee, 0, 0, 12, 0, 4, 3, 1, 2, 3, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn an_overflow_sticks() {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.vec8(|w| w.bytes(&[0; 256]));
        w.u8(1);
        assert_eq!(w.finish(), Err(EncodeError::TooLong));

        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.u24(0x0100_0000);
        assert_eq!(w.finish(), Err(EncodeError::TooLong));

        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.u48(1 << 48);
        assert_eq!(w.finish(), Err(EncodeError::TooLong));
    }
}
