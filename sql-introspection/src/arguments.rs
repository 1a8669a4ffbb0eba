//! Arguments of functions, row by row.

use datafusion::{arrow::datatypes::DataType, common::ScalarValue, logical_expr::ColumnarValue};

/// The value of an argument in a row.
pub(crate) fn argument(arguments: &[ColumnarValue], at: usize, row: usize) -> Option<ScalarValue> {
    match arguments.get(at)? {
        ColumnarValue::Scalar(value) => Some(value.clone()),
        ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row).ok(),
    }
}

/// The text of an argument in a row; `None` if it is null.
pub(crate) fn text(arguments: &[ColumnarValue], at: usize, row: usize) -> Option<String> {
    let value = argument(arguments, at, row)?;
    value.try_as_str().flatten().map(str::to_owned)
}

/// A number, whatever its type.
pub(crate) fn number(value: &ScalarValue) -> Option<i64> {
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(number)) => number,
        Ok(_) | Err(_) => None,
    }
}
