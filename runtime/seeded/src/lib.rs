//! Seeded random numbers for simulations, tests and benchmarks: splitmix64 (Steele, Lea and Flood,
//! 2014). A single output reveals the entire state, so never use it for anything that has to be
//! unguessable.

/// The sequence of a seed. Identical on every machine, forever: seeds that found a bug are kept.
#[derive(Debug, Clone, Default)]
pub struct Random(u64);

impl Random {
    /// Starts the sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number less than `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }

    /// `len` random bytes, for payloads that can be told apart.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = (0..len.div_ceil(8)).flat_map(|_| self.next_u64().to_le_bytes());
        words.take(len).collect()
    }
}

/// [`Random::below`] as a function, for code that makes a choice out of a given number of options.
pub fn chooser(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut random = Random::new(seed);
    move |bound| random.below(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden: the published values for this seed.
    #[test]
    fn it_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
        assert_eq!(Random::new(1_234_567).below(1000), 317);
        assert_eq!((chooser(1_234_567)(1000), random.below(0)), (317, 0));
    }
}
