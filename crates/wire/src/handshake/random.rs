//! The random of a hello, and the values in it that mean something.

use core::fmt;

use crate::codec::{Codec, DecodeError, Reader, Writer};

/// Last eight bytes of a ServerHello random when a server that speaks 1.3 chose 1.2 (RFC 9846 §4.2.3).
pub const DOWNGRADE_TLS12: [u8; 8] = *b"DOWNGRD\x01";

/// Last eight bytes of a ServerHello random when a server that speaks 1.2 or 1.3 chose something older
/// (RFC 9846 §4.2.3).
pub const DOWNGRADE_TLS11: [u8; 8] = *b"DOWNGRD\x00";

/// 32 bytes of a hello message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Random(pub [u8; 32]);

impl Random {
    /// Size in bytes.
    pub const LEN: usize = 32;

    /// The random that makes a ServerHello a HelloRetryRequest: SHA-256 of that name (RFC 9846 §4.2.3).
    pub const HELLO_RETRY_REQUEST: Self = Self([
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
        0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ]);

    /// The last eight bytes, where the downgrade sentinels are.
    pub fn tail(&self) -> [u8; 8] {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        [a, b, c, d, e, f, g, h]
    }

    /// Puts a sentinel into the last eight bytes.
    pub fn set_tail(&mut self, tail: [u8; 8]) {
        if let Some(place) = self.0.last_chunk_mut() {
            *place = tail;
        }
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

impl<'a> Codec<'a> for Random {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test] // RFC 9846 §4.2.3
    fn the_sentinel_is_in_the_last_bytes() {
        let mut random = Random([7; 32]);
        random.set_tail(DOWNGRADE_TLS12);
        assert_eq!(random.0[24..], [0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 0x01]);
        assert_eq!(random.0[..24], [7; 24]);
        assert_eq!(random.tail(), DOWNGRADE_TLS12);
        assert_ne!(DOWNGRADE_TLS12, DOWNGRADE_TLS11);
    }
}
