//! Bytes of a text or of bytes. The engine counts those of texts only, and takes `length` of bytes for
//! that of the text that they are.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{compute::kernels::length::length, datatypes::DataType},
    common::{Result, ScalarValue, exec_err, plan_err},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};

/// Registers it in place of the engine's.
///
/// # Errors
/// Returns an error if the engine takes no more functions.
pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    functions.register_udf(Arc::clone(&OCTET_LENGTH))?;
    Ok(())
}

/// The number of bytes.
pub(super) fn of(bytes: Expr) -> Expr {
    OCTET_LENGTH.call(vec![bytes])
}

static OCTET_LENGTH: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(OctetLength(signature)))
});

#[derive(Debug, PartialEq, Eq, Hash)]
struct OctetLength(Signature);

impl ScalarUDFImpl for OctetLength {
    fn name(&self) -> &'static str {
        "octet_length"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [ty] if ty.is_string() || ty.is_binary() => Ok(vec![ty.clone()]),
            [DataType::Null] => Ok(vec![DataType::Utf8]),
            _ => plan_err!("Invalid function 'octet_length': it takes a text or bytes"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [bytes] = &called.args[..] else { return exec_err!("{} takes one value", self.name()) };
        let lengths = length(&*bytes.to_array(1.max(called.number_rows))?)?;
        if matches!(bytes, ColumnarValue::Scalar(_)) {
            return ScalarValue::try_from_array(&lengths, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(lengths))
    }
}
