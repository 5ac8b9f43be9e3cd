//! Numbers and strings out of arbitrary bytes, and the other way round for seeds.

/// What a fuzzer came up with, read from the front. Behind the end everything is 0 or empty.
#[derive(Debug, Clone)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Two bytes, big endian.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A string with its length before it, in two bytes; all that is left if that is less.
    pub fn string(&mut self) -> &'a [u8] {
        let len = usize::from(self.word()).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Writes what an [`Input`] reads.
#[derive(Debug, Clone, Default)]
pub struct Output(Vec<u8>);

impl Output {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// One byte.
    #[must_use]
    pub fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// Two bytes.
    #[must_use]
    pub fn word(mut self, word: u16) -> Self {
        self.0.extend(word.to_be_bytes());
        self
    }

    /// A string with its length.
    ///
    /// # Panics
    /// If it is longer than 65,535 bytes.
    #[must_use]
    pub fn string(self, string: &[u8]) -> Self {
        self.word(u16::try_from(string.len()).expect("a short string")).rest(string)
    }

    /// Bytes without a length.
    #[must_use]
    pub fn rest(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
