//! Durations as people write them, such as `1d 12h` or `PT30S`.

use jiff::{SignedDuration, Span, SpanRelativeTo};
use runtime_core::time::DELAY_MAX_MS;

/// The text is not a duration that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not a duration at all.
    #[error("{0}")]
    Malformed(String),
    /// It is negative.
    #[error("it can't be negative")]
    Negative,
    /// It is longer than any that is allowed.
    #[error("the longest is {DELAY_MAX_MS} ms, a hundred years")]
    TooLong,
}

/// Reads a duration, in milliseconds: `10m`, `2 days 3 hours`, `PT10M`.
///
/// # Errors
/// Returns an error if it is not a duration of up to a hundred years.
pub fn parse_ms(text: &str) -> Result<u64, DurationError> {
    let duration = match text.parse::<SignedDuration>() {
        Ok(duration) => duration,
        // Days have a fixed length here: there is no calendar.
        Err(_) => text
            .parse::<Span>()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
            .map_err(|error| DurationError::Malformed(error.to_string()))?,
    };
    if duration.is_negative() {
        return Err(DurationError::Negative);
    }
    let ms = u64::try_from(duration.as_millis()).map_err(|_| DurationError::TooLong)?;
    if ms <= DELAY_MAX_MS { Ok(ms) } else { Err(DurationError::TooLong) }
}

/// Formats milliseconds as days, hours, minutes and so on.
pub fn friendly(ms: u64) -> String {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut rest = ms;
    let parts: Vec<String> = UNITS
        .into_iter()
        .filter_map(|(unit, unit_ms)| {
            let count = rest / unit_ms;
            rest %= unit_ms;
            (count > 0).then(|| format!("{count}{unit}"))
        })
        .collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_for_people() {
        for (ms, text) in [
            (0, "0s"),
            (500, "500ms"),
            (60_000, "1m"),
            (90_000, "1m 30s"),
            (1500, "1s 500ms"),
            (129_600_000, "1d 12h"),
            (400 * 86_400_000, "400d"),
        ] {
            assert_eq!(friendly(ms), text);
            assert_eq!(parse_ms(text), Ok(ms), "what is shown can be entered");
        }
        assert_eq!(parse_ms("PT1H30M"), Ok(5_400_000));
        assert_eq!(parse_ms("2 days 3 hours"), Ok(51 * 3_600_000));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        assert!(matches!(parse_ms("10"), Err(DurationError::Malformed(_))));
        assert!(matches!(parse_ms("soon"), Err(DurationError::Malformed(_))));
        assert_eq!(parse_ms("-1s"), Err(DurationError::Negative));
        assert!(matches!(parse_ms("1y"), Err(DurationError::Malformed(_))), "of which year?");
        assert_eq!(parse_ms("876601h"), Err(DurationError::TooLong));
    }
}
