//! Intervals that clients bind. The library reads those that are too short for one beyond their end,
//! and changes those that are too long for the engine.

use datafusion::arrow::datatypes::DataType;
use pg_interval::Interval;
use pgwire::api::Type;

use super::prepared::Prepared;
use crate::error::SqlError;

/// Checks the value of a parameter, given the type that the client has declared, if any, and the one
/// that the statement has.
///
/// # Errors
/// Returns an error if it is an interval that could not be read, or an array of them.
pub(super) fn check(
    declared: Option<&Type>,
    ty: &DataType,
    value: Option<&[u8]>,
    is_text: bool,
) -> Result<(), SqlError> {
    let is = |declared_as: &Type, is_told: bool| declared.map_or(is_told, |it| it == declared_as);
    let is_list = matches!(ty, DataType::List(element) if matches!(element.data_type(), DataType::Interval(_)));
    if is(&Type::INTERVAL_ARRAY, is_list) {
        return Err(SqlError::new("0A000", "arrays of intervals cannot be bound")
            .hint("bind an array of texts and cast it: $1::text[]"));
    }
    let is_interval = is(&Type::INTERVAL, matches!(ty, DataType::Interval(_)));
    let Some(value) = value.filter(|_| is_interval) else { return Ok(()) };
    let microseconds = if is_text {
        // What is no interval is refused where it is read.
        let read = std::str::from_utf8(value).ok().map(Interval::from_postgres);
        read.and_then(Result::ok).map_or(0, |interval| interval.microseconds)
    } else {
        let Ok(value) = <[u8; BYTES]>::try_from(value) else {
            let what = format!("an interval has {BYTES} bytes in binary, not {}", value.len());
            return Err(SqlError::new("22P03", what));
        };
        let [microseconds @ .., _, _, _, _, _, _, _, _] = value;
        i64::from_be_bytes(microseconds)
    };
    if microseconds.checked_mul(NANOSECONDS).is_none() {
        let what = "interval out of range: its hours, minutes and seconds are more than 292 years";
        return Err(SqlError::new("22008", what));
    }
    Ok(())
}

/// Microseconds in eight bytes, days and months in four each.
const BYTES: usize = 16;
/// What a microsecond is to the engine.
const NANOSECONDS: i64 = 1000;

/// Checks all parameters of a statement.
///
/// # Errors
/// See [`check`].
pub(super) fn check_all(portal: &pgwire::api::portal::Portal<Prepared>) -> Result<(), SqlError> {
    let declared = &portal.statement.parameter_types;
    let types = &portal.statement.statement.parameters;
    for (at, (value, ty)) in portal.parameters.iter().zip(types).enumerate() {
        let declared = declared.get(at).and_then(Option::as_ref);
        check(declared, ty, value.as_deref(), portal.parameter_format.is_text(at))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_or_refused() {
        let code = |ty: &Type, value: &[u8], is_text| {
            let checked = check(Some(ty), &DataType::Utf8, Some(value), is_text);
            checked.err().map(|error| error.code)
        };
        let binary = |microseconds: i64| [&microseconds.to_be_bytes()[..], &[0; 8]].concat();
        let longest = i64::MAX / 1000;
        assert_eq!(code(&Type::INTERVAL, &binary(longest), false), None);
        assert_eq!(code(&Type::INTERVAL, &binary(longest + 1), false), Some("22008"));
        assert_eq!(code(&Type::INTERVAL, &binary(i64::MIN), false), Some("22008"));
        assert_eq!(code(&Type::INTERVAL, &[0; 15], false), Some("22P03"));
        assert_eq!(code(&Type::INTERVAL, &[], false), Some("22P03"));
        assert_eq!(code(&Type::INTERVAL, b"1 day 02:00:00", true), None);
        assert_eq!(code(&Type::INTERVAL, b"9000000 hours", true), Some("22008"));
        assert_eq!(code(&Type::INTERVAL_ARRAY, &[], false), Some("0A000"));
        assert_eq!(code(&Type::TEXT, &[], false), None);
    }
}
