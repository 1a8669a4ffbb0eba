//! Arrays and records.

use datafusion::arrow::{
    array::{Array, ArrayRef, ListArray, StructArray},
    datatypes::DataType,
};

use super::{Writer, writer};
use crate::error::SqlError;

/// Arrays: `{1,"two words",NULL}`. An array within an array has no quotes.
pub(super) fn lists(lists: &ListArray) -> Result<Writer, SqlError> {
    let (elements, ends) = (ArrayRef::clone(lists.values()), lists.offsets().clone());
    let write = writer(&elements)?;
    let is_nested = matches!(
        elements.data_type(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
    );
    Ok(Box::new(move |row, out| {
        let (first, end) =
            (ends[row].cast_unsigned() as usize, ends[row + 1].cast_unsigned() as usize);
        out.push('{');
        for element in first..end {
            if element > first {
                out.push(',');
            }
            if elements.is_null(element) || *elements.data_type() == DataType::Null {
                out.push_str("NULL");
                continue;
            }
            let start = out.len();
            write(element, out)?;
            let text = &out[start..];
            let needs_quotes = text.is_empty()
                || text.eq_ignore_ascii_case("null")
                || text
                    .contains(['"', '\\', '{', '}', ',', ' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
            if needs_quotes && !is_nested {
                let quoted = text.replace('\\', r"\\").replace('"', "\\\"");
                out.replace_range(start.., &format!("\"{quoted}\""));
            }
        }
        out.push('}');
        Ok(())
    }))
}

/// Records: `(1,"two words",)`.
pub(super) fn records(records: &StructArray) -> Result<Writer, SqlError> {
    let fields = records.columns().to_vec();
    let writers = fields.iter().map(writer).collect::<Result<Vec<_>, _>>()?;
    Ok(Box::new(move |row, out| {
        out.push('(');
        for (at, (field, write)) in fields.iter().zip(&writers).enumerate() {
            if at > 0 {
                out.push(',');
            }
            if field.is_null(row) || *field.data_type() == DataType::Null {
                continue;
            }
            let start = out.len();
            write(row, out)?;
            let text = &out[start..];
            let needs_quotes = text.is_empty()
                || text
                    .contains(['"', '\\', '(', ')', ',', ' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
            if needs_quotes {
                let quoted = text.replace('\\', r"\\").replace('"', "\"\"");
                out.replace_range(start.., &format!("\"{quoted}\""));
            }
        }
        out.push(')');
        Ok(())
    }))
}
