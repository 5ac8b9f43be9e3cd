//! Just enough DER to see what kind of private key a file holds.
//!
//! The library parses and checks the keys; this module only picks which of its parsers to call, so
//! that a key of another kind is told from a damaged one.

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// The optional parameters of a SEC1 key.
const PARAMETERS: u8 = 0xA0;

/// Content of the `AlgorithmIdentifier` of a PKCS#8 key (RFC 5958 §2).
pub(crate) fn pkcs8_algorithm(key: &[u8]) -> Option<&[u8]> {
    let (key, _) = element(SEQUENCE, key)?;
    let (_version, key) = element(INTEGER, key)?;
    let (algorithm, _) = element(SEQUENCE, key)?;
    Some(algorithm)
}

/// Bytes in the number that is a SEC1 private key, and the encoded name of its curve where the key
/// gives it (RFC 5915 §3).
pub(crate) fn sec1_curve(key: &[u8]) -> Option<(usize, Option<&[u8]>)> {
    let (key, _) = element(SEQUENCE, key)?;
    let (_version, key) = element(INTEGER, key)?;
    let (number, rest) = element(OCTET_STRING, key)?;
    Some((number.len(), element(PARAMETERS, rest).map(|(name, _)| name)))
}

/// Splits the element at the front of `input`, which must be a `tag`, into its content and the rest.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, len], mut rest) = input.split_first_chunk()?;
    let len = if len < 0x80 {
        usize::from(len)
    } else {
        // No private key is longer than a 16-bit length can say.
        let (digits, after) = rest.split_at_checked(usize::from(len & 0x7F))?;
        rest = after;
        match digits {
            [low] => usize::from(*low),
            [high, low] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => return None,
        }
    };
    let (content, rest) = rest.split_at_checked(len)?;
    (found == tag).then_some((content, rest))
}

#[cfg(test)]
mod tests {
    use super::{element, pkcs8_algorithm, sec1_curve};

    #[test]
    fn lengths_in_short_and_long_form() {
        assert_eq!(element(0x04, &[0x04, 1, 7, 8]), Some((&[7][..], &[8][..])));
        let long = [&[0x04, 0x81, 0x80][..], &[9; 128]].concat();
        assert_eq!(element(0x04, &long), Some((&[9; 128][..], &[][..])));
        let longer = [&[0x04, 0x82, 0x01, 0x00][..], &[9; 257]].concat();
        assert_eq!(element(0x04, &longer), Some((&[9; 256][..], &[9][..])));
    }

    #[test]
    fn damaged_input_is_nothing() {
        for input in [&[][..], &[0x30], &[0x30, 5, 2], &[0x30, 0x85, 0, 0], &[0x30, 0x80, 0, 0], &[0x04, 0]] {
            assert_eq!(pkcs8_algorithm(input), None);
            assert_eq!(sec1_curve(input), None);
        }
    }
}
