//! A small deterministic generator: the same seed gives the same numbers on every machine.

/// SplitMix64: every seed is a good one, and the state is one number. Worthless for secrets.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(scramble(seed))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        scramble(self.0)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the upper half of 128 bits")
    }

    /// An index into something with `len` elements; 0 if it has none.
    ///
    /// # Panics
    /// Never: it is less than a number that fits.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a number that fits")
    }

    /// A byte below `bound`.
    ///
    /// # Panics
    /// Never: it is less than a byte.
    pub fn byte(&mut self, bound: u8) -> u8 {
        u8::try_from(self.below(bound.into())).expect("below a byte")
    }

    /// Any bytes, at most so many.
    pub fn junk(&mut self, most: usize) -> Vec<u8> {
        let len = self.index(most + 1);
        (0..len).map(|_| self.next_u64().to_be_bytes()[0]).collect()
    }

    /// Perhaps changes a bit of `bytes`, or cuts something off.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        match self.below(4) {
            0 if !bytes.is_empty() => {
                let at = self.index(bytes.len());
                bytes[at] ^= 1 << self.below(8);
            }
            1 => bytes.truncate(self.index(bytes.len() + 1)),
            _ => {}
        }
    }

    /// Does that to a datagram, or appends something, but leaves most as they are.
    pub fn damage_datagram(&mut self, datagram: &mut Vec<u8>) {
        match self.below(6) {
            0 => self.damage(datagram),
            1 => datagram.extend(self.junk(30)),
            _ => {}
        }
    }

    /// True in a fraction `probability` (0 to 1) of the calls.
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what a double holds; drawn even when nothing can happen, so that switching
        // one condition on leaves the draws of the others where they were.
        let unit = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        unit < probability
    }
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A bijection on 64 bits in which every output bit depends on every input bit.
pub(crate) fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn a_seed_names_one_sequence() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            [rng.next_u64(), rng.next_u64(), rng.next_u64()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn damage_is_rare_and_of_every_kind() {
        let mut rng = Rng::new(1);
        let mut kinds = [0; 4];
        for _ in 0..10_000 {
            let mut datagram = vec![7; 40];
            rng.damage_datagram(&mut datagram);
            let kind = if datagram == [7; 40] { 0 } else { 2 + datagram.len().cmp(&40) as isize };
            kinds[usize::try_from(kind).expect("a small one")] += 1;
        }
        assert!(kinds[0] > 7_000 && kinds[1..].iter().all(|count| *count > 300), "{kinds:?}");
    }

    #[test]
    fn chances_come_out_as_asked() {
        let mut rng = Rng::new(1);
        let hits = (0..10_000).filter(|_| rng.chance(0.2)).count();
        assert!((1_800..2_200).contains(&hits), "{hits}");
        assert_eq!((0..1_000).filter(|_| rng.chance(0.0)).count(), 0);
        assert!((0..1_000).all(|_| rng.below(6) < 6));
    }
}
