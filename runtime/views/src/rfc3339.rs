//! Formats times for clients of the APIs.

use jiff::Timestamp;

/// Formats a time in milliseconds since the epoch as RFC 3339 text, in UTC with nanoseconds, as
/// clients of the API expect. A time that has no such form, beyond the year 9999, is formatted as a
/// plain number.
pub fn with_nanoseconds(at_ms: u64) -> String {
    moment(at_ms).map_or_else(|| at_ms.to_string(), |at| format!("{at:.9}"))
}

/// The same, with only as many fractional digits as needed.
pub fn shortest(at_ms: u64) -> String {
    moment(at_ms).map_or_else(|| at_ms.to_string(), |at| at.to_string())
}

fn moment(at_ms: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_or_as_its_number() {
        assert_eq!(with_nanoseconds(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(with_nanoseconds(1_700_000_000_123), "2023-11-14T22:13:20.123000000Z");
        assert_eq!(shortest(0), "1970-01-01T00:00:00Z");
        assert_eq!(shortest(1_700_000_000_120), "2023-11-14T22:13:20.12Z");
        assert_eq!(shortest(253_402_300_800_000), "253402300800000", "the year 10000");
        assert_eq!(with_nanoseconds(u64::MAX), u64::MAX.to_string());
    }
}
