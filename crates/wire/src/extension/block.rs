//! The extension block.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::Extension;
use crate::codec::{Codec, DecodeError, EncodeError, Reader, Writer};
use crate::registry::ExtensionType;

/// A block of extensions, each type at most once. An absent block and an empty one are different values.
///
/// ```text
/// struct {
///     ExtensionType extension_type;
///     opaque extension_data<0..2^16-1>;
/// } Extension;
/// Extension extensions<0..2^16-1>;
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extensions<'a> {
    bytes: &'a [u8],
    /// See [`low_bit`]. A hello is asked for many types, most of which it does not have.
    low: u64,
    present: bool,
}

impl<'a> Extensions<'a> {
    /// No block at all, as in hellos older than extensions.
    pub const ABSENT: Self = Self { bytes: &[], low: 0, present: false };

    /// A block without extensions.
    pub const EMPTY: Self = Self { bytes: &[], low: 0, present: true };

    /// Checks the content of a block, without its length field.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], or [`DecodeError::DuplicateExtension`] (RFC 9846 §4.3).
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self { bytes, low: check(bytes)?, present: true })
    }

    /// Reads a block where the message always has one, as all messages of 1.3 do.
    ///
    /// # Errors
    /// As [`Extensions::new`].
    pub fn read_present(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::new(r.vec16()?)
    }

    /// Writes the block where the message always has one; an absent block is written as an empty one.
    pub fn write_present(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.bytes));
    }

    /// Whether the message has a block, possibly empty.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// Whether there are no extensions.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The content of the block, without its length field.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Types and contents in order.
    pub fn iter(&self) -> ExtensionsIter<'a> {
        ExtensionsIter { reader: Reader::new(self.bytes) }
    }

    /// The content of the extension of type `ty`, as bytes.
    #[inline]
    pub fn get(&self, ty: ExtensionType) -> Option<&'a [u8]> {
        if self.contains_low(ty) == Some(false) { None } else { self.search(ty) }
    }

    fn search(&self, ty: ExtensionType) -> Option<&'a [u8]> {
        let wanted = ty.0.to_be_bytes();
        let mut rest = self.bytes;
        while let [high, low, len_high, len_low, tail @ ..] = rest {
            let len = u16::from_be_bytes([*len_high, *len_low]);
            let (content, after) = tail.split_at_checked(usize::from(len))?;
            if [*high, *low] == wanted {
                return Some(content);
            }
            rest = after;
        }
        None
    }

    /// Whether an extension of type `ty` is there.
    #[inline]
    pub fn contains(&self, ty: ExtensionType) -> bool {
        self.contains_low(ty).unwrap_or_else(|| self.search(ty).is_some())
    }

    /// The same of a type that has a bit; `None` for others.
    #[inline]
    fn contains_low(&self, ty: ExtensionType) -> Option<bool> {
        low_bit(ty).map(|bit| self.low & bit != 0)
    }

    /// The extension `E`, or `None` if the block has none of its type.
    ///
    /// # Errors
    /// The fault in its content.
    pub fn find<E: Extension<'a>>(&self) -> Result<Option<E>, BadExtension> {
        let content = self.get(E::TYPE).map(E::from_bytes).transpose();
        content.map_err(|error| BadExtension { extension_type: E::TYPE, error })
    }
}

/// An extension whose content cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "which one, and why: there is no more to say")]
pub struct BadExtension {
    /// Which one.
    pub extension_type: ExtensionType,
    /// Why.
    pub error: DecodeError,
}

impl From<BadExtension> for DecodeError {
    fn from(bad: BadExtension) -> Self {
        bad.error
    }
}

impl fmt::Display for BadExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.extension_type, self.error)
    }
}

impl core::error::Error for BadExtension {}

impl Default for Extensions<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Reads a block that may be absent: the message then ends where it would start (RFC 5246 §7.4.1.2).
impl<'a> Codec<'a> for Extensions<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if r.is_empty() { Ok(Self::ABSENT) } else { Self::read_present(r) }
    }

    fn write(&self, w: &mut Writer<'_>) {
        if self.present {
            self.write_present(w);
        }
    }
}

