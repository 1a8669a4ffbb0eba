//! The system's clocks.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Two clocks: one that only runs, and one that people set.
pub trait TimeSource: Send + Sync + 'static {
    /// Microseconds since some moment, suspension of the machine included. Never goes back.
    fn boot_us(&self) -> u64;

    /// Microseconds since the epoch, as the machine has it.
    fn wall_us(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemSource;

/// Counts suspension, which the monotonic clock of Linux does not: a sleep of an hour is over when
/// the lid is opened two hours later.
#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
/// Counts suspension where there is no other.
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

/// A machine without a battery may think that it is before the epoch.
fn micros(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_nsec / 1000).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}
