//! Random bits for ids, seeds and the jitter of retries.
//!
//! Clients see ids, and knowing an id grants the right to attach and to complete awakeables, so no
//! output may be predictable from earlier ones. Therefore the generator is ChaCha12, seeded by the
//! system and reseeded from time to time.

use rand::RngExt as _;
use runtime_core::admission::Entropy;

/// Entropy for the state machines, from a generator that the system seeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn next_u64(&mut self) -> u64 {
        next_u64()
    }
}

/// Returns 64 random bits.
///
/// # Panics
/// Panics if the system provides no randomness.
pub fn next_u64() -> u64 {
    rand::rng().random()
}

/// Returns `N` random bytes, for a secret.
///
/// # Panics
/// Panics if the system provides no randomness.
pub fn bytes<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

/// Returns 128 random bits.
///
/// # Panics
/// Panics if the system provides no randomness.
pub fn next_u128() -> u128 {
    rand::rng().random()
}
