//! Lengths of time as psql shows them: `1 day 02:00:00`.

use std::fmt::Write;
use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray},
    datatypes::{
        ArrowPrimitiveType, DataType, DurationMicrosecondType, DurationMillisecondType,
        DurationNanosecondType, DurationSecondType, IntervalDayTimeType, IntervalMonthDayNanoType,
        IntervalUnit, IntervalYearMonthType, TimeUnit,
    },
};

const DAY_NS: i128 = 24 * 3600 * 1_000_000_000;

/// A length of time. Its parts don't add up to a number: months and days have no fixed length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Length {
    months: i64,
    days: i64,
    nanoseconds: i128,
}

/// The column with lengths of time as text, or as it is if it has none.
pub(super) fn as_text(column: &ArrayRef) -> ArrayRef {
    fn texts<T: ArrowPrimitiveType>(
        column: &ArrayRef,
        length: impl Fn(T::Native) -> Length,
    ) -> ArrayRef {
        let values = column.as_primitive::<T>();
        let texts = values.iter().map(|value| Some(length(value?).text()));
        Arc::new(texts.collect::<StringArray>())
    }
    // What is a number of seconds there has days in psql, as the difference of two times.
    let of = |unit_ns: i128| {
        move |value: i64| {
            let nanoseconds = i128::from(value) * unit_ns;
            let days = i64::try_from(nanoseconds / DAY_NS).unwrap_or_default();
            Length { months: 0, days, nanoseconds: nanoseconds % DAY_NS }
        }
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is a length of time")]
    match column.data_type() {
        DataType::Duration(TimeUnit::Second) => {
            texts::<DurationSecondType>(column, of(1_000_000_000))
        }
        DataType::Duration(TimeUnit::Millisecond) => {
            texts::<DurationMillisecondType>(column, of(1_000_000))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            texts::<DurationMicrosecondType>(column, of(1000))
        }
        DataType::Duration(TimeUnit::Nanosecond) => texts::<DurationNanosecondType>(column, of(1)),
        DataType::Interval(IntervalUnit::YearMonth) => {
            texts::<IntervalYearMonthType>(column, |months| Length {
                months: months.into(),
                ..Length::default()
            })
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            texts::<IntervalDayTimeType>(column, |value| Length {
                days: value.days.into(),
                nanoseconds: i128::from(value.milliseconds) * 1_000_000,
                ..Length::default()
            })
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            texts::<IntervalMonthDayNanoType>(column, |value| Length {
                months: value.months.into(),
                days: value.days.into(),
                nanoseconds: value.nanoseconds.into(),
            })
        }
        _ => Arc::clone(column),
    }
}

impl Length {
    /// In PostgreSQL's usual style. A part has a plus if the one before it is negative.
    fn text(self) -> String {
        let mut text = String::new();
        let mut is_after_negative = false;
        let parts = [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")];
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count != 0) {
            let space = if text.is_empty() { "" } else { " " };
            let plus = if is_after_negative && count > 0 { "+" } else { "" };
            let plural = if count == 1 { "" } else { "s" };
            // Writing to a string can't fail.
            _ = write!(text, "{space}{plus}{count} {unit}{plural}");
            is_after_negative = count < 0;
        }
        let microseconds = self.nanoseconds / 1000;
        if microseconds == 0 && !text.is_empty() {
            return text;
        }
        let space = if text.is_empty() { "" } else { " " };
        let sign = match (microseconds < 0, is_after_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let (seconds, fraction) =
            (microseconds.unsigned_abs() / 1_000_000, microseconds.unsigned_abs() % 1_000_000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        _ = write!(text, "{space}{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60);
        if fraction > 0 {
            text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{DurationMillisecondArray, IntervalMonthDayNanoArray},
        datatypes::IntervalMonthDayNano,
    };

    use super::*;

    fn shown(column: impl Array + 'static) -> Vec<Option<String>> {
        let texts = as_text(&(Arc::new(column) as ArrayRef));
        texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn durations_are_hours_minutes_and_seconds() {
        let durations = [Some(86_400_000), Some(1500), Some(0), Some(-90_061_001), None];
        let expected = [
            Some("1 day"),
            Some("00:00:01.5"),
            Some("00:00:00"),
            Some("-1 days -01:01:01.001"),
            None,
        ];
        let expected = expected.map(|text| text.map(str::to_owned));
        assert_eq!(shown(DurationMillisecondArray::from(durations.to_vec())), expected);
    }

    #[test]
    fn intervals_are_as_psql_shows_them() {
        let second = 1_000_000_000;
        let of = |months, days, nanoseconds| IntervalMonthDayNano { months, days, nanoseconds };
        for (interval, expected) in [
            (of(0, 1, 7200 * second), "1 day 02:00:00"),
            (of(14, 2, 0), "1 year 2 mons 2 days"),
            (of(1, 0, 0), "1 mon"),
            (of(-1, 2, -second), "-1 mons +2 days -00:00:01"),
            (of(0, -1, 7200 * second), "-1 days +02:00:00"),
            (of(-14, 0, 0), "-1 years -2 mons"),
            (of(0, 0, 100 * 3600 * second), "100:00:00"),
            (of(0, 0, second / 1000), "00:00:00.001"),
            (of(0, 0, 0), "00:00:00"),
        ] {
            let shown = shown(IntervalMonthDayNanoArray::from(vec![interval]));
            assert_eq!(shown, [Some(expected.to_owned())], "{interval:?}");
        }
    }
}
