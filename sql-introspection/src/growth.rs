//! Bounds functions that make much out of little: `repeat('x', 2000000000)` is a short query. What
//! they would return is estimated before they are called.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, FieldRef, TimeUnit},
    common::{DataFusionError, Result, ScalarValue},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    },
};

use crate::{
    arguments::{argument, number},
    interval,
};

/// How much a function may return for one batch of rows, in bytes: twice the largest value that can
/// be stored.
const BYTES_MAX: u64 = 64 << 20;

/// Bytes of an element of an array, or of a character.
const ELEMENT_BYTES: u64 = 8;

/// How much a function returns for a row, given its arguments, in bytes.
type Estimate = fn(&[ScalarValue]) -> u64;

/// The functions, by the names that they are registered under.
const GROWING: [(&str, Estimate); 16] = [
    ("repeat", of_copies),
    ("lpad", of_copies),
    ("rpad", of_copies),
    ("array_repeat", of_copies),
    ("array_resize", of_copies),
    ("replace", of_replaced),
    ("regexp_replace", of_any_replaced),
    ("translate", of_all),
    ("overlay", of_all),
    ("concat", of_all),
    ("concat_ws", of_all),
    ("array_concat", of_all),
    ("array_append", of_all),
    ("levenshtein", of_pairs),
    ("range", of_range),
    ("generate_series", of_range),
];

/// As many copies as a number says, of something that is as large as the other arguments.
fn of_copies(arguments: &[ScalarValue]) -> u64 {
    let copies = arguments.iter().filter_map(number).max().unwrap_or(0);
    let text = arguments.iter().filter_map(|it| it.try_as_str().flatten()).map(str::len).max();
    let bytes = text.map_or(ELEMENT_BYTES, |bytes| (bytes as u64).max(ELEMENT_BYTES));
    u64::try_from(copies).unwrap_or(0).saturating_mul(bytes)
}

fn bytes_of(argument: Option<&ScalarValue>) -> u64 {
    let bytes = argument.map(|it| match it.try_as_str().flatten() {
        Some(text) => text.len(),
        None => it.size(),
    });
    bytes.unwrap_or(0) as u64
}

/// A text in which each place of another one is replaced.
fn of_replaced(arguments: &[ScalarValue]) -> u64 {
    let [text, from, to] = [0, 1, 2].map(|at| bytes_of(arguments.get(at)));
    text.saturating_add((text / from.max(1)).saturating_mul(to))
}

/// A text in which each character may be replaced.
fn of_any_replaced(arguments: &[ScalarValue]) -> u64 {
    let [text, to] = [0, 2].map(|at| bytes_of(arguments.get(at)));
    text.saturating_add((text + 1).saturating_mul(to))
}

/// All arguments together.
fn of_all(arguments: &[ScalarValue]) -> u64 {
    arguments.iter().map(|it| bytes_of(Some(it))).fold(0, u64::saturating_add)
}

/// Each character of a text with each of another: not what is returned, but what it takes.
fn of_pairs(arguments: &[ScalarValue]) -> u64 {
    bytes_of(arguments.first()).saturating_mul(bytes_of(arguments.get(1)))
}

/// The elements from the first to the second argument: numbers, or times whose step is an interval.
fn of_range(arguments: &[ScalarValue]) -> u64 {
    let (from, until, step) = match arguments {
        [until] => (Some(0), nanoseconds(until), Some(1)),
        [from, until] => (nanoseconds(from), nanoseconds(until), Some(1)),
        [from, until, step, ..] => (nanoseconds(from), nanoseconds(until), nanoseconds(step)),
        [] => return 0,
    };
    // What is null or wrong, the function itself refuses.
    let (Some(from), Some(until), Some(step)) = (from, until, step) else { return 0 };
    let elements = from.abs_diff(until) / step.unsigned_abs().max(1);
    u64::try_from(elements).unwrap_or(u64::MAX).saturating_mul(ELEMENT_BYTES)
}

/// A number as it is; a time or an interval in nanoseconds.
fn nanoseconds(value: &ScalarValue) -> Option<i128> {
    if let ScalarValue::IntervalMonthDayNano(Some(interval)) = value {
        return Some(interval::nanoseconds(*interval));
    }
    let is_time = value.data_type().is_temporal();
    let time = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let number = if is_time { number(&value.cast_to(&time).ok()?) } else { number(value) };
    number.map(i128::from)
}

/// A function that is not called if it would return too much.
#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    estimate: Estimate,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_same = called.args.iter().all(|it| matches!(it, ColumnarValue::Scalar(_)));
        let rows = if is_same { called.number_rows.min(1) } else { called.number_rows };
        let of_row = |row| {
            let arguments = (0..called.args.len()).filter_map(|at| argument(&called.args, at, row));
            (self.estimate)(&arguments.collect::<Vec<_>>())
        };
        let bytes = (0..rows).map(of_row).fold(0, u64::saturating_add);
        if bytes > BYTES_MAX {
            let name = self.name();
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{name} would return {bytes} bytes, and may return {BYTES_MAX} at once"
            )));
        }
        self.inner.invoke_with_args(called)
    }
}

/// Puts the bounds in place.
pub(crate) fn bound(functions: &mut dyn FunctionRegistry) -> Result<()> {
    for (name, estimate) in GROWING {
        // Those that there are: which ones depends on the engine.
        let Ok(inner) = functions.udf(name) else { continue };
        let bounded = ScalarUDF::new_from_impl(Bounded { inner, estimate });
        functions.register_udf(Arc::new(bounded))?;
    }
    Ok(())
}
