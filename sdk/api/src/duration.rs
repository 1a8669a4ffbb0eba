//! Readable durations: `30.minutes()`.

use std::time::Duration;

/// Durations from integers. A value that is too large saturates.
///
/// ```
/// use abide_sdk::DurationExt;
/// assert_eq!(2.minutes(), std::time::Duration::from_secs(120));
/// ```
pub trait DurationExt {
    /// A duration of this many milliseconds.
    fn ms(self) -> Duration;
    /// A duration of this many seconds.
    fn seconds(self) -> Duration;
    /// A duration of this many minutes.
    fn minutes(self) -> Duration;
    /// A duration of this many hours.
    fn hours(self) -> Duration;
    /// A duration of this many days of 24 hours each.
    fn days(self) -> Duration;
}

impl DurationExt for u64 {
    fn ms(self) -> Duration {
        Duration::from_millis(self)
    }

    fn seconds(self) -> Duration {
        Duration::from_secs(self)
    }

    fn minutes(self) -> Duration {
        Duration::from_secs(self.saturating_mul(60))
    }

    fn hours(self) -> Duration {
        Duration::from_secs(self.saturating_mul(3600))
    }

    fn days(self) -> Duration {
        Duration::from_secs(self.saturating_mul(86_400))
    }
}

/// Whole milliseconds, the unit of the protocol; saturates at `u64::MAX`.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
