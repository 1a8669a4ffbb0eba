//! Numbers as PostgreSQL computes them, once their types are known.

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{TransformedResult, TreeNode},
    },
    logical_expr::{LogicalPlan, expr_rewriter::NamePreserver, utils::merge_schema},
    optimizer::AnalyzerRule,
};

use super::{exact::exact, rounding::rounded};

/// Rounds what is cast, and lets fail what does not fit.
#[derive(Debug)]
pub(super) struct Numbers;

impl AnalyzerRule for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            let schema = merge_schema(&node.inputs());
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| {
                    rounded(expr, &schema).transform_data(|expr| Ok(exact(expr, &schema)))
                })?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        });
        plan.data()
    }
}
