//! Parts of times and intervals, as `extract` and `date_part` take them in PostgreSQL. A difference of
//! two times has days and a time of day there, and seconds have fractions; the engine takes all of a
//! difference for each part, in whole units.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, Float64Array},
        compute::cast,
        datatypes::{
            DataType, Field, FieldRef, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
            IntervalUnit,
        },
    },
    common::{DataFusionError, Result, ScalarValue, exec_err, plan_err},
    execution::FunctionRegistry,
    functions::datetime::date_part,
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
};

use crate::{error::SqlError, interval::of_durations};

/// Registers it in place of the engine's.
///
/// # Errors
/// Returns an error if the engine takes no more functions.
pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::user_defined(Volatility::Immutable);
    let part = DatePart { engines: date_part(), signature };
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(part)))?;
    Ok(())
}

/// Its name, which `extract` has, too.
pub(super) const NAME: &str = "date_part";

#[derive(Debug, PartialEq, Eq, Hash)]
struct DatePart {
    engines: Arc<ScalarUDF>,
    signature: Signature,
}

/// Parts that have fractions, with the engine's part that has them in whole numbers, and how many of
/// its units are in one.
const FRACTIONS: [(&str, &str, f64); 4] = [
    ("second", "nanosecond", 1e9),
    ("seconds", "nanosecond", 1e9),
    ("millisecond", "microsecond", 1e3),
    ("milliseconds", "microsecond", 1e3),
];

impl ScalarUDFImpl for DatePart {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Those of the engine's, which would take its name back under each of them.
    fn aliases(&self) -> &[String] {
        self.engines.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [_, of @ (DataType::Interval(_) | DataType::Duration(_))] => {
                Ok(vec![DataType::Utf8, of.clone()])
            }
            [_, of] if of.is_temporal() => Ok(vec![DataType::Utf8, of.clone()]),
            [_, DataType::Null] => {
                Ok(vec![DataType::Utf8, DataType::Interval(IntervalUnit::MonthDayNano)])
            }
            [_, of] => plan_err!("Invalid function 'date_part' of {of}: it takes a time"),
            _ => plan_err!("Invalid function 'date_part': it takes a name and a time"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(NAME, DataType::Float64, true)))
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(name), of] = &called.args[..] else {
            return exec_err!("date_part takes the name of a part, as a literal, and a time");
        };
        let Some(Some(name)) = name.try_as_str() else {
            return exec_err!("date_part takes the name of a part, as a literal, and a time");
        };
        let name = name.to_lowercase();
        let is_interval = matches!(of.data_type(), DataType::Interval(_) | DataType::Duration(_));
        let is_same = matches!(of, ColumnarValue::Scalar(_));
        let parts: ArrayRef = if is_interval {
            let intervals = of_intervals(&of.to_array(called.number_rows)?)?.into_iter();
            let parts = intervals.map(|it| it.map(|it| number(&name, it)).transpose());
            Arc::new(parts.collect::<Result<Float64Array>>()?)
        } else {
            self.of_time(&name, called)?
        };
        if is_same {
            return ScalarValue::try_from_array(&parts, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(parts))
    }
}

impl DatePart {
    fn of_time(&self, name: &str, mut called: ScalarFunctionArgs) -> Result<ArrayRef> {
        let fraction = FRACTIONS.iter().find(|(known, _, _)| *known == name);
        let asked = fraction.map_or(name, |(_, finer, _)| *finer);
        let rows = called.number_rows;
        let asked = ScalarValue::from(asked);
        called.return_field = self.engines.return_field_from_args(ReturnFieldArgs {
            arg_fields: &called.arg_fields,
            scalar_arguments: &[Some(&asked), None],
        })?;
        called.args[0] = ColumnarValue::Scalar(asked);
        let parts = self.engines.invoke_with_args(called)?.into_array(rows)?;
        let parts = cast(&parts, &DataType::Float64)?;
        let Some((_, _, units)) = fraction else { return Ok(parts) };
        let whole = parts.as_primitive::<Float64Type>();
        Ok(Arc::new(whole.unary::<_, Float64Type>(|it| it / units)))
    }
}

/// Intervals with days and a time of day; a duration has no months.
fn of_intervals(array: &ArrayRef) -> Result<Vec<Option<IntervalMonthDayNano>>> {
    let intervals = of_durations(array)?;
    let intervals = cast(&intervals, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    Ok(intervals.as_primitive::<IntervalMonthDayNanoType>().iter().collect())
}

#[expect(clippy::cast_precision_loss, reason = "a part has fewer digits than a fraction")]
fn number(part: &str, of: IntervalMonthDayNano) -> Result<f64> {
    let IntervalMonthDayNano { months, days, nanoseconds } = of;
    let (years, rest_months) = (months / 12, months % 12);
    let in_seconds = |nanoseconds: i64| nanoseconds as f64 / 1e9;
    let whole = |unit_seconds: i64| nanoseconds / (unit_seconds * 1_000_000_000);
    let of_minute = in_seconds(nanoseconds % 60_000_000_000);
    Ok(match part {
        "millennium" | "millenniums" | "millennia" => f64::from(years / 1000),
        "century" | "centuries" => f64::from(years / 100),
        "decade" | "decades" => f64::from(years / 10),
        "year" | "years" => f64::from(years),
        "quarter" => f64::from(rest_months / 3 + 1),
        "month" | "months" => f64::from(rest_months),
        "day" | "days" => f64::from(days),
        "hour" | "hours" => whole(3600) as f64,
        "minute" | "minutes" => (whole(60) % 60) as f64,
        "second" | "seconds" => of_minute,
        "millisecond" | "milliseconds" => of_minute * 1e3,
        "microsecond" | "microseconds" => of_minute * 1e6,
        // A year has 365 days and a quarter.
        "epoch" => {
            let days = f64::from(years) * 365.25 + f64::from(rest_months) * 30.0 + f64::from(days);
            days * 86400.0 + in_seconds(nanoseconds)
        }
        _ => {
            let what = format!("an interval has no part '{part}'");
            return Err(DataFusionError::External(Box::new(SqlError::new("0A000", what))));
        }
    })
}
