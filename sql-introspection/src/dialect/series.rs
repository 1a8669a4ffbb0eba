//! `generate_series` in FROM, of times too. The engine's counts times in nanoseconds only.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    catalog::{TableFunction, TableFunctionArgs, TableFunctionImpl, TableProvider},
    common::Result,
    execution::SessionState,
    logical_expr::Expr,
};

/// Puts itself before the engine's functions.
pub(super) fn register(state: &mut SessionState) {
    for name in ["generate_series", "range"] {
        if let Some(engines) = state.table_functions().get(name).cloned() {
            state.register_udtf(name, Arc::new(Series(engines)));
        }
    }
}

#[derive(Debug)]
struct Series(Arc<TableFunction>);

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let counted = args.exprs().iter().map(|expr| {
            let Expr::Literal(value, metadata) = expr else { return Ok(expr.clone()) };
            let DataType::Timestamp(_, zone) = value.data_type() else { return Ok(expr.clone()) };
            let time = DataType::Timestamp(TimeUnit::Nanosecond, zone);
            Ok(Expr::Literal(value.cast_to(&time)?, metadata.clone()))
        });
        let counted = counted.collect::<Result<Vec<_>>>()?;
        self.0.create_table_provider_with_args(TableFunctionArgs::new(&counted, args.session()))
    }
}
