//! Durations as one says them: `30.minutes()`.

use std::time::Duration;

/// Durations from numbers.
///
/// ```
/// use abide_sdk::DurationExt;
/// assert_eq!(2.minutes(), std::time::Duration::from_secs(120));
/// ```
pub trait DurationExt {
    /// Milliseconds.
    fn ms(self) -> Duration;
    /// Seconds.
    fn seconds(self) -> Duration;
    /// Minutes.
    fn minutes(self) -> Duration;
    /// Hours.
    fn hours(self) -> Duration;
    /// Days of 24 hours.
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

/// Whole milliseconds, as the protocol counts; a duration beyond them is as long as it can say.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
