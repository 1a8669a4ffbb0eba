//! Random bits for ids, seeds and the spread of retries; not for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

thread_local! {
    /// State of this thread's generator, from the system's randomness.
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
}

/// The next 64 bits: splitmix64 (Steele, Lea and Flood, 2014).
pub fn next_u64() -> u64 {
    STATE.with(|state| {
        state.set(state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = state.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// The next 128 bits.
pub fn next_u128() -> u128 {
    u128::from(next_u64()) << 64 | u128::from(next_u64())
}
