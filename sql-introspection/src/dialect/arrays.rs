//! Arrays: as PostgreSQL writes them in a text, and as `information_schema._pg_expandarray` takes
//! them apart.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, AsArray, Int32Array, ListArray, ListBuilder, StringBuilder,
            StructArray,
        },
        datatypes::{DataType, Field, Fields},
    },
    common::{DFSchema, DataFusionError, Result, ScalarValue, exec_err, tree_node::Transformed},
    execution::FunctionRegistry,
    functions::core::nullif,
    logical_expr::{
        ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, Volatility, expr::ScalarFunction, lit,
    },
};

use crate::{arguments::text, error::SqlError};

/// Reads the text of an array.
pub(super) const READ: &str = "array_in";

/// Gives each element of an array its number, in a list of pairs. The calls of `_pg_expandarray`
/// unnest these.
pub(super) const NUMBERED: &str = "numbered_elements";

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let read = Read(Signature::string(1, Volatility::Immutable));
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(read)))?;
    let numbered = Numbered(Signature::any(1, Volatility::Immutable));
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(numbered)))?;
    Ok(())
}

/// An array without elements has no length: PostgreSQL's has no dimension.
pub(super) fn length_or_null(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, .. }) = &expr else {
        return Transformed::no(expr);
    };
    if func.name() != "array_length" {
        return Transformed::no(expr);
    }
    let Ok(none) = expr.get_type(schema).and_then(|ty| ScalarValue::new_zero(&ty)) else {
        return Transformed::no(expr);
    };
    Transformed::yes(nullif().call(vec![expr, lit(none)]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Read(Signature);

impl ScalarUDFImpl for Read {
    fn name(&self) -> &'static str {
        READ
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))))
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in 0..called.number_rows {
            match text(&called.args, 0, row) {
                Some(text) => lists.append_value(elements(&text)?),
                None => lists.append_null(),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish()) as ArrayRef))
    }
}

/// The elements of an array, which may be null.
pub(super) fn elements(text: &str) -> Result<Vec<Option<String>>> {
    let malformed = || {
        let what = format!("malformed array literal: \"{text}\"");
        let hint = "write {a,b} or {\"a\",\"b\"}; an array of arrays is not supported";
        DataFusionError::External(Box::new(SqlError::new("22P02", what).hint(hint)))
    };
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let inner = inner.ok_or_else(malformed)?.trim();
    let mut elements = Vec::new();
    let mut rest = inner.chars().peekable();
    while !inner.is_empty() {
        while rest.next_if(|it| it.is_whitespace()).is_some() {}
        let is_quoted = rest.next_if_eq(&'"').is_some();
        let mut element = String::new();
        loop {
            match rest.peek() {
                Some('"') if is_quoted => break,
                Some(',') | None if !is_quoted => break,
                Some('{' | '}' | '"') if !is_quoted => return Err(malformed()),
                Some('\\') => _ = rest.next(),
                Some(_) | None => (),
            }
            element.push(rest.next().ok_or_else(malformed)?);
        }
        if is_quoted {
            rest.next();
            while rest.next_if(|it| it.is_whitespace()).is_some() {}
            elements.push(Some(element));
        } else {
            let word = element.trim_end();
            if word.is_empty() {
                return Err(malformed());
            }
            elements.push((!word.eq_ignore_ascii_case("null")).then(|| word.to_owned()));
        }
        match rest.next() {
            Some(',') => (),
            Some(_) => return Err(malformed()),
            None => break,
        }
    }
    Ok(elements)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Numbered(Signature);

/// A pair of an element and its number, as PostgreSQL calls them.
fn pair(element: &DataType) -> Fields {
    let field = |name, ty| Field::new(name, ty, true);
    Fields::from(vec![field("x", element.clone()), field("n", DataType::Int32)])
}

impl ScalarUDFImpl for Numbered {
    fn name(&self) -> &'static str {
        NUMBERED
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [DataType::List(element)] = types else {
            return exec_err!("_pg_expandarray is of an array");
        };
        let pair = DataType::Struct(pair(element.data_type()));
        Ok(DataType::List(Arc::new(Field::new_list_field(pair, true))))
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&called.args)?;
        let Some(lists) = arrays.first().and_then(|array| array.as_list_opt::<i32>()) else {
            return exec_err!("_pg_expandarray is of an array");
        };
        let elements = lists.values();
        let mut numbers = vec![0; elements.len()];
        for ends in lists.value_offsets().windows(2) {
            let (start, end) = (ends[0].cast_unsigned() as usize, ends[1].cast_unsigned() as usize);
            for (number, nth) in numbers[start..end].iter_mut().zip(1..) {
                *number = nth;
            }
        }
        let fields = pair(elements.data_type());
        let pairs = StructArray::try_new(
            fields.clone(),
            vec![Arc::clone(elements), Arc::new(Int32Array::from(numbers))],
            None,
        )?;
        let field = Arc::new(Field::new_list_field(DataType::Struct(fields), true));
        let offsets = lists.offsets().clone();
        let numbered = ListArray::try_new(field, offsets, Arc::new(pairs), lists.nulls().cloned())?;
        Ok(ColumnarValue::Array(Arc::new(numbered)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_read_as_postgresql_writes_them() {
        let some =
            |texts: &[&str]| texts.iter().map(|it| Some((*it).to_owned())).collect::<Vec<_>>();
        assert_eq!(elements("{}").unwrap(), []);
        assert_eq!(elements("{a, b c ,d}").unwrap(), some(&["a", "b c", "d"]));
        assert_eq!(
            elements(r#"{"a,b", "with \"quotes\", and {braces}",""}"#).unwrap(),
            some(&["a,b", "with \"quotes\", and {braces}", ""])
        );
        assert_eq!(elements(r#"{NULL,"NULL"}"#).unwrap(), [None, Some("NULL".to_owned())]);
        for malformed in ["a", "{a", "{a,}", "{\"a}", "{\"a\"b}", "{{a},{b}}", "{,}", "{a\\"] {
            assert!(elements(malformed).is_err(), "{malformed}");
        }
    }
}
