//! Values as PostgreSQL writes them in a text: the only place that says how. Clients are sent these
//! texts, and `::text`, `||`, `concat` and `format` make the same of a value.

mod nested;
mod times;

use std::fmt::Write;
use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, StringBuilder},
        compute::cast,
        datatypes::{
            DataType, Date32Type, Decimal128Type, Decimal256Type, DecimalType, Float32Type,
            Float64Type, IntervalMonthDayNanoType, IntervalUnit, Time64NanosecondType, TimeUnit,
            TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
            TimestampSecondType,
        },
    },
    common::DataFusionError,
};

use crate::{error::SqlError, interval};

/// Whether the engine would write a value otherwise.
pub(crate) fn differs(ty: &DataType) -> bool {
    use DataType::{
        Decimal128, Decimal256, FixedSizeBinary, FixedSizeList, Float16, Float32, Float64,
        LargeList, List, Struct,
    };
    ty.is_temporal()
        || ty.is_binary()
        || matches!(ty, Float16 | Float32 | Float64 | Decimal128(..) | Decimal256(..))
        || matches!(ty, List(_) | LargeList(_) | FixedSizeList(..) | Struct(_) | FixedSizeBinary(_))
}

/// The text of each value, as an array of texts of some kind.
///
/// # Errors
/// Returns an error if a value has no text, as a time that no calendar has, or if the texts take more
/// than so many bytes.
pub(crate) fn texts(values: &ArrayRef, bytes_max: usize) -> Result<ArrayRef, SqlError> {
    if values.data_type().is_string() {
        return Ok(Arc::clone(values));
    }
    let write = writer(values)?;
    let mut texts = StringBuilder::with_capacity(values.len(), 0);
    let mut text = String::new();
    let mut bytes = 0;
    for row in 0..values.len() {
        if values.is_null(row) || *values.data_type() == DataType::Null {
            texts.append_null();
            continue;
        }
        text.clear();
        write(row, &mut text)?;
        bytes += text.len();
        if bytes > bytes_max {
            let what =
                format!("the texts of values would take more than {bytes_max} bytes at once");
            return Err(SqlError::new("53200", what).hint("select less at once"));
        }
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

/// Writes the value of a row, which is not null.
type Writer = Box<dyn Fn(usize, &mut String) -> Result<(), SqlError>>;

/// Writes values of a type.
fn writer(values: &ArrayRef) -> Result<Writer, SqlError> {
    macro_rules! each {
        ($values:expr, $write:expr) => {{
            let values = $values.clone();
            Box::new(move |row, out: &mut String| $write(values.value(row), out))
        }};
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the engine writes the others")]
    Ok(match values.data_type() {
        DataType::Boolean => each!(values.as_boolean(), |it, out: &mut String| {
            out.push(if it { 't' } else { 'f' });
            Ok(())
        }),
        DataType::Float64 => each!(values.as_primitive::<Float64Type>(), |it: f64, out| {
            float(it, 15, &format!("{it:e}"), &it.to_string(), out)
        }),
        DataType::Float32 => each!(values.as_primitive::<Float32Type>(), |it: f32, out| {
            float(it.into(), 6, &format!("{it:e}"), &it.to_string(), out)
        }),
        DataType::Decimal128(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            each!(values.as_primitive::<Decimal128Type>(), move |it, out| {
                number(&Decimal128Type::format_decimal(it, precision, scale), scale, out)
            })
        }
        DataType::Decimal256(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            each!(values.as_primitive::<Decimal256Type>(), move |it, out| {
                number(&Decimal256Type::format_decimal(it, precision, scale), scale, out)
            })
        }
        DataType::Date32 => each!(values.as_primitive::<Date32Type>(), times::date),
        DataType::Timestamp(unit, zone) => {
            let has_zone = zone.is_some();
            match unit {
                TimeUnit::Second => times::timestamps::<TimestampSecondType>(values, has_zone),
                TimeUnit::Millisecond => {
                    times::timestamps::<TimestampMillisecondType>(values, has_zone)
                }
                TimeUnit::Microsecond => {
                    times::timestamps::<TimestampMicrosecondType>(values, has_zone)
                }
                TimeUnit::Nanosecond => {
                    times::timestamps::<TimestampNanosecondType>(values, has_zone)
                }
            }
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            each!(values.as_primitive::<Time64NanosecondType>(), times::time_of_day)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            each!(values.as_primitive::<IntervalMonthDayNanoType>(), times::interval)
        }
        DataType::BinaryView => each!(values.as_binary_view(), hexadecimal),
        DataType::Utf8View => each!(values.as_string_view(), |it: &str, out: &mut String| {
            out.push_str(it);
            Ok(())
        }),
        DataType::List(_) => nested::lists(values.as_list())?,
        DataType::Struct(_) => nested::records(values.as_struct())?,
        DataType::Duration(_) => writer(&interval::of_durations(values)?)?,
        other => writer(&cast(values, &simpler(other)).map_err(DataFusionError::from)?)?,
    })
}

/// A type of the same values that is written here.
fn simpler(ty: &DataType) -> DataType {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others have a text that is the engine's")]
    match ty {
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Nanosecond),
        DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            DataType::BinaryView
        }
        DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            DataType::List(Arc::clone(element))
        }
        DataType::Dictionary(_, value) => (**value).clone(),
        _ => DataType::Utf8View,
    }
}

