//! A small seeded generator, so that keys and values are the same in every run.

/// SplitMix64: one multiplication chain per number, far below the cost of a request.
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator that starts at the given seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator whose sequence depends on a text alone.
    pub fn seeded_by(text: &str) -> Self {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self::new(text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv))
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
