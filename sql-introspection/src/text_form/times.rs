//! Dates, times and intervals.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use datafusion::arrow::{
    array::{ArrayRef, AsArray},
    datatypes::{ArrowTimestampType, Date32Type, IntervalMonthDayNano, Time64NanosecondType},
    temporal_conversions::{as_date, as_datetime, as_time},
};

use super::{Writer, push};
use crate::error::SqlError;

/// Points in time; all zones are UTC.
pub(super) fn timestamps<T: ArrowTimestampType>(values: &ArrayRef, has_zone: bool) -> Writer {
    let values = values.as_primitive::<T>().clone();
    Box::new(move |row, out| {
        let time = as_datetime::<T>(values.value(row)).ok_or_else(|| beyond("timestamp"))?;
        push_date(time.date(), out);
        out.push(' ');
        push_time(time.time(), out);
        if has_zone {
            out.push_str("+00");
        }
        push_era(time.date(), out);
        Ok(())
    })
}

pub(super) fn date(days: i32, out: &mut String) -> Result<(), SqlError> {
    let date = as_date::<Date32Type>(days.into()).ok_or_else(|| beyond("date"))?;
    push_date(date, out);
    push_era(date, out);
    Ok(())
}

pub(super) fn time_of_day(nanoseconds: i64, out: &mut String) -> Result<(), SqlError> {
    let time = as_time::<Time64NanosecondType>(nanoseconds).ok_or_else(|| beyond("time"))?;
    push_time(time, out);
    Ok(())
}

fn beyond(what: &str) -> SqlError {
    SqlError::new("22008", format!("{what} out of range"))
}

/// There is no year zero.
fn push_date(date: NaiveDate, out: &mut String) {
    let year = if date.year() > 0 { date.year() } else { 1 - date.year() };
    push(out, format_args!("{year:04}-{:02}-{:02}", date.month(), date.day()));
}

fn push_era(date: NaiveDate, out: &mut String) {
    if date.year() <= 0 {
        out.push_str(" BC");
    }
}

fn push_time(time: NaiveTime, out: &mut String) {
    push(out, format_args!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()));
    push_fraction(time.nanosecond() / 1000, out);
}

/// What a second has besides, without zeros at its end.
fn push_fraction(microseconds: u32, out: &mut String) {
    if microseconds != 0 {
        out.push_str(format!(".{microseconds:06}").trim_end_matches('0'));
    }
}

/// What is positive behind something negative says so.
pub(super) fn interval(of: IntervalMonthDayNano, out: &mut String) -> Result<(), SqlError> {
    let start = out.len();
    let mut is_after_negative = false;
    for (count, unit) in [(of.months / 12, "year"), (of.months % 12, "mon"), (of.days, "day")] {
        if count == 0 {
            continue;
        }
        let space = if out.len() > start { " " } else { "" };
        let sign = if is_after_negative && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        push(out, format_args!("{space}{sign}{count} {unit}{plural}"));
        is_after_negative = count < 0;
    }
    let microseconds = of.nanoseconds / 1000;
    if microseconds == 0 && out.len() > start {
        return Ok(());
    }
    if out.len() > start {
        out.push(' ');
    }
    if microseconds < 0 {
        out.push('-');
    } else if is_after_negative {
        out.push('+');
    }
    let (seconds, rest) = (microseconds.unsigned_abs() / 1_000_000, microseconds % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    push(out, format_args!("{hours:02}:{minutes:02}:{:02}", seconds % 60));
    // It is less than a million.
    push_fraction(u32::try_from(rest.unsigned_abs()).unwrap_or_default(), out);
    Ok(())
}
