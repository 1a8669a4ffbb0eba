//! Times as people write them to PostgreSQL, and the engine does not know: without seconds, with an
//! hour of one digit, or as a word. And what is added to a time is an interval.

use chrono::{NaiveDate, TimeDelta, Utc};
use datafusion::{
    arrow::datatypes::{DataType, IntervalUnit, TimeUnit},
    common::{DataFusionError, Result, ScalarValue},
    functions::datetime::date_trunc,
    logical_expr::{Expr, cast, lit},
};

use super::clock::now;
use crate::error::SqlError;

/// What a text means as a time or a date; `None` if the engine knows, or nobody does.
///
/// # Errors
/// Returns an error if PostgreSQL knows, and nothing here can be it.
pub(super) fn meant(written: &str, ty: &DataType) -> Result<Option<Expr>> {
    let days_from_today = match &*written.trim().to_ascii_lowercase() {
        "now" => return Ok(Some(cast(now(), ty.clone()))),
        "epoch" => return Ok(Some(cast(lit("1970-01-01"), ty.clone()))),
        "infinity" | "-infinity" | "+infinity" => return Err(infinite(written)),
        "yesterday" => -1,
        "today" => 0,
        "tomorrow" => 1,
        _ => return Ok(written_as_time(written, ty)),
    };
    let today = date_trunc().call(vec![lit("day"), now()]);
    let day = today + lit(ScalarValue::new_interval_dt(days_from_today, 0));
    Ok(Some(cast(day, ty.clone())))
}

fn infinite(written: &str) -> DataFusionError {
    let error = SqlError::new("0A000", format!("the time \"{written}\" is not supported"));
    DataFusionError::External(Box::new(
        error.hint("leave the condition out, or compare with a time such as '9999-12-31'"),
    ))
}

/// A time that is written otherwise than the engine reads it, or more exactly than the times that it
/// is compared with.
fn written_as_time(written: &str, ty: &DataType) -> Option<Expr> {
    let complete = complete(written);
    let DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, zone) = ty else {
        return complete.map(lit);
    };
    let fraction = written.split_once('.').map_or("", |(_, behind)| behind);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 3 {
        return complete.map(lit);
    }
    let exact = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    Some(cast(lit(complete.unwrap_or_else(|| written.to_owned())), exact))
}

/// As what a date or a time of a column is computed with: an interval may have hours, and
/// microseconds. `None` if it is exact enough.
pub(super) fn exact(ty: &DataType) -> Option<DataType> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "no others are times")]
    match ty {
        DataType::Date32 => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, zone) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        _ => None,
    }
}

/// A time or a date that is sent as a text, written so that others can read it; `None` if they can.
pub(crate) fn written_out(text: &str, ty: &DataType) -> Option<String> {
    let now = Utc::now();
    let date = |days| Some(now.checked_add_signed(TimeDelta::days(days))?.date_naive());
    let day = match &*text.trim().to_ascii_lowercase() {
        "now" if *ty == DataType::Date32 => date(0)?,
        "now" => return Some(now.format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string()),
        "epoch" => NaiveDate::default(),
        "yesterday" => date(-1)?,
        "today" => date(0)?,
        "tomorrow" => date(1)?,
        _ => return complete(text),
    };
    Some(day.to_string())
}

