//! early_data.

use super::Extension;
use super::empty::empty_extension;
use crate::codec::{Codec, DecodeError, Reader, Writer};
use crate::registry::ExtensionType;

empty_extension! {
    /// The client sends early data; the server takes it (RFC 9846 §4.3.10).
    EarlyData = EARLY_DATA
}

/// In a NewSessionTicket: early data may be sent with it (RFC 9846 §4.3.10).
///
/// ```text
/// uint32 max_early_data_size;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyDataNewSessionTicket {
    /// How much, in bytes.
    pub max_early_data_size: u32,
}

impl<'a> Codec<'a> for EarlyDataNewSessionTicket {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { max_early_data_size: r.u32()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.max_early_data_size);
    }
}

impl<'a> Extension<'a> for EarlyDataNewSessionTicket {
    const TYPE: ExtensionType = ExtensionType::EARLY_DATA;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        assert_eq!(EarlyData.to_vec().unwrap(), []);
        let ticket = EarlyDataNewSessionTicket { max_early_data_size: 0x0102 };
        assert_eq!(ticket.to_vec().unwrap(), [0, 0, 1, 2]);
        assert_eq!(EarlyDataNewSessionTicket::from_bytes(&[0, 0, 1, 2]), Ok(ticket));
    }
}
