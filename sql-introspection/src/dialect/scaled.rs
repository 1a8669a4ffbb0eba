//! Intervals that are multiplied by a number, or divided by one, as PostgreSQL does it: what a month
//! has besides whole ones is days, and what a day has besides whole ones is time.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, IntervalMonthDayNanoArray},
        compute::cast,
        datatypes::{
            DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
        },
        error::ArrowError,
    },
    common::{Result, ScalarValue, exec_err},
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        cast as cast_expr,
    },
    sql::sqlparser::ast::BinaryOperator,
};

use crate::interval::{of_durations, out_of_range};

/// What an operator makes of an interval and a number, or of a number and an interval; `None` if they
/// are none. A parameter of which nothing else is known is a number there.
pub(super) fn planned(
    (left, left_type): (&Expr, &DataType),
    op: &BinaryOperator,
    (right, right_type): (&Expr, &DataType),
) -> Option<Expr> {
    let is_interval = |ty: &DataType| matches!(ty, DataType::Interval(_) | DataType::Duration(_));
    let is_number = |ty: &DataType| ty.is_numeric() || ty.is_null();
    #[expect(clippy::wildcard_enum_match_arm, reason = "others do not scale")]
    let (function, interval, number) = match op {
        BinaryOperator::Multiply if is_interval(left_type) && is_number(right_type) => {
            (&PRODUCT, left, right)
        }
        BinaryOperator::Multiply if is_number(left_type) && is_interval(right_type) => {
            (&PRODUCT, right, left)
        }
        BinaryOperator::Divide if is_interval(left_type) && is_number(right_type) => {
            (&QUOTIENT, left, right)
        }
        _ => return None,
    };
    Some(function.call(vec![interval.clone(), cast_expr(number.clone(), DataType::Float64)]))
}

static PRODUCT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| scaled("interval_times"));
static QUOTIENT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| scaled(QUOTIENT_NAME));
const QUOTIENT_NAME: &str = "interval_divided";

fn scaled(name: &'static str) -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Scaled { name, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Scaled {
    name: &'static str,
    signature: Signature,
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

impl ScalarUDFImpl for Scaled {
    fn name(&self) -> &'static str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_same = called.args.iter().all(|it| matches!(it, ColumnarValue::Scalar(_)));
        let rows = if is_same { 1 } else { called.number_rows };
        let [intervals, numbers] = &called.args[..] else {
            return exec_err!("{} takes an interval and a number", self.name);
        };
        let intervals = cast(&of_durations(&intervals.to_array(rows)?)?, &INTERVAL)?;
        let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
        let numbers = numbers.to_array(rows)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let divides = self.name == QUOTIENT_NAME;
        let pairs = intervals.iter().zip(numbers);
        let scaled = pairs.map(|(interval, number)| {
            let (Some(interval), Some(number)) = (interval, number) else { return Ok(None) };
            let by = |part: f64| if divides { part / number } else { part * number };
            if divides && number == 0.0 {
                return Err(ArrowError::DivideByZero.into());
            }
            scale(interval, by).ok_or_else(out_of_range).map(Some)
        });
        let scaled: IntervalMonthDayNanoArray = scaled.collect::<Result<_>>()?;
        if is_same {
            return ScalarValue::try_from_array(&scaled, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(Arc::new(scaled) as ArrayRef))
    }
}

const DAY_SECONDS: f64 = 86_400.0;

/// `None` if it does not fit.
#[expect(clippy::cast_precision_loss, reason = "PostgreSQL computes with fractions, too")]
fn scale(of: IntervalMonthDayNano, by: impl Fn(f64) -> f64) -> Option<IntervalMonthDayNano> {
    let (months, days) = (by(of.months.into()), by(of.days.into()));
    let rest_days = to_microsecond(months.fract() * 30.0);
    let mut seconds = to_microsecond((days.fract() + rest_days.fract()) * DAY_SECONDS);
    let mut whole_days = days.trunc() + rest_days.trunc();
    if seconds.abs() >= DAY_SECONDS {
        whole_days += (seconds / DAY_SECONDS).trunc();
        seconds %= DAY_SECONDS;
    }
    let microseconds = by(of.nanoseconds as f64 / 1e3) + seconds * 1e6;
    let whole_microseconds = whole(microseconds.round_ties_even(), i64::MIN, i64::MAX)?;
    Some(IntervalMonthDayNano::new(
        i32::try_from(whole(months.trunc(), i32::MIN.into(), i32::MAX.into())?).ok()?,
        i32::try_from(whole(whole_days, i32::MIN.into(), i32::MAX.into())?).ok()?,
        whole_microseconds.checked_mul(1000)?,
    ))
}

/// So that what is a whole number but for the last digit of a fraction is one.
fn to_microsecond(value: f64) -> f64 {
    (value * 1e6).round_ties_even() / 1e6
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "it is between two whole numbers"
)]
fn whole(value: f64, from: i64, until: i64) -> Option<i64> {
    (value >= from as f64 && value < until as f64 + 1.0).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_unit_goes_to_the_next_one() {
        let hour = 3_600_000_000_000;
        let of = IntervalMonthDayNano::new;
        for (interval, by, expected) in [
            (of(0, 0, hour), 3.0, Some(of(0, 0, 3 * hour))),
            (of(1, 0, 0), 0.5, Some(of(0, 15, 0))),
            (of(1, 1, hour), 1.5, Some(of(1, 16, 12 * hour + 3 * hour / 2))),
            (of(0, 1, 0), -0.25, Some(of(0, 0, -6 * hour))),
            (of(1, 0, 0), 1.0 / 30.0, Some(of(0, 1, 0))),
            (of(i32::MAX, 0, 0), 2.0, None),
            (of(0, 0, i64::MAX), 2.0, None),
            (of(1, 0, 0), f64::NAN, None),
        ] {
            assert_eq!(scale(interval, |part| part * by), expected, "{interval:?} * {by}");
        }
    }
}
