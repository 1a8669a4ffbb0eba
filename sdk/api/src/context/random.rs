//! Randomness that is the same on every replay.

use uuid::Uuid;

use super::Context;

impl Context {
    /// A random number that is the same on every replay. Not suitable for secrets.
    #[track_caller]
    pub fn random_u64(&self) -> u64 {
        self.attempt.check_outside_run();
        self.attempt.lock().random.next_u64()
    }

    /// A random number from 0 (inclusive) to 1 (exclusive) that is the same on every replay.
    #[track_caller]
    pub fn random_f64(&self) -> f64 {
        self.attempt.check_outside_run();
        self.attempt.lock().random.next_f64()
    }

    /// A random (version 4) UUID that is the same on every replay, such as for an idempotency
    /// token.
    #[track_caller]
    pub fn uuid(&self) -> Uuid {
        self.attempt.check_outside_run();
        let mut state = self.attempt.lock();
        let (high, low) = (state.random.next_u64(), state.random.next_u64());
        let bits = (u128::from(high) << 64) | u128::from(low);
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// The seed of this invocation's random numbers, for use with another generator.
    pub fn random_seed(&self) -> u64 {
        self.attempt.facts.random_seed
    }
}
