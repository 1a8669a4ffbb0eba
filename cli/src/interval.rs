//! How often a query is repeated.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The usual pause, in seconds.
pub(crate) const PAUSE: &str = "2";

/// The shortest and the longest pause, in seconds. A shorter one would keep the server busy for no
/// eye to see.
const SECONDS: std::ops::RangeInclusive<f64> = 0.1..=86_400.0;

/// A pause between two rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval(pub(crate) Duration);

/// A text that is not a pause.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a number of seconds between {min} and {max}", min = SECONDS.start(), max = SECONDS.end())]
pub(crate) struct BadInterval(String);

impl FromStr for Interval {
    type Err = BadInterval;

    fn from_str(text: &str) -> Result<Self, BadInterval> {
        let seconds: Option<f64> = text.parse().ok();
        let seconds = seconds.filter(|seconds| SECONDS.contains(seconds));
        let seconds = seconds.ok_or_else(|| BadInterval(text.to_owned()))?;
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_sensible_number_of_seconds() {
        let parse = |text: &str| text.parse::<Interval>().map(|it| it.to_string());
        assert_eq!(parse("2").unwrap(), "2 s");
        assert_eq!(parse("0.5").unwrap(), "0.5 s");
        for bad in ["0", "-1", "NaN", "inf", "", "2s", "1e9"] {
            let said = parse(bad).unwrap_err().to_string();
            assert_eq!(said, format!("'{bad}' is not a number of seconds between 0.1 and 86400"));
        }
    }
}
