//! The system's clocks.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Two clocks: one that only runs, and one that can be set.
pub trait TimeSource: Send + Sync + 'static {
    /// Microseconds since some fixed moment, including the time the machine was suspended. Never
    /// goes back.
    fn boot_us(&self) -> u64;

    /// Microseconds since the epoch, according to the machine's wall clock.
    fn wall_us(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemSource;

/// Includes suspension, which the monotonic clock of Linux does not: a sleep of an hour is over
/// when the lid is opened two hours later.
#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock is the one that includes suspension.
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

impl TimeSource for SystemSource {
    fn boot_us(&self) -> u64 {
        micros(clock_gettime(BOOT))
    }

    fn wall_us(&self) -> u64 {
        micros(clock_gettime(ClockId::Realtime))
    }
}

/// Converts to microseconds. A machine without a battery may show a time before the epoch, which
/// becomes 0.
fn micros(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_nsec / 1000).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}
