//! What time it is: when the statement began, in microseconds as PostgreSQL has it. The engine's has
//! nanoseconds, which end in the year 2262.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    common::{Result, ScalarValue, exec_err},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
};

use crate::column::UTC;

/// Registers it in place of the engine's.
///
/// # Errors
/// Returns an error if the engine takes no more functions.
pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    functions.register_udf(Arc::clone(&NOW))?;
    functions.register_udf(Arc::new(clock("localtimestamp", &[], false)))?;
    Ok(())
}

/// When the statement began.
pub(super) fn now() -> Expr {
    NOW.call(Vec::new())
}

static NOW: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let aliases = ["current_timestamp", "transaction_timestamp", "statement_timestamp"];
    Arc::new(clock("now", &aliases, true))
});

fn clock(name: &'static str, aliases: &[&str], has_zone: bool) -> ScalarUDF {
    let aliases = aliases.iter().map(|it| (*it).to_owned()).collect();
    let signature = Signature::nullary(Volatility::Stable);
    ScalarUDF::new_from_impl(Clock { name, aliases, has_zone, signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Clock {
    name: &'static str,
    aliases: Vec<String>,
    has_zone: bool,
    signature: Signature,
}

impl Clock {
    fn zone(&self) -> Option<Arc<str>> {
        self.has_zone.then(|| UTC.into())
    }
}

impl ScalarUDFImpl for Clock {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, self.zone()))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(began) = info.query_execution_start_time() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let began = ScalarValue::TimestampMicrosecond(Some(began.timestamp_micros()), self.zone());
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(began, None)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{} is known before a statement runs", self.name)
    }
}