impl fmt::Debug for Extensions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.present {
            return f.write_str("absent");
        }
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Extensions<'a> {
    type Item = (ExtensionType, &'a [u8]);
    type IntoIter = ExtensionsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`Extensions`].
#[derive(Clone, Debug)]
pub struct ExtensionsIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for ExtensionsIter<'a> {
    type Item = (ExtensionType, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        read_one(&mut self.reader).ok()
    }
}

/// A block of extensions to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionsBuf {
    bytes: Vec<u8>,
    /// See [`low_bit`].
    low: u64,
    overflow: bool,
}

impl ExtensionsBuf {
    /// An empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty block with room for `bytes` bytes, so that it need not grow.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Adds `extension` at the end. Each type may be pushed once; a reader refuses the block otherwise.
    pub fn push<'e, E: Extension<'e>>(&mut self, extension: &E) {
        self.push_with(E::TYPE, |w| extension.write(w));
    }

    /// Adds an extension with `content` as it is.
    pub fn push_raw(&mut self, ty: ExtensionType, content: &[u8]) {
        self.push_with(ty, |w| w.bytes(content));
    }

    /// The block as a message borrows it. If something pushed had no encoding, or all of it is longer than
    /// 65535 bytes, the message that borrows it may be garbled or fail to encode: [`ExtensionsBuf::finish`] tells.
    pub fn as_extensions(&self) -> Extensions<'_> {
        Extensions { bytes: &self.bytes, low: self.low, present: true }
    }

    /// Whether everything that was pushed has an encoding.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`]
    pub fn finish(&self) -> Result<Extensions<'_>, EncodeError> {
        if self.overflow || self.bytes.len() > usize::from(u16::MAX) {
            return Err(EncodeError::TooLong);
        }
        Ok(self.as_extensions())
    }

    fn push_with(&mut self, ty: ExtensionType, content: impl FnOnce(&mut Writer<'_>)) {
        let mut w = Writer::new(&mut self.bytes);
        ty.write(&mut w);
        w.vec16(content);
        self.overflow |= w.finish().is_err();
        self.low |= low_bit(ty).unwrap_or(0);
    }
}

fn read_one<'a>(r: &mut Reader<'a>) -> Result<(ExtensionType, &'a [u8]), DecodeError> {
    Ok((Codec::read(r)?, r.vec16()?))
}

/// The bit of a type below 64 in the set of those that a block has.
#[inline]
fn low_bit(ty: ExtensionType) -> Option<u64> {
    1u64.checked_shl(ty.0.into())
}

/// Walks the block once and returns the set of its types below 64. Peers send such and a few others; those fit two
/// small sets on the stack. Only a block with many unusual types, which nobody needs, costs an allocation: one, of
/// 8 KB, whatever its size.
fn check(bytes: &[u8]) -> Result<u64, DecodeError> {
    let mut r = Reader::new(bytes);
    let mut low: u64 = 0;
    let mut high = [0u16; 8];
    let mut high_len = 0;
    while !r.is_empty() {
        let (ty, _) = read_one(&mut r)?;
        if let Some(bit) = low_bit(ty) {
            if low & bit != 0 {
                return Err(DecodeError::DuplicateExtension);
            }
            low |= bit;
            continue;
        }
        if high.iter().take(high_len).any(|&seen| seen == ty.0) {
            return Err(DecodeError::DuplicateExtension);
        }
        match high.get_mut(high_len) {
            Some(place) => *place = ty.0,
            None => return check_with_all_types(bytes),
        }
        high_len = high_len.saturating_add(1);
    }
    Ok(low)
}

