//! Bytes as hexadecimal digits.

/// Lower-case digits, two for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that `text` says, in digits of either case; `None` if there is anything else in it, or half a byte.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    // `from_str_radix` would take a sign for a digit.
    let is_pair = |pair: &[u8]| pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
    let byte = |pair: &[u8]| {
        let digits = std::str::from_utf8(pair).ok().filter(|_| is_pair(pair))?;
        u8::from_str_radix(digits, 16).ok()
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_alone_are_bytes() {
        assert_eq!(decode("00fFa5"), Some(vec![0, 255, 165]));
        assert_eq!(decode(&encode(&[0, 1, 254])), Some(vec![0, 1, 254]));
        assert_eq!(decode(""), Some(Vec::new()));
        for wrong in ["+f", "00+f", "-0", " 1", "0", "000", "0x", "g0", "\u{e9}", "0\u{e9}0"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