/// A fraction, of which are given the digits with an exponent, and without. It has an exponent if it
/// is small, or has more than so many digits before the point.
fn float(
    value: f64,
    digits_max: i32,
    shortest: &str,
    plain: &str,
    out: &mut String,
) -> Result<(), SqlError> {
    if !value.is_finite() {
        let sign = if value < 0.0 { "-" } else { "" };
        out.push_str(sign);
        out.push_str(if value.is_nan() { "NaN" } else { "Infinity" });
        return Ok(());
    }
    let (digits, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if exponent < -4 || exponent >= digits_max => {
            let sign = if exponent < 0 { '-' } else { '+' };
            push(out, format_args!("{digits}e{sign}{:02}", exponent.abs()));
        }
        Ok(_) | Err(_) => out.push_str(plain),
    }
    Ok(())
}

/// As many digits behind the point as this the engine adds by itself, whatever the number needs.
const OWN_SCALE: i8 = 10;

/// A number with its scale.
fn number(digits: &str, scale: i8, out: &mut String) -> Result<(), SqlError> {
    out.push_str(if scale >= OWN_SCALE && digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    });
    Ok(())
}

fn hexadecimal(bytes: &[u8], out: &mut String) -> Result<(), SqlError> {
    out.push_str(r"\x");
    bytes.iter().for_each(|byte| push(out, format_args!("{byte:02x}")));
    Ok(())
}

fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = out.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use datafusion::{arrow::datatypes::IntervalMonthDayNano, common::ScalarValue};

    use super::*;

    fn text(value: &ScalarValue) -> String {
        let texts = texts(&value.to_array().unwrap(), 1 << 20).unwrap();
        ScalarValue::try_from_array(&texts, 0).unwrap().to_string()
    }

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        let utc: Arc<str> = "+00:00".into();
        let interval = |months, days, nanoseconds| {
            let interval = IntervalMonthDayNano::new(months, days, nanoseconds);
            ScalarValue::IntervalMonthDayNano(Some(interval))
        };
        let micros = |at| ScalarValue::TimestampMicrosecond(Some(at), None);
        for (value, expected) in [
            (ScalarValue::from(1.0), "1"),
            (ScalarValue::from(0.1 + 0.2), "0.30000000000000004"),
            (ScalarValue::from(1e15), "1e+15"),
            (ScalarValue::from(123_456_789_012_345.0), "123456789012345"),
            (ScalarValue::from(-1.5e-7), "-1.5e-07"),
            (ScalarValue::from(0.0001), "0.0001"),
            (ScalarValue::from(f64::NEG_INFINITY), "-Infinity"),
            (ScalarValue::from(f64::NAN), "NaN"),
            (ScalarValue::from(1_234_567.0_f32), "1.234567e+06"),
            (ScalarValue::from(0.1_f32), "0.1"),
            (ScalarValue::Decimal128(Some(150), 10, 2), "1.50"),
            (ScalarValue::Decimal128(Some(15_000_000_000), 38, 10), "1.5"),
            (ScalarValue::Decimal128(Some(100), 38, 0), "100"),
            (ScalarValue::from(true), "t"),
            (ScalarValue::Binary(Some(vec![0, 255])), r"\x00ff"),
            (ScalarValue::TimestampMillisecond(Some(1), Some(utc)), "1970-01-01 00:00:00.001+00"),
            (micros(1_100_000), "1970-01-01 00:00:01.1"),
            (micros(-1), "1969-12-31 23:59:59.999999"),
            (micros(253_402_300_800_000_000), "10000-01-01 00:00:00"),
            (micros(-62_135_596_800_000_001), "0001-12-31 23:59:59.999999 BC"),
            (ScalarValue::Date32(Some(-719_529)), "0002-12-31 BC"),
            (interval(0, 0, 0), "00:00:00"),
            (interval(14, 3, 4_005_000_600_000), "1 year 2 mons 3 days 01:06:45.0006"),
            (interval(-1, 1, -1_000_000_000), "-1 mons +1 day -00:00:01"),
            (interval(0, -1, 1_000_000_000), "-1 days +00:00:01"),
            (ScalarValue::DurationMillisecond(Some(90_000_500)), "1 day 01:00:00.5"),
            (ScalarValue::DurationSecond(Some(-90_000)), "-1 days -01:00:00"),
        ] {
            assert_eq!(text(&value), expected);
        }
        let beyond = micros(i64::MAX).to_array().unwrap();
        assert_eq!(texts(&beyond, 1 << 20).unwrap_err().code, "22008");
    }

    #[test]
    fn arrays_and_records_have_quotes_where_they_need_them() {
        let list = |values: &[ScalarValue]| {
            ScalarValue::List(ScalarValue::new_list(values, &values[0].data_type(), true))
        };
        let texts = ["a", "", "null", "b c", r#"d"\"#, "{e}", "f,"].map(ScalarValue::from);
        assert_eq!(text(&list(&texts)), r#"{a,"","null","b c","d\"\\","{e}","f,"}"#);
        let numbers = list(&[ScalarValue::Int64(Some(1)), ScalarValue::Int64(None)]);
        assert_eq!(text(&numbers), "{1,NULL}");
        assert_eq!(text(&list(&[numbers.clone(), numbers])), "{{1,NULL},{1,NULL}}");
        assert_eq!(text(&list(&[ScalarValue::from(true)])), "{t}");
    }
}
