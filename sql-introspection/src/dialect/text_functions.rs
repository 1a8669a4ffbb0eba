//! `format(text, …)`, `convert_from(bytes, encoding)` and `pg_typeof(value)`.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::{ArrayRef, StringArray},
        datatypes::{DataType, Field},
    },
    common::{Result, ScalarValue, exec_err},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        lit,
    },
};

use super::texts;
use crate::arguments::argument;

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(Format(signature))))?;
    functions.register_udf(Arc::clone(&CONVERT_FROM))?;
    let format_type = functions.udf("format_type")?;
    let signature = Signature::any(1, Volatility::Immutable);
    let type_of = ScalarUDF::new_from_impl(TypeOf { format_type, signature });
    functions.register_udf(Arc::new(type_of))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Format(Signature);

impl ScalarUDFImpl for Format {
    fn name(&self) -> &'static str {
        "format"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut texts = Vec::with_capacity(called.args.len());
        for values in &called.args {
            let is_same = matches!(values, ColumnarValue::Scalar(_));
            let written = texts::of_values(&values.to_array(if is_same {
                1
            } else {
                called.number_rows
            })?)?;
            texts.push(match is_same {
                true => ColumnarValue::Scalar(ScalarValue::try_from_array(&written, 0)?),
                false => ColumnarValue::Array(written),
            });
        }
        let formatted = |row| {
            let values = (1..texts.len()).filter_map(|at| argument(&texts, at, row));
            let pattern = argument(&texts, 0, row);
            let pattern = pattern.as_ref().and_then(|pattern| pattern.try_as_str().flatten());
            pattern.map(|pattern| formatted(pattern, values)).transpose()
        };
        let formatted = (0..called.number_rows).map(formatted).collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(formatted) as ArrayRef))
    }
}

/// The pattern, with the values in the places of %s, %I (as a name) and %L (as a literal).
fn formatted(pattern: &str, mut values: impl Iterator<Item = ScalarValue>) -> Result<String> {
    let mut text = String::new();
    let mut rest = pattern.chars();
    while let Some(next) = rest.next() {
        if next != '%' {
            text.push(next);
            continue;
        }
        let kind = match rest.next() {
            Some('%') => {
                text.push('%');
                continue;
            }
            Some(kind @ ('s' | 'I' | 'L')) => kind,
            _ => return exec_err!("format knows %s, %I, %L and %% only"),
        };
        let Some(value) = values.next() else {
            return exec_err!("format has too few arguments for {pattern}");
        };
        let shown = value.to_string();
        match kind {
            'L' if value.is_null() => text.push_str("NULL"),
            'I' if value.is_null() => return exec_err!("null cannot be formatted as a name"),
            _ if value.is_null() => (),
            'L' => text.push_str(&format!("'{}'", shown.replace('\'', "''"))),
            'I' if !is_plain(&shown) => {
                text.push_str(&format!("\"{}\"", shown.replace('"', "\"\"")));
            }
            _ => text.push_str(&shown),
        }
    }
    Ok(text)
}

/// Whether a name needs no quotes.
fn is_plain(name: &str) -> bool {
    let is_letter = |it: char| it.is_ascii_lowercase() || it == '_';
    name.starts_with(is_letter) && name.chars().all(|it| is_letter(it) || it.is_ascii_digit())
}

/// The text that bytes are.
pub(super) fn text_in(bytes: Expr) -> Expr {
    CONVERT_FROM.call(vec![bytes, lit("UTF8")])
}

static CONVERT_FROM: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(ConvertFrom(signature)))
});

#[derive(Debug, PartialEq, Eq, Hash)]
struct ConvertFrom(Signature);

impl ScalarUDFImpl for ConvertFrom {
    fn name(&self) -> &'static str {
        "convert_from"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [bytes, ColumnarValue::Scalar(encoding)] = &called.args[..] else {
            return exec_err!("convert_from has two arguments: bytes and 'UTF8'");
        };
        let encoding = encoding.to_string();
        if !["utf8", "utf-8"].contains(&encoding.to_lowercase().as_str()) {
            return exec_err!("convert_from knows UTF8 only, not {encoding}");
        }
        bytes.cast_to(&DataType::Utf8, None)
    }
}

/// Asks another function what the type's oid is called.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    format_type: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &'static str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(field) = called.arg_fields.first() else {
            return exec_err!("pg_typeof has one argument");
        };
        let oid = match arrow_pg::datatypes::field_into_pg_type(field) {
            Ok(ty) => ty.oid().cast_signed(),
            Err(error) => return exec_err!("{error}"),
        };
        let number = |value| ColumnarValue::Scalar(ScalarValue::Int32(Some(value)));
        let field = Arc::new(Field::new("", DataType::Int32, false));
        let name = self.format_type.invoke_with_args(ScalarFunctionArgs {
            args: vec![number(oid), number(-1)],
            arg_fields: vec![Arc::clone(&field), field],
            number_rows: 1,
            ..called
        })?;
        let name = ScalarValue::try_from_array(&*name.into_array(1)?, 0)?;
        Ok(ColumnarValue::Scalar(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_formatted_as_texts_names_and_literals() {
        let values = ["a", "it's", "Name", "x"].map(ScalarValue::from);
        let text = formatted("%s, %L, %I.%I: 100%%", values.into_iter()).unwrap();
        assert_eq!(text, "a, 'it''s', \"Name\".x: 100%");
        assert!(formatted("%s", std::iter::empty()).is_err());
        assert!(formatted("%d", [ScalarValue::from(1)].into_iter()).is_err());
    }
}
