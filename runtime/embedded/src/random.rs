//! The only source of randomness.

use runtime_core::admission::Entropy;

/// A pseudorandom number generator.
#[derive(Debug, Clone)]
pub struct Random(runtime_seeded::Random);

impl Random {
    /// A generator that starts from this seed.
    pub fn new(seed: u64) -> Self {
        Self(runtime_seeded::Random::new(seed))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// An index into something with `len` elements.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True with a probability of `thousandths` in 1000.
    pub fn chance(&mut self, thousandths: u64) -> bool {
        self.below(1000) < thousandths
    }
}

impl Entropy for Random {
    fn next_u64(&mut self) -> u64 {
        self.bits()
    }
}
