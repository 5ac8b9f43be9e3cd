//! How much longer than their content records are made.

/// What is added to payloads so that the length of a record tells less about them (RFC 9846 §5.4).
/// Records of 1.2 have padding only if they carry a connection id (RFC 9146 §4).
///
/// No record becomes larger by it than the peer takes ([RFC 8449](https://www.rfc-editor.org/rfc/rfc8449))
/// or a datagram has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Padding {
    /// Nothing: a record has 22 bytes more than its payload (14 with an 8-byte tag).
    #[default]
    None,
    /// Zeros up to the next multiple of so many bytes: with `Block(64)` payloads of 1 to 64 bytes all make
    /// records of 86 bytes. `Block(0)` and `Block(1)` add nothing.
    Block(u16),
    /// Zeros up to the largest payload: every record has the same length, as a rule that of the largest
    /// datagram.
    Full,
}

impl Padding {
    /// Bytes to add to content of `len` bytes where content may have `max`.
    pub(crate) fn of(self, len: usize, max: usize) -> usize {
        let wanted = match self {
            Self::None => len,
            Self::Block(0) => len,
            Self::Block(block) => len.max(1).next_multiple_of(usize::from(block)),
            Self::Full => max,
        };
        wanted.min(max).saturating_sub(len)
    }
}

#[cfg(test)]
mod tests {
    use super::Padding;

    #[test] // RFC 9846 §5.4
    fn padding_fills_a_block_or_a_record_and_no_more() {
        for (padding, len, expected) in [
            (Padding::None, 5, 0),
            (Padding::Block(0), 5, 0),
            (Padding::Block(1), 5, 0),
            (Padding::Block(64), 0, 64),
            (Padding::Block(64), 1, 63),
            (Padding::Block(64), 64, 0),
            (Padding::Block(64), 65, 35),
            (Padding::Full, 0, 100),
            (Padding::Full, 100, 0),
            (Padding::Full, 101, 0),
        ] {
            assert_eq!(padding.of(len, 100), expected, "{padding:?} {len}");
        }
    }
}
