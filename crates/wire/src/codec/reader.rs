//! The cursor every reader uses.

use super::DecodeError;

/// Takes values off the front of a slice; asking for more than there is gives [`DecodeError::Truncated`].
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes, big endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three bytes, big endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn u24(&mut self) -> Result<u32, DecodeError> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// Four bytes, big endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Six bytes, big endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn u48(&mut self) -> Result<u64, DecodeError> {
        let [a, b, c, d, e, f] = self.array()?;
        Ok(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// Eight bytes, big endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next `N` bytes by value.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// A vector with a one-byte length field.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn vec8(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u8()?;
        self.bytes(usize::from(length))
    }

    /// A vector with a two-byte length field.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn vec16(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    /// A vector with a three-byte length field.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]
    #[inline]
    pub fn vec24(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u24()?;
        self.bytes(length as usize)
    }

    /// As [`Reader::vec8`], for vectors whose lower bound is one byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::EmptyVector`]
    #[inline]
    pub fn nonempty8(&mut self) -> Result<&'a [u8], DecodeError> {
        nonempty(self.vec8()?)
    }

    /// As [`Reader::vec16`], for vectors whose lower bound is one byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::EmptyVector`]
    #[inline]
    pub fn nonempty16(&mut self) -> Result<&'a [u8], DecodeError> {
        nonempty(self.vec16()?)
    }

    /// As [`Reader::vec24`], for vectors whose lower bound is one byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::EmptyVector`]
    #[inline]
    pub fn nonempty24(&mut self) -> Result<&'a [u8], DecodeError> {
        nonempty(self.vec24()?)
    }

    /// Everything that is left; the reader is empty afterwards.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    /// Runs `read` and also returns the bytes it took, for values whose encoding is signed or hashed.
    ///
    /// # Errors
    /// What `read` returns.
    pub fn capture<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<(T, &'a [u8]), DecodeError> {
        let mut start = self.clone();
        let value = read(self)?;
        let taken = start.remaining().saturating_sub(self.remaining());
        Ok((value, start.bytes(taken)?))
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] if bytes are left.
    #[inline]
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

#[inline]
fn nonempty(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    if bytes.is_empty() { Err(DecodeError::EmptyVector) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_big_endian_and_consumed_in_order() {
        let bytes: alloc::vec::Vec<u8> = (1..=24).collect();
        let mut r = Reader::new(&bytes);
        assert_eq!(r.u8(), Ok(1));
        assert_eq!(r.u16(), Ok(0x0203));
        assert_eq!(r.u24(), Ok(0x04_0506));
        assert_eq!(r.u32(), Ok(0x0708_090a));
        assert_eq!(r.u48(), Ok(0x0b0c_0d0e_0f10));
        assert_eq!(r.u64(), Ok(0x1112_1314_1516_1718));
        assert_eq!(r.u8(), Err(DecodeError::Truncated));
        assert_eq!(r.finish(), Ok(()));
    }

    #[test]
    fn vectors_need_all_their_bytes() {
        assert_eq!(Reader::new(&[2, 0xaa, 0xbb]).vec8(), Ok(&[0xaa, 0xbb][..]));
        assert_eq!(Reader::new(&[0, 1, 0xaa]).vec16(), Ok(&[0xaa][..]));
        assert_eq!(Reader::new(&[0, 0, 1, 0xaa]).vec24(), Ok(&[0xaa][..]));
        assert_eq!(Reader::new(&[3, 0xaa, 0xbb]).vec8(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff]).vec24(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[0]).nonempty8(), Err(DecodeError::EmptyVector));
    }

    #[test]
    fn capture_returns_the_bytes_taken() {
        let mut r = Reader::new(&[1, 0xaa, 7]);
        assert_eq!(r.capture(|r| r.vec8()), Ok((&[0xaa][..], &[1, 0xaa][..])));
        assert_eq!(r.clone().finish(), Err(DecodeError::TrailingBytes));
        assert_eq!(r.rest(), &[7]);
        assert!(r.is_empty());
    }
}
