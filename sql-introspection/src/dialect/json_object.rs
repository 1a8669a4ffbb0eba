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
            let pairs = pairs.map(|at| (value(at).to_string(), json(&value(at + 1))));
            Value::Object(pairs.collect::<Map<_, _>>()).to_string()
        };
        let objects: StringArray = (0..called.number_rows).map(|row| Some(object(row))).collect();
        Ok(ColumnarValue::Array(Arc::new(objects) as ArrayRef))
    }
}

fn json(value: &ScalarValue) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    if let ScalarValue::Boolean(Some(value)) = value {
        return Value::Bool(*value);
    }
    match number(value).filter(|_| value.data_type().is_integer()) {
        Some(number) => number.into(),
        None => value.to_string().into(),
    }
}

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(BuildObject(signature))))?;
    Ok(())
}
