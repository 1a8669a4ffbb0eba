//! Random bits for ids, seeds and the spread of retries.
//!
//! Clients see ids, and an id is the right to attach and to complete awakeables: what is drawn here
//! must not follow from what was drawn before. So it is ChaCha12, seeded by the system and again
//! from time to time.

use rand::RngExt as _;
use runtime_core::admission::Entropy;

/// Random bits from the system, for the machines.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn next_u64(&mut self) -> u64 {
        next_u64()
    }
}

/// The next 64 bits.
///
/// # Panics
/// When the system has no randomness to give.
pub fn next_u64() -> u64 {
    rand::rng().random()
}

/// As many bytes, for a secret.
///
/// # Panics
/// When the system has no randomness to give.
pub fn bytes<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

/// The next 128 bits.
///
/// # Panics
/// When the system has no randomness to give.
pub fn next_u128() -> u128 {
    rand::rng().random()
}
