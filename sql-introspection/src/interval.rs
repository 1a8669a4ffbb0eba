//! How long intervals are.

use datafusion::arrow::datatypes::{IntervalMonthDayNano, TimeUnit};

pub(crate) const DAY_NANOSECONDS: i128 = 24 * 60 * 60 * 1_000_000_000;

/// The length of an interval in nanoseconds. As in PostgreSQL, a month has thirty days and a day has
/// twenty-four hours.
pub(crate) fn nanoseconds(interval: IntervalMonthDayNano) -> i128 {
    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
    days * DAY_NANOSECONDS + i128::from(interval.nanoseconds)
}

/// The length of a unit in nanoseconds.
pub(crate) fn unit_nanoseconds(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}
