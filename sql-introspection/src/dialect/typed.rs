//! What is changed in a plan once the types of all that it computes are known.

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{TransformedResult, TreeNode},
    },
    logical_expr::{LogicalPlan, expr_rewriter::NamePreserver, utils::merge_schema},
    optimizer::AnalyzerRule,
};

use super::{
    arrays::length_or_null, domains::checked, exact::exact, instants::compared, rounding::rounded,
    texts::written,
};

/// Rounds what is cast, lets fail what does not fit, compares times as exactly as they are written, and
/// writes texts.
#[derive(Debug)]
pub(super) struct Typed;

impl AnalyzerRule for Typed {
    fn name(&self) -> &'static str {
        "typed"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            let schema = merge_schema(&node.inputs());
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| {
                    rounded(expr, &schema)
                        .transform_data(|expr| Ok(exact(expr, &schema)))?
                        .transform_data(|expr| Ok(checked(expr)))?
                        .transform_data(|expr| Ok(length_or_null(expr, &schema)))?
                        .transform_data(|expr| Ok(compared(expr, &schema)))?
                        .transform_data(|expr| Ok(written(expr, &schema)))
                })?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        });
        plan.data()
    }
}
