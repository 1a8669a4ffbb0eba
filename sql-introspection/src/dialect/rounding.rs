//! Fractions become whole numbers by rounding, as in PostgreSQL. The engine cuts them off.

use datafusion::{
    common::{
        DFSchema, Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    functions::math::round,
    logical_expr::{
        Cast, Expr, ExprSchemable, LogicalPlan, expr_rewriter::NamePreserver, utils::merge_schema,
    },
    optimizer::AnalyzerRule,
};

/// Rounds what is cast.
#[derive(Debug)]
pub(super) struct Rounding;

impl AnalyzerRule for Rounding {
    fn name(&self) -> &'static str {
        "rounding"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            let schema = merge_schema(&node.inputs());
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| Ok(rounded(expr, &schema)))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        });
        plan.data()
    }
}

fn rounded(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::Cast(Cast { expr: fraction, field }) = expr else { return Transformed::no(expr) };
    let ty = fraction.get_type(schema);
    let has_fraction = ty.is_ok_and(|ty| ty.is_floating() || ty.is_decimal());
    if !has_fraction || !field.data_type().is_integer() {
        return Transformed::no(Expr::Cast(Cast { expr: fraction, field }));
    }
    let expr = Box::new(round().call(vec![*fraction]));
    Transformed::yes(Expr::Cast(Cast { expr, field }))
}
