//! Times as people read them: with how far they are from now.

use jiff::{RoundMode, SignedDuration, SignedDurationRound, Timestamp, Unit};

/// A time, and how far it is from the server's.
pub(crate) fn dated(at: &str, now: Option<&str>) -> String {
    let parse = |text: &str| text.parse::<Timestamp>().ok();
    match (parse(at), now.and_then(parse)) {
        (Some(time), Some(now)) => format!("{at} ({})", distance(time.duration_since(now))),
        (None, _) | (_, None) => at.to_owned(),
    }
}

/// How far a time is, in the two units that tell it best.
pub(crate) fn distance(ahead: SignedDuration) -> String {
    let length = ahead.abs();
    let (unit, is_near) = match length.as_secs() {
        ..60 => (Unit::Second, length.as_secs() == 0),
        60..86_400 => (Unit::Minute, false),
        _ => (Unit::Hour, false),
    };
    if is_near {
        return "now".to_owned();
    }
    let rounding = SignedDurationRound::new().smallest(unit).mode(RoundMode::Trunc);
    let length = length.round(rounding).unwrap_or(length);
    if ahead.is_negative() { format!("{length:#} ago") } else { format!("in {length:#}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_the_precision_that_matters() {
        let shown = |seconds: i64| distance(SignedDuration::from_secs(seconds));
        assert_eq!(shown(0), "now");
        assert_eq!(shown(-59), "59s ago");
        assert_eq!(shown(3_700), "in 1h 1m");
        assert_eq!(shown(-90_000), "25h ago");
    }
}
