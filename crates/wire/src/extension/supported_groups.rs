//! supported_groups.

use super::Extension;
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::registry::{ExtensionType, NamedGroup};

/// Groups the sender can use (RFC 8422 §5.1.1, RFC 7919 §3, RFC 9846 §4.3.7).
///
/// ```text
/// struct {
///     NamedGroup named_group_list<2..2^16-1>;
/// } SupportedGroups;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedGroups<'a> {
    /// The sender's favourite first.
    pub groups: List<'a, NamedGroup>,
}

impl<'a> Codec<'a> for SupportedGroups<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { groups: List::read16(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.groups.write16(w);
    }
}

impl<'a> Extension<'a> for SupportedGroups<'a> {
    const TYPE: ExtensionType = ExtensionType::SUPPORTED_GROUPS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [0, 4, 0x11, 0xec, 0, 0x1d];
        let read = SupportedGroups::from_bytes(&bytes).unwrap();
        assert!(read.groups.iter().eq([NamedGroup::X25519MLKEM768, NamedGroup::X25519]));
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(SupportedGroups::from_bytes(&[0, 0]), Err(DecodeError::EmptyVector));
    }
}
