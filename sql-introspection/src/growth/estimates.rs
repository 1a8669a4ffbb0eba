//! How much functions return, given their arguments: `repeat('x', 2000000000)` is a short query.

use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    common::ScalarValue,
    logical_expr::ColumnarValue,
};

use super::sizes;
use crate::{
    arguments::{argument, number},
    interval,
};

/// Bytes of an element of an array.
const ELEMENT_BYTES: u64 = 8;
/// Bytes of a character at most, in UTF-8.
const CHARACTER_BYTES: u64 = 4;

/// How much a function returns for a row, given its arguments, in bytes.
type Estimate = fn(&[ScalarValue]) -> u64;

/// The functions that return more than their arguments together, by their names.
const GROWING: [(&str, Estimate); 14] = [
    ("repeat", of_copies),
    ("lpad", of_padded),
    ("rpad", of_padded),
    ("array_repeat", of_elements),
    ("array_resize", of_elements),
    ("array_to_string", of_joined),
    ("concat_ws", of_separated),
    ("replace", of_replaced),
    ("regexp_replace", of_any_replaced),
    ("regexp_match", of_groups),
    ("array_replace_n", of_replaced_elements),
    ("array_replace_all", of_replaced_elements),
    ("range", of_range),
    ("generate_series", of_range),
];

/// How much a function that returns a type returns for some rows, in bytes.
pub(super) fn of(name: &str, returned: &DataType, arguments: &[ColumnarValue], rows: usize) -> u64 {
    let rows = distinct(arguments, rows);
    let Some((_, estimate)) = GROWING.iter().find(|(growing, _)| *growing == name) else {
        if returned.is_primitive() || *returned == DataType::Boolean {
            return 0;
        }
        return arguments.iter().map(|it| all_bytes(it, rows)).fold(0, u64::saturating_add);
    };
    by_row(*estimate, arguments, rows)
}

/// The sum of estimates for each row.
fn by_row(estimate: Estimate, arguments: &[ColumnarValue], rows: usize) -> u64 {
    let of_row = |row| {
        let arguments = (0..arguments.len()).filter_map(|at| argument(arguments, at, row));
        estimate(&arguments.collect::<Vec<_>>())
    };
    (0..rows).map(of_row).fold(0, u64::saturating_add)
}

/// How often a function is called for some rows: once, if they are all the same to it.
fn distinct(arguments: &[ColumnarValue], rows: usize) -> usize {
    let is_same = arguments.iter().all(|it| matches!(it, ColumnarValue::Scalar(_)));
    if is_same { rows.min(1) } else { rows }
}

/// The functions that may look at each part of one argument for each part of another.
const COMPARING: [&str; 19] = [
    "levenshtein",
    "strpos",
    "btrim",
    "ltrim",
    "rtrim",
    "translate",
    "replace",
    "split_part",
    "substr_index",
    "find_in_set",
    "string_to_array",
    "array_has_all",
    "array_has_any",
    "array_replace",
    "array_replace_n",
    "array_replace_all",
    "array_positions",
    "array_remove_all",
    "array_to_string",
];

/// How many steps a function takes for some rows at most.
pub(super) fn steps_of(name: &str, arguments: &[ColumnarValue], rows: usize) -> u64 {
    if !COMPARING.contains(&name) {
        return 0;
    }
    by_row(of_pairs, arguments, distinct(arguments, rows))
}

/// Each part of the largest argument with each of the next.
fn of_pairs(arguments: &[ScalarValue]) -> u64 {
    let mut parts: Vec<_> = arguments.iter().map(|it| bytes_of(Some(it))).collect();
    parts.sort_unstable_by(|a, b| b.cmp(a));
    let [most, next] = [0, 1].map(|at| parts.get(at).copied().unwrap_or(1));
    most.saturating_mul(next)
}

/// Whether a function searches for a pattern, which is its second argument.
pub(super) fn is_search(name: &str) -> bool {
    name.starts_with("regexp_")
}

/// Bytes of an argument in all rows.
fn all_bytes(argument: &ColumnarValue, rows: usize) -> u64 {
    match argument {
        ColumnarValue::Scalar(value) => bytes_of(Some(value)).saturating_mul(rows as u64),
        ColumnarValue::Array(array) => sizes::of(array),
    }
}

/// As many copies of a text as a number says.
fn of_copies(arguments: &[ScalarValue]) -> u64 {
    count(arguments.get(1)).saturating_mul(bytes_of(arguments.first()))
}

/// A text of as many characters as a number says, or as it is.
fn of_padded(arguments: &[ScalarValue]) -> u64 {
    count(arguments.get(1)).saturating_mul(CHARACTER_BYTES)
}

/// An array of as many elements as a number says, all the same.
fn of_elements(arguments: &[ScalarValue]) -> u64 {
    let counts = arguments.iter().map(|it| count(Some(it)));
    let bytes = arguments.iter().map(|it| bytes_of(Some(it))).max().unwrap_or(0);
    counts.max().unwrap_or(0).saturating_mul(bytes.max(ELEMENT_BYTES))
}

/// A number of something; nothing if it is negative, or no number.
fn count(argument: Option<&ScalarValue>) -> u64 {
    argument.and_then(number).and_then(|it| u64::try_from(it).ok()).unwrap_or(0)
}

fn bytes_of(argument: Option<&ScalarValue>) -> u64 {
    let Some(argument) = argument else { return 0 };
    let bytes = match (argument, argument.try_as_str().flatten()) {
        (_, Some(text)) => text.len(),
        (ScalarValue::List(array), None) => return sizes::of(&**array),
        (_, None) => argument.size(),
    };
    bytes as u64
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

/// Texts with the first argument between any two of them.
fn of_separated(arguments: &[ScalarValue]) -> u64 {
    let all = arguments.iter().map(|it| bytes_of(Some(it))).fold(0, u64::saturating_add);
    all.saturating_add(bytes_of(arguments.first()).saturating_mul(arguments.len() as u64))
}

/// The elements of an array with the second argument between any two of them.
fn of_joined(arguments: &[ScalarValue]) -> u64 {
    let [array, between, null] = [0, 1, 2].map(|at| bytes_of(arguments.get(at)));
    let each = between.saturating_add(null).saturating_add(1);
    // An element takes a byte at least: that of a text of one letter, if not what says where it ends.
    array.saturating_mul(each)
}

/// A text for each group of a pattern.
fn of_groups(arguments: &[ScalarValue]) -> u64 {
    let pattern = arguments.get(1).and_then(|it| it.try_as_str().flatten()).unwrap_or_default();
    let groups = pattern.matches('(').count() as u64 + 1;
    bytes_of(arguments.first()).saturating_mul(groups)
}

/// An array of which each element may be replaced.
fn of_replaced_elements(arguments: &[ScalarValue]) -> u64 {
    let [array, by] = [0, 2].map(|at| bytes_of(arguments.get(at)));
    array.saturating_add((array / ELEMENT_BYTES + 1).saturating_mul(by))
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
    if !is_time {
        return number(value).map(i128::from);
    }
    // Nanoseconds of their own would end too early.
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    number(&value.cast_to(&time).ok()?).map(|it| i128::from(it) * 1000)
}
