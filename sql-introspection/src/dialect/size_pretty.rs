//! `pg_size_pretty(bytes)`.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, StringArray},
        datatypes::DataType,
    },
    common::Result,
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};

use crate::arguments::{argument, number};

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::any(1, Volatility::Immutable);
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(SizePretty(signature))))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SizePretty(Signature);

impl ScalarUDFImpl for SizePretty {
    fn name(&self) -> &'static str {
        "pg_size_pretty"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let pretty = |row| argument(&called.args, 0, row).as_ref().and_then(number).map(pretty);
        let texts: StringArray = (0..called.number_rows).map(pretty).collect();
        Ok(ColumnarValue::Array(Arc::new(texts) as ArrayRef))
    }
}

/// A unit has up to this many; then the next one is taken.
const COUNT_MAX: f64 = 10240.0;

/// A number of bytes as PostgreSQL writes it.
fn pretty(bytes: i64) -> String {
    let mut count = bytes as f64;
    for unit in ["bytes", "kB", "MB", "GB", "TB"] {
        if count.round().abs() < COUNT_MAX {
            return format!("{} {unit}", count.round());
        }
        count /= 1024.0;
    }
    format!("{} PB", count.round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_in_postgresql() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (-10_240, "-10 kB"),
            (1_536_000, "1500 kB"),
            (10_485_247, "10239 kB"),
            (10_485_760, "10 MB"),
            (5_000_000_000, "4768 MB"),
        ] {
            assert_eq!(pretty(bytes), text, "{bytes}");
        }
    }
}
