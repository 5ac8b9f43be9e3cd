//! psk_key_exchange_modes.

use super::Extension;
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::registry::{ExtensionType, PskKeyExchangeMode};

/// How the client would use a PSK (RFC 9846 §4.3.9).
///
/// ```text
/// struct {
///     PskKeyExchangeMode ke_modes<1..255>;
/// } PskKeyExchangeModes;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PskKeyExchangeModes<'a> {
    /// The sender's favourite first.
    pub modes: List<'a, PskKeyExchangeMode>,
}

impl<'a> Codec<'a> for PskKeyExchangeModes<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { modes: List::read8(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.modes.write8(w);
    }
}

impl<'a> Extension<'a> for PskKeyExchangeModes<'a> {
    const TYPE: ExtensionType = ExtensionType::PSK_KEY_EXCHANGE_MODES;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [2, 1, 0x0b];
        let read = PskKeyExchangeModes::from_bytes(&bytes).unwrap();
        assert!(read.modes.iter().eq([PskKeyExchangeMode::PSK_DHE_KE, PskKeyExchangeMode(0x0b)]));
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(PskKeyExchangeModes::from_bytes(&[0]), Err(DecodeError::EmptyVector));
    }
}
