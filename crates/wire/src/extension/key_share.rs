//! key_share.

use super::Extension;
use crate::codec::{Codec, DecodeError, Reader, Sequence, Writer};
use crate::registry::{ExtensionType, NamedGroup};

/// A public key in its group (RFC 9846 §4.3.8).
///
/// ```text
/// struct {
///     NamedGroup group;
///     opaque key_exchange<1..2^16-1>;
/// } KeyShareEntry;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShareEntry<'a> {
    /// The group.
    pub group: NamedGroup,
    /// The public key, or what the group has instead.
    pub key_exchange: &'a [u8],
}

impl<'a> Codec<'a> for KeyShareEntry<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { group: Codec::read(r)?, key_exchange: r.nonempty16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.group.write(w);
        w.vec16(|w| w.bytes(self.key_exchange));
    }
}

/// The client's shares (RFC 9846 §4.3.8). The list may be empty; whether a group comes twice is for the receiver to see.
///
/// ```text
/// struct {
///     KeyShareEntry client_shares<0..2^16-1>;
/// } KeyShareClientHello;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShareClientHello<'a> {
    /// The client's favourite first.
    pub client_shares: Sequence<'a, KeyShareEntry<'a>>,
}

impl<'a> Codec<'a> for KeyShareClientHello<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { client_shares: Sequence::new(r.vec16()?)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.client_shares.as_bytes()));
    }
}

impl<'a> Extension<'a> for KeyShareClientHello<'a> {
    const TYPE: ExtensionType = ExtensionType::KEY_SHARE;
}

/// The group the client shall make a share for (RFC 9846 §4.3.8).
///
/// ```text
/// struct {
///     NamedGroup selected_group;
/// } KeyShareHelloRetryRequest;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShareHelloRetryRequest {
    /// The group.
    pub selected_group: NamedGroup,
}

impl<'a> Codec<'a> for KeyShareHelloRetryRequest {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { selected_group: Codec::read(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.selected_group.write(w);
    }
}

impl<'a> Extension<'a> for KeyShareHelloRetryRequest {
    const TYPE: ExtensionType = ExtensionType::KEY_SHARE;
}

/// The server's share (RFC 9846 §4.3.8).
///
/// ```text
/// struct {
///     KeyShareEntry server_share;
/// } KeyShareServerHello;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShareServerHello<'a> {
    /// The share.
    pub server_share: KeyShareEntry<'a>,
}

impl<'a> Codec<'a> for KeyShareServerHello<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { server_share: Codec::read(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.server_share.write(w);
    }
}

impl<'a> Extension<'a> for KeyShareServerHello<'a> {
    const TYPE: ExtensionType = ExtensionType::KEY_SHARE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let share = KeyShareEntry { group: NamedGroup::X25519, key_exchange: &[7, 8] };
        let grease = KeyShareEntry { group: NamedGroup(0x2a2a), key_exchange: &[0] };
        let bytes = [0, 11, 0x2a, 0x2a, 0, 1, 0, 0, 0x1d, 0, 2, 7, 8];
        let read = KeyShareClientHello::from_bytes(&bytes).unwrap();
        assert!(read.client_shares.iter().eq([grease, share]));
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(KeyShareClientHello::from_bytes(&[0, 0]).unwrap().client_shares.first(), None);
        assert_eq!(KeyShareServerHello { server_share: share }.to_vec().unwrap(), bytes[7..]);
        assert_eq!(KeyShareServerHello::from_bytes(&bytes[7..]).unwrap().server_share, share);
        assert_eq!(KeyShareServerHello::from_bytes(&[0, 0x1d, 0, 0]), Err(DecodeError::EmptyVector));
        let retry = KeyShareHelloRetryRequest { selected_group: NamedGroup::SECP256R1 };
        assert_eq!(retry.to_vec().unwrap(), [0, 0x17]);
        assert_eq!(KeyShareHelloRetryRequest::from_bytes(&[0, 0x17]), Ok(retry));
    }
}
