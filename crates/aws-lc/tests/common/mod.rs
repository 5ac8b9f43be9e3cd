//! What the tests of this crate share.

/// The bytes that `text`, hexadecimal digits and white space, stands for.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits make a byte")).collect()
}
