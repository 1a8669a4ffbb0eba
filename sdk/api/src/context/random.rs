//! Randomness that is the same on every replay.

use uuid::Uuid;

use super::Context;

impl Context {
    /// A number that is the same on every replay. Not for secrets.
    #[track_caller]
    pub fn random_u64(&self) -> u64 {
        self.attempt.check_outside_run();
        self.attempt.lock().random.next_u64()
    }

    /// A number from 0 up to, and without, 1.
    #[track_caller]
    pub fn random_f64(&self) -> f64 {
        self.attempt.check_outside_run();
        self.attempt.lock().random.next_f64()
    }

    /// A random (version 4) UUID that is the same on every replay: made for idempotency tokens.
    #[track_caller]
    pub fn uuid(&self) -> Uuid {
        self.attempt.check_outside_run();
        let mut state = self.attempt.lock();
        let (high, low) = (state.random.next_u64(), state.random.next_u64());
        let bits = (u128::from(high) << 64) | u128::from(low);
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// The seed of this invocation's random numbers, for a generator of your own.
    pub fn random_seed(&self) -> u64 {
        self.attempt.facts.random_seed
    }
}
