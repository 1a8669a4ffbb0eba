//! How long intervals are, and what durations are as intervals.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, IntervalMonthDayNanoArray},
        compute::cast,
        datatypes::{DataType, Int64Type, IntervalMonthDayNano, TimeUnit},
    },
    common::{DataFusionError, Result},
};

use crate::error::SqlError;

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

/// Durations, which are the differences of times, as intervals. As in PostgreSQL, these have days.
///
/// # Errors
/// Returns an error if one has more days than an interval.
pub(crate) fn of_durations(durations: &ArrayRef) -> Result<ArrayRef> {
    let DataType::Duration(unit) = durations.data_type() else { return Ok(Arc::clone(durations)) };
    let counts = cast(durations, &DataType::Int64)?;
    let of_count = |count: i64| {
        let nanoseconds = i128::from(count) * unit_nanoseconds(*unit);
        let days = i32::try_from(nanoseconds / DAY_NANOSECONDS).ok()?;
        let rest = i64::try_from(nanoseconds % DAY_NANOSECONDS).ok()?;
        Some(IntervalMonthDayNano::new(0, days, rest))
    };
    let counts = counts.as_primitive::<Int64Type>().iter();
    let intervals = counts.map(|count| {
        let interval = count.map(|count| of_count(count).ok_or_else(out_of_range));
        interval.transpose()
    });
    let intervals: IntervalMonthDayNanoArray = intervals.collect::<Result<_>>()?;
    Ok(Arc::new(intervals))
}

/// An interval that has more months, days or microseconds than one can have.
pub(crate) fn out_of_range() -> DataFusionError {
    DataFusionError::External(Box::new(SqlError::new("22008", "interval out of range")))
}
