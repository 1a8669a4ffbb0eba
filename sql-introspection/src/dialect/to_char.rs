//! `to_char(time, template)`. The engine's takes a format of `strftime`.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, StringArray},
        compute::cast,
        datatypes::{DataType, TimeUnit, TimestampMicrosecondType},
    },
    common::{DataFusionError, Result, exec_err},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};

use super::template::Template;
use crate::{arguments::text, error::SqlError};

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    // It has another name, under which it would come back.
    functions.deregister_udf("to_char")?;
    let signature = Signature::any(2, Volatility::Immutable);
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(ToChar(signature))))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar(Signature);

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &'static str {
        "to_char"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Timestamp(..) | DataType::Date32 | DataType::Null, _] => Ok(DataType::Utf8),
            _ => Err(times_only()),
        }
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(times) = called.args.first() else {
            return exec_err!("to_char has two arguments: a time and a template");
        };
        let times = times.to_array(called.number_rows)?;
        // As in PostgreSQL, a date is midnight of the session's zone.
        let has_zone = !matches!(times.data_type(), DataType::Timestamp(_, None));
        let times = cast(&times, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let mut known: Option<(String, Template)> = None;
        let mut written = |row| {
            let Some(template) = text(&called.args, 1, row).filter(|it| !it.is_empty()) else {
                return Ok(None);
            };
            let Some(time) = times.value_as_datetime(row).filter(|_| times.is_valid(row)) else {
                return Ok(None);
            };
            let read = match known.take() {
                Some((known, read)) if known == template => read,
                Some(_) | None => Template::read(&template)?,
            };
            let written = read.write(time, has_zone);
            known = Some((template, read));
            Ok(Some(written))
        };
        let texts = (0..called.number_rows).map(|row| written(row).map_err(external));
        let texts = texts.collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(texts) as ArrayRef))
    }
}

fn times_only() -> DataFusionError {
    let error = SqlError::new("0A000", "to_char is of times only here");
    external(error.hint("cast a number to text, or round it"))
}

fn external(error: SqlError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
