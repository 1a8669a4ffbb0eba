//! `json_build_object(name, value, …)`, with which SQLAlchemy asks about columns.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, StringArray},
        datatypes::DataType,
    },
    common::{Result, ScalarValue, exec_err},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};
use serde_json::{Map, Value};

use super::texts;
use crate::arguments::{argument, number};

#[derive(Debug, PartialEq, Eq, Hash)]
struct BuildObject(Signature);

impl ScalarUDFImpl for BuildObject {
    fn name(&self) -> &'static str {
        "json_build_object"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !called.args.len().is_multiple_of(2) {
            return exec_err!("json_build_object needs a value for each name");
        }
        let object = |row| {
            let value = |at| argument(&called.args, at, row).unwrap_or(ScalarValue::Null);
            let pairs = (0..called.args.len()).step_by(2);
            let pairs = pairs.map(|at| Ok((text_of(&value(at))?, json(&value(at + 1))?)));
            Ok(Some(Value::Object(pairs.collect::<Result<Map<_, _>>>()?).to_string()))
        };
        let objects = (0..called.number_rows).map(object).collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(objects) as ArrayRef))
    }
}

fn json(value: &ScalarValue) -> Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let ScalarValue::Boolean(Some(value)) = value {
        return Ok(Value::Bool(*value));
    }
    if let Some(number) = number(value).filter(|_| value.data_type().is_integer()) {
        return Ok(number.into());
    }
    let text = text_of(value)?;
    // A number has as many digits as its text.
    let is_number = value.data_type().is_floating() || value.data_type().is_decimal();
    let number = is_number.then(|| serde_json::from_str(&text).ok()).flatten();
    let is_time = matches!(value.data_type(), DataType::Timestamp(..));
    Ok(number.unwrap_or_else(|| match is_time {
        true => in_iso(&text).into(),
        false => text.into(),
    }))
}

/// The text of a time as JSON has it.
fn in_iso(text: &str) -> String {
    let text = text.replacen(' ', "T", 1);
    match text.strip_suffix("+00") {
        Some(time) => format!("{time}+00:00"),
        None => text,
    }
}

fn text_of(value: &ScalarValue) -> Result<String> {
    let text = texts::of_values(&value.to_array()?)?;
    Ok(ScalarValue::try_from_array(&text, 0)?.to_string())
}

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(BuildObject(signature))))?;
    Ok(())
}
