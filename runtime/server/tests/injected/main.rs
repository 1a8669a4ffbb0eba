//! The real binary under injected faults: kills, a full disk, clock changes, and disk errors. What
//! was acknowledged is still there afterwards, and timers keep their time.
//!
//! Small by default. `cargo xtask faults` runs the same at full size.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a run says what it does")]

mod awakeables;
mod clock;
mod disk;
mod eio;
mod load;
mod rig;
mod services;

use std::str::FromStr;
use std::time::Instant;

use anyhow::Result;

/// A size set by `cargo xtask faults`, or the default.
fn size<T: FromStr>(name: &str, default: T) -> T {
    let given = std::env::var(format!("FAULTS_{name}")).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs one test to its end and reports the outcome.
async fn report(name: &str, run: impl Future<Output = Result<String>>) {
    let started = Instant::now();
    let outcome = run.await;
    let seconds = started.elapsed().as_secs_f64();
    match outcome {
        Ok(done) => println!("{name}: {done}; {seconds:.1} s"),
        Err(error) => panic!("{name} after {seconds:.1} s: {error:?}"),
    }
}
