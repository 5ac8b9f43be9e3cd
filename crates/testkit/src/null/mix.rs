//! The one mixing function under everything fake: bytes in, as many 64-bit words out as wanted.

use crate::rng::scramble;

/// Absorbs bytes; how they are cut into calls makes no difference, their order does.
#[derive(Debug, Clone)]
pub(super) struct Mixer {
    lanes: [u64; 2],
    pending: u64,
    absorbed: u64,
}

impl Mixer {
    pub(super) fn new(domain: u64) -> Self {
        Self { lanes: [scramble(domain), scramble(!domain)], pending: 0, absorbed: 0 }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        if self.absorbed.is_multiple_of(8) {
            let (words, rest) = bytes.as_chunks::<8>();
            for word in words {
                self.word(u64::from_be_bytes(*word));
            }
            self.absorbed += (bytes.len() - rest.len()) as u64;
            bytes = rest;
        }
        for byte in bytes {
            self.pending = self.pending << 8 | u64::from(*byte);
            self.absorbed += 1;
            if self.absorbed.is_multiple_of(8) {
                let word = std::mem::take(&mut self.pending);
                self.word(word);
            }
        }
    }

    /// As [`Self::update`], and marks where the part ends: two parts never look like one.
    pub(super) fn part(&mut self, bytes: &[u8]) {
        self.update(bytes);
        self.update(&(bytes.len() as u64).to_be_bytes());
    }

    /// Word `index` of the endless output that belongs to what was absorbed so far.
    pub(super) fn output(&self, index: u64) -> u64 {
        let mut end = self.clone();
        end.word(self.pending);
        end.word(self.absorbed);
        end.word(index);
        scramble(end.lanes[0] ^ end.lanes[1].rotate_left(17))
    }

    /// Fills `out` with the output from its beginning.
    pub(super) fn fill(&self, out: &mut [u8]) {
        for (chunk, index) in out.chunks_mut(8).zip(0..) {
            let word = self.output(index).to_be_bytes();
            for (to, from) in chunk.iter_mut().zip(word) {
                *to = from;
            }
        }
    }

    fn word(&mut self, word: u64) {
        let [a, b] = self.lanes;
        self.lanes = [scramble(a ^ word), b.wrapping_mul(0x2545_F491_4F6C_DD1D).rotate_left(23) ^ a ^ word];
    }
}

#[cfg(test)]
mod tests {
    use super::Mixer;

    fn digest(parts: &[&[u8]]) -> [u8; 48] {
        let mut mixer = Mixer::new(1);
        for part in parts {
            mixer.update(part);
        }
        let mut out = [0; 48];
        mixer.fill(&mut out);
        out
    }

    #[test]
    fn cuts_make_no_difference_and_bytes_do() {
        let whole = digest(&[b"the quick brown fox jumps over"]);
        assert_eq!(whole, digest(&[b"the", b" quick brown fo", b"", b"x jumps over"]));
        assert_ne!(whole, digest(&[b"the quick brown fox jumps oveR"]));
        assert_ne!(digest(&[b"ab"]), digest(&[b"ba"]));
        assert_ne!(digest(&[b""]), digest(&[b"\0"]));
        assert_ne!(digest(&[b"12345678abcdefgh"]), digest(&[b"abcdefgh12345678"]));
    }
}
