//! `age(later, earlier)`: how much later one time is than another, in years, months, days and time.

use std::sync::Arc;

use chrono::{Datelike, NaiveDateTime, Timelike};
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray},
        compute::cast,
        datatypes::{
            DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit, TimestampMicrosecondType,
        },
    },
    common::{Result, exec_err, plan_err},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};

/// Its name. With one argument, it is called with midnight before that.
pub(super) const NAME: &str = "age";

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::user_defined(Volatility::Immutable);
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(Age(signature))))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Age(Signature);

impl ScalarUDFImpl for Age {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_time = |ty: &DataType| {
            matches!(ty, DataType::Timestamp(..) | DataType::Date32 | DataType::Null)
                || ty.is_string()
        };
        if types.len() != 2 || !types.iter().all(is_time) {
            return plan_err!("Invalid function 'age': it takes one time, or two");
        }
        // All zones are UTC.
        Ok(vec![DataType::Timestamp(TimeUnit::Microsecond, None); 2])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [later, earlier] = &called.args[..] else { return exec_err!("age takes two times") };
        let times = |times: &ColumnarValue| {
            let times = times.to_array(called.number_rows)?;
            Ok::<_, datafusion::common::DataFusionError>(cast(
                &times,
                &DataType::Timestamp(TimeUnit::Microsecond, None),
            )?)
        };
        let (later, earlier) = (times(later)?, times(earlier)?);
        let time = |times: &ArrayRef, row: usize| {
            let times = times.as_primitive::<TimestampMicrosecondType>();
            times.value_as_datetime(row).filter(|_| times.is_valid(row))
        };
        let ages =
            (0..called.number_rows).map(|row| Some(age(time(&later, row)?, time(&earlier, row)?)));
        let ages: IntervalMonthDayNanoArray = ages.collect();
        Ok(ColumnarValue::Array(Arc::new(ages) as ArrayRef))
    }
}

/// Days that are borrowed are those of the earlier time's month, as in PostgreSQL.
fn age(later: NaiveDateTime, earlier: NaiveDateTime) -> IntervalMonthDayNano {
    if later < earlier {
        let IntervalMonthDayNano { months, days, nanoseconds } = age(earlier, later);
        return IntervalMonthDayNano::new(-months, -days, -nanoseconds);
    }
    let of_day = |time: NaiveDateTime| {
        i64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + i64::from(time.nanosecond())
    };
    let month = |time: NaiveDateTime| time.year() * 12 + time.month0().cast_signed();
    let mut nanoseconds = of_day(later) - of_day(earlier);
    let mut days = later.day().cast_signed() - earlier.day().cast_signed();
    let mut months = month(later) - month(earlier);
    if nanoseconds < 0 {
        nanoseconds += 24 * 60 * 60 * 1_000_000_000;
        days -= 1;
    }
    while days < 0 {
        days += i32::from(earlier.num_days_in_month());
        months -= 1;
    }
    IntervalMonthDayNano::new(months, days, nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_months_and_days_of_their_own_length() {
        let time = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        for (later, earlier, (months, days, hours)) in [
            ("2001-04-10T00:00:00", "1957-06-13T00:00:00", (43 * 12 + 9, 27, 0)),
            ("2024-03-01T00:00:00", "2024-02-01T12:00:00", (0, 28, 12)),
            ("2024-03-31T00:00:00", "2024-02-29T00:00:00", (1, 2, 0)),
            ("2024-03-01T00:00:00", "2024-01-31T00:00:00", (1, 1, 0)),
            ("2024-02-01T12:00:00", "2024-03-01T00:00:00", (0, -28, -12)),
        ] {
            let expected = IntervalMonthDayNano::new(months, days, hours * 3_600_000_000_000);
            assert_eq!(age(time(later), time(earlier)), expected, "{later} {earlier}");
        }
    }
}
