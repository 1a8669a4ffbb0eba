//! Times in settings, as PostgreSQL reads and shows them.

use std::time::Duration;

use crate::error::SqlError;

/// The units, the largest first, in microseconds.
const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", MILLISECOND),
    ("us", 1),
];

/// The unit of a number without one.
const MILLISECOND: u64 = 1000;

/// PostgreSQL keeps milliseconds in 31 bits.
const MILLISECONDS_MAX: f64 = 2_147_483_647.0;

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    NoTime,
    OutOfRange,
}

impl Refused {
    /// The error that says so of the value of a setting.
    pub(super) fn of(self, name: &str, value: &str) -> SqlError {
        match self {
            Self::NoTime => SqlError::new(
                "22023",
                format!("invalid value for parameter \"{name}\": \"{value}\""),
            )
            .hint(
                "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".",
            ),
            Self::OutOfRange => SqlError::new(
                "22023",
                format!(
                    "{value} is outside the valid range for parameter \"{name}\" \
                     (0 .. {MILLISECONDS_MAX} ms)"
                ),
            ),
        }
    }
}

/// Reads a number of milliseconds, or a number and its unit.
pub(super) fn read(text: &str) -> Result<Duration, Refused> {
    let text = text.trim();
    let unit_at = text.find(|it: char| it.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.trim().parse().map_err(|_| Refused::NoTime)?;
    let microseconds = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, microseconds)) => *microseconds,
        None if unit.is_empty() => MILLISECOND,
        None => return Err(Refused::NoTime),
    };
    let milliseconds = (number * microseconds as f64 / MILLISECOND as f64).round_ties_even();
    if !(0.0..=MILLISECONDS_MAX).contains(&milliseconds) {
        return Err(Refused::OutOfRange);
    }
    Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(|_| Refused::OutOfRange)
}

/// A time in the largest unit that has no fraction.
pub(super) fn shown(time: Duration) -> String {
    let microseconds = time.as_micros();
    if microseconds == 0 {
        return "0".to_owned();
    }
    let is_whole = |unit: &&(&str, u64)| microseconds.is_multiple_of(u128::from(unit.1));
    let (name, unit) = UNITS.iter().find(is_whole).unwrap_or(&("us", 1));
    format!("{}{name}", microseconds / u128::from(*unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown_as_in_postgresql() {
        for (text, expected) in [
            ("0", "0"),
            ("5s", "5s"),
            ("5000", "5s"),
            ("1500 ms", "1500ms"),
            ("1.5min", "90s"),
            (" 60 s ", "1min"),
            ("24h", "1d"),
            ("400us", "0"),
            ("2147483647", "2147483647ms"),
        ] {
            assert_eq!(read(text).map(shown), Ok(expected.to_owned()), "{text}");
        }
        for text in ["", "s", "5 S", "5 parsecs", "5s s", "inf", "nan"] {
            assert_eq!(read(text), Err(Refused::NoTime), "{text}");
        }
        for text in ["-1", "2147483648", "1000000d", "1e300"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