/// `2026-1-28 4:50+01` with the digits and seconds that it lacks; `None` if it lacks none, or is no
/// time.
fn complete(written: &str) -> Option<String> {
    let written = written.trim();
    let split = |text: &'_ str, more: &[char]| {
        let is_part = |it: char| it.is_ascii_digit() || more.contains(&it);
        text.find(|it: char| !is_part(it)).unwrap_or(text.len())
    };
    let (date, rest) = written.split_at(split(written, &['-']));
    let date: Vec<_> = date.split('-').collect();
    let [year, month, day] = date[..] else { return None };
    let is_short = |part: &str| (1..=2).contains(&part.len());
    if year.len() != 4 || !is_short(month) || !is_short(day) {
        return None;
    }
    let date = format!("{year}-{month:0>2}-{day:0>2}");
    if rest.is_empty() {
        return (date != written).then_some(date);
    }
    let separator = rest.chars().next().filter(|it| matches!(it, ' ' | 'T' | 't'))?;
    let rest = rest[1..].trim_start();
    let (time, zone) = rest.split_at(split(rest, &[':', '.']));
    let parts: Vec<_> = time.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "00"),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let is_end = zone.is_empty() || zone.starts_with(['+', '-', 'Z', 'z', ' ']);
    if !is_short(hour) || minute.len() != 2 || second.len() < 2 || !is_end {
        return None;
    }
    let complete = format!("{date}{separator}{hour:0>2}:{minute}:{second}{zone}");
    (complete != written).then_some(complete)
}

/// What a text means that is added to a time, or taken away from it; `None` if it is no interval.
pub(super) fn interval(written: &str) -> Option<Expr> {
    // As in 2026-11-28.
    if written.as_bytes().get(4) == Some(&b'-') {
        return None;
    }
    of_words(written).ok().map(lit)
}

/// The interval that a text says.
///
/// # Errors
/// Returns an error if it says none.
pub(super) fn of_words(written: &str) -> Result<ScalarValue> {
    let interval = DataType::Interval(IntervalUnit::MonthDayNano);
    let words = in_words(written).unwrap_or_else(|| written.to_owned());
    ScalarValue::from(words).cast_to(&interval)
}

/// `1 day 02:03:04` as `1 day 2 hours 3 minutes 4 seconds`, which the engine reads; `None` if there is
/// no time of day.
pub(super) fn in_words(written: &str) -> Option<String> {
    if !written.contains(':') {
        return None;
    }
    let words = written.split_whitespace().map(|word| {
        let Some((hours, rest)) = word.split_once(':') else { return Some(word.to_owned()) };
        let (sign, hours) = match hours.strip_prefix('-') {
            Some(hours) => ("-", hours),
            None => ("", hours.trim_start_matches('+')),
        };
        let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
        let is_number =
            |part: &str| part.starts_with(|it: char| it.is_ascii_digit()) && !part.contains(':');
        [hours, minutes, seconds]
            .iter()
            .all(|part| is_number(part))
            .then(|| format!("{sign}{hours} hours {sign}{minutes} minutes {sign}{seconds} seconds"))
    });
    Some(words.collect::<Option<Vec<_>>>()?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_is_added() {
        for (written, expected) in [
            ("2026-11-28 04:50", Some("2026-11-28 04:50:00")),
            ("2026-11-28T04:50Z", Some("2026-11-28T04:50:00Z")),
            ("2026-11-28 04:50+01:00", Some("2026-11-28 04:50:00+01:00")),
            ("2026-11-28 8:00", Some("2026-11-28 08:00:00")),
            ("2026-1-5 8:00:01.5 UTC", Some("2026-01-05 08:00:01.5 UTC")),
            ("2026-1-5", Some("2026-01-05")),
            ("2026-11-28 04:50:01", None),
            ("2026-11-28", None),
            ("2026-11-28 04:5", None),
            ("2026-11-28 04:50é", None),
            ("26-11-28 04:50", None),
            ("2026-11-28 ", None),
            ("", None),
        ] {
            assert_eq!(complete(written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn a_time_of_day_is_part_of_an_interval() {
        for (written, expected) in [
            ("1 day 02:03:04.5", Some("1 day 02 hours 03 minutes 04.5 seconds")),
            ("-01:30", Some("-01 hours -30 minutes -0 seconds")),
            ("1 day", None),
            ("1 day 02:x", None),
            ("::", None),
        ] {
            assert_eq!(in_words(written).as_deref(), expected, "{written}");
        }
    }
}