/// One bit for every type there can be.
#[cold]
fn check_with_all_types(bytes: &[u8]) -> Result<u64, DecodeError> {
    let mut seen = vec![0u64; 1024];
    let mut r = Reader::new(bytes);
    while !r.is_empty() {
        let (ExtensionType(ty), _) = read_one(&mut r)?;
        let bit = 1 << (ty % 64);
        if let Some(word) = seen.get_mut(usize::from(ty / 64)) {
            if *word & bit != 0 {
                return Err(DecodeError::DuplicateExtension);
            }
            *word |= bit;
        }
    }
    Ok(seen.first().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::ExtendedMasterSecret;

    #[test]
    fn unknown_extensions_are_kept() {
        let bytes = [0, 9, 0x0a, 0x0a, 0, 1, 7, 0, 23, 0, 0];
        let block = Extensions::from_bytes(&bytes).unwrap();
        assert_eq!(block.get(ExtensionType(0x0a0a)), Some(&[7][..]));
        assert_eq!(block.find::<ExtendedMasterSecret>(), Ok(Some(ExtendedMasterSecret)));
        assert_eq!(block.to_vec().unwrap(), bytes);
        let mut buf = ExtensionsBuf::new();
        buf.push_raw(ExtensionType(0x0a0a), &[7]);
        buf.push(&ExtendedMasterSecret);
        assert_eq!(buf.finish(), Ok(block));
    }

    #[test]
    fn it_is_told_which_extension_cannot_be_read() {
        let block = Extensions::new(&[0, 9, 0, 0, 0, 23, 0, 1, 7]).unwrap();
        let bad =
            BadExtension { extension_type: ExtensionType::EXTENDED_MASTER_SECRET, error: DecodeError::TrailingBytes };
        assert_eq!(block.find::<ExtendedMasterSecret>(), Err(bad));
        assert_eq!(alloc::format!("{bad}"), "extended_master_secret: bytes left over");
    }

    #[test]
    fn cuts_are_noticed() {
        assert_eq!(Extensions::new(&[0, 23, 0]), Err(DecodeError::Truncated));
        assert_eq!(Extensions::new(&[0, 23, 0, 1]), Err(DecodeError::Truncated));
        assert_eq!(Extensions::from_bytes(&[0, 0, 1]), Err(DecodeError::TrailingBytes));
    }

    fn block(types: impl Iterator<Item = u16>) -> Vec<u8> {
        types.flat_map(|ty| (u32::from(ty) << 16).to_be_bytes()).collect()
    }

    #[test] // RFC 9846 §4.3
    fn a_type_appears_once() {
        for ty in [0, 63, 64, 127, 0xff01, 0xffff] {
            assert_eq!(Extensions::new(&block([ty, 5, ty].into_iter())), Err(DecodeError::DuplicateExtension));
        }
    }

    #[test]
    fn blocks_with_very_many_types_are_checked_too() {
        let all = block(0..16383);
        let extensions = Extensions::new(&all).expect("each once");
        for (ty, is_there) in [(0, true), (63, true), (64, true), (16382, true), (16383, false)] {
            assert_eq!(extensions.contains(ExtensionType(ty)), is_there, "{ty}");
        }
        for repeated in [0, 63, 64, 9000, 16382] {
            let bytes = block((0..16383).chain([repeated]));
            assert_eq!(Extensions::new(&bytes), Err(DecodeError::DuplicateExtension), "{repeated}");
        }
    }

    #[test]
    fn what_is_there_is_found_and_nothing_else() {
        let types = [0, 5, 63, 64, 0xff01];
        let bytes = block(types.into_iter());
        let mut buf = ExtensionsBuf::new();
        types.iter().for_each(|ty| buf.push_raw(ExtensionType(*ty), &[]));
        let read = Extensions::new(&bytes).expect("each once");
        assert_eq!(buf.as_extensions(), read);
        for ty in (0..200).chain(0xff00..=0xffff) {
            let is_there = types.contains(&ty);
            assert_eq!(
                (read.contains(ExtensionType(ty)), read.get(ExtensionType(ty))),
                (is_there, is_there.then_some(&[][..]))
            );
        }
    }

    #[test]
    fn a_block_too_long_is_noticed() {
        let mut buf = ExtensionsBuf::new();
        buf.push_raw(ExtensionType(1), &[0; 40000]);
        assert!(buf.finish().is_ok());
        buf.push_raw(ExtensionType(2), &[0; 40000]);
        assert!(buf.finish().is_err());
        assert!(buf.as_extensions().to_vec().is_err());
    }
}
