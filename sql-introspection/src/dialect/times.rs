//! Times as people write them to PostgreSQL, and the engine does not know: without seconds, or as a
//! word. And what is added to a time is an interval.

use chrono::{NaiveDate, TimeDelta, Utc};
use datafusion::{
    arrow::datatypes::{DataType, IntervalUnit},
    common::ScalarValue,
    functions::{datetime::date_trunc, expr_fn::now},
    logical_expr::{Expr, cast, lit},
};

/// What a text means as a time or a date; `None` if the engine knows, or nobody does.
pub(super) fn meant(written: &str, ty: &DataType) -> Option<Expr> {
    let days_from_today = match &*written.trim().to_ascii_lowercase() {
        "now" => return Some(cast(now(), ty.clone())),
        "epoch" => return Some(cast(lit("1970-01-01"), ty.clone())),
        "yesterday" => -1,
        "today" => 0,
        "tomorrow" => 1,
        _ => return with_seconds(written).map(lit),
    };
    let today = date_trunc().call(vec![lit("day"), now()]);
    Some(cast(today + lit(ScalarValue::new_interval_dt(days_from_today, 0)), ty.clone()))
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
        _ => return with_seconds(text),
    };
    Some(day.to_string())
}

/// `2026-11-28 04:50+01` with the seconds that it lacks.
fn with_seconds(written: &str) -> Option<String> {
    let written = written.trim();
    let shape = |it: u8| if it.is_ascii_digit() { b'0' } else { it };
    let start: Vec<u8> = written.bytes().take(MINUTES.len()).map(shape).collect();
    let is_short = start == MINUTES || start == MINUTES_OF_ISO;
    let zone = written.get(MINUTES.len()..)?;
    let is_end = zone.is_empty() || zone.starts_with(['+', '-', 'Z', 'z', ' ']);
    (is_short && is_end).then(|| format!("{}:00{zone}", &written[..MINUTES.len()]))
}

const MINUTES: &[u8] = b"0000-00-00 00:00";
const MINUTES_OF_ISO: &[u8] = b"0000-00-00T00:00";

/// What a text means that is added to a time, or taken away from it; `None` if it is no interval.
pub(super) fn interval(written: &str) -> Option<Expr> {
    // As in 2026-11-28.
    if written.as_bytes().get(4) == Some(&b'-') {
        return None;
    }
    let interval = DataType::Interval(IntervalUnit::MonthDayNano);
    ScalarValue::from(written).cast_to(&interval).ok().map(lit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_added_where_they_lack() {
        for (written, expected) in [
            ("2026-11-28 04:50", Some("2026-11-28 04:50:00")),
            ("2026-11-28T04:50Z", Some("2026-11-28T04:50:00Z")),
            ("2026-11-28 04:50+01:00", Some("2026-11-28 04:50:00+01:00")),
            ("2026-11-28 04:50:01", None),
            ("2026-11-28", None),
            ("2026-11-28 04:5", None),
            ("2026-11-28 04:50é", None),
            ("", None),
        ] {
            assert_eq!(with_seconds(written).as_deref(), expected, "{written}");
        }
    }
}
