//! `current_setting(name)` of a name that is known only when the query runs. Calls with a literal are
//! answered by the session, which may have set another value.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, StringArray},
        datatypes::DataType,
    },
    common::{DataFusionError, Result},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};

use crate::{arguments::text, session_settings::default_setting};

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::string(1, Volatility::Stable);
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(CurrentSetting(signature))))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentSetting(Signature);

impl ScalarUDFImpl for CurrentSetting {
    fn name(&self) -> &'static str {
        "current_setting"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let setting = |row| {
            let Some(name) = text(&called.args, 0, row) else { return Ok(None) };
            let known = default_setting(&name.to_lowercase());
            known.map(Some).map_err(|error| DataFusionError::External(Box::new(error)))
        };
        let settings = (0..called.number_rows).map(setting).collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(settings) as ArrayRef))
    }
}
