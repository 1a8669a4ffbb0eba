//! What `->` returns: JSON values, which Arrow has as a union of their types. They are shown as JSON.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, StringBuilder, UnionArray},
    datatypes::DataType,
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};

/// The member for texts, which have to be quoted. Arrays and objects are texts, too, but JSON
/// already.
const TEXT: &str = "str";

/// The column with JSON values as text, or as it is if it has none.
pub(crate) fn as_json(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let (Some(values), DataType::Union(members, _)) =
        (column.as_any().downcast_ref::<UnionArray>(), column.data_type())
    else {
        return Ok(Arc::clone(column));
    };
    let options = FormatOptions::new();
    let member = |(id, field): (i8, &Arc<arrow::datatypes::Field>)| {
        let formatter = ArrayFormatter::try_new(values.child(id), &options)?;
        Ok((id, field.name() == TEXT, formatter))
    };
    let members = members.iter().map(member).collect::<Result<Vec<_>, ArrowError>>()?;
    let mut texts = StringBuilder::new();
    for row in 0..values.len() {
        let (id, at) = (values.type_id(row), values.value_offset(row));
        let member = members.iter().find(|(member, ..)| *member == id);
        let Some((_, is_text, formatter)) = member.filter(|_| !is_null(values.child(id), at))
        else {
            texts.append_null();
            continue;
        };
        let text = formatter.value(at).try_to_string()?;
        texts.append_value(if *is_text { quoted(&text) } else { text });
    }
    Ok(Arc::new(texts.finish()))
}

fn is_null(array: &dyn Array, at: usize) -> bool {
    array.data_type() == &DataType::Null || array.is_null(at)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
