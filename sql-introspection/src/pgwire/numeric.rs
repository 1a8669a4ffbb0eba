//! Numbers of any size that clients bind. The library reads them through a type with fewer digits than
//! the engine has, and changes those that do not fit.

use crate::error::SqlError;

/// Digits behind the point, and in all, of the engine's numbers.
pub(super) const SCALE: i8 = 10;
pub(super) const PRECISION: u8 = 38;

/// A number that is sent in binary, as text: groups of four digits, how many of them are before the
/// point less one, a sign, and how many digits are shown behind the point. `None` if it is none.
pub(super) fn text_of(bytes: &[u8]) -> Option<String> {
    let words: Vec<u16> = bytes
        .chunks(2)
        .map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)))
        .collect::<Option<_>>()?;
    let [count, weight, sign, _shown, groups @ ..] = &words[..] else { return None };
    let sign = match sign {
        0 => "",
        0x4000 => "-",
        _ => return Some("NaN".to_owned()),
    };
    if groups.len() != usize::from(*count) || groups.iter().any(|group| *group > 9999) {
        return None;
    }
    let digits: String = groups.iter().map(|group| format!("{group:04}")).collect();
    // The last group has this power of ten.
    let weight = i32::from(weight.cast_signed());
    let exponent = 4 * (weight + 1 - i32::try_from(groups.len()).ok()?);
    Some(format!("{sign}{}e{exponent}", if digits.is_empty() { "0" } else { &digits }))
}

/// The number that a text says, in units of the last digit that the engine has.
///
/// # Errors
/// Returns an error if it is no number, or has more digits than that.
pub(super) fn parse(text: &str) -> Result<i128, SqlError> {
    let wrong = |code, what: &str| SqlError::new(code, format!("{what}: \"{}\"", text.trim()));
    let no_number = || wrong("22P02", "invalid input syntax for type numeric");
    let (is_negative, rest) = match text.trim().as_bytes() {
        [b'-', ..] => (true, &text.trim()[1..]),
        [b'+', ..] => (false, &text.trim()[1..]),
        _ => (false, text.trim()),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| no_number())?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        if ["nan", "infinity", "inf"].contains(&&*rest.to_ascii_lowercase()) {
            return Err(wrong("22003", "a number has to be finite here"));
        }
        return Err(no_number());
    }
    let too_large = || wrong("22003", "the number has more than 28 digits before the point");
    let behind = i32::try_from(fraction.len()).map_err(|_| too_large())?;
    // Where the last digit of the text is, in digits of the engine.
    let shift = i64::from(exponent) - i64::from(behind) + i64::from(SCALE);
    let significant = digits.trim_start_matches('0');
    let kept = significant.trim_end_matches('0');
    if kept.is_empty() {
        return Ok(0);
    }
    let zeros = i64::try_from(significant.len() - kept.len()).map_err(|_| too_large())?;
    let zeros = u32::try_from(shift + zeros)
        .map_err(|_| wrong("22003", "the number has more than ten digits behind the point"))?;
    let number = kept.parse::<i128>().ok();
    let number = number.and_then(|number| number.checked_mul(10_i128.checked_pow(zeros)?));
    let number = number.filter(|number| *number < LIMIT).ok_or_else(too_large)?;
    Ok(if is_negative { -number } else { number })
}

/// What has more digits than the engine's numbers.
const LIMIT: i128 = 10_i128.pow(PRECISION as u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_they_say_or_refused() {
        for (text, expected) in [
            ("1.5", Some(15_000_000_000)),
            (" -0.0000000001 ", Some(-1)),
            ("9223372036854775808", Some(92_233_720_368_547_758_080_000_000_000)),
            ("1E+19", Some(10_i128.pow(29))),
            ("1e-10", Some(1)),
            ("15e-10", Some(15)),
            ("15000e-13", Some(15)),
            ("15e-11", None),
            ("0.00000000010000", Some(1)),
            ("0e-99", Some(0)),
            ("9999999999999999999999999999", Some(10_i128.pow(38) - 10_i128.pow(10))),
            ("10000000000000000000000000000", None),
            ("1e2147483647", None),
            ("0.123456789012345", None),
            ("NaN", None),
            ("", None),
            ("-", None),
            ("1.2.3", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_in_binary_are_the_same_in_text() {
        let binary =
            |words: &[u16]| words.iter().flat_map(|it| it.to_be_bytes()).collect::<Vec<_>>();
        for (words, expected) in [
            // 12345.678
            (&[3, 1, 0, 3, 1, 2345, 6780][..], Some(123_456_780_000_000)),
            (&[1, 0xffff, 0x4000, 4, 5], Some(-5_000_000)),
            (&[0, 0, 0, 0], Some(0)),
            (&[1, 4, 0, 0, 1000], Some(10_i128.pow(29))),
            (&[0, 0, 0xc000, 0], None),
        ] {
            let text = text_of(&binary(words)).unwrap();
            assert_eq!(parse(&text).ok(), expected, "{words:?}");
        }
        for broken in [&[0_u8, 1][..], &[0, 1, 0, 0, 0, 0, 0, 0], &[0, 1, 0, 0, 0, 0, 0, 0, 39, 16]]
        {
            assert_eq!(text_of(broken), None);
        }
    }
}
