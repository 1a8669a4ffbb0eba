//! `exists (…)` as a value. The engine knows it as a condition only, where it becomes a join.

use std::sync::Arc;

use datafusion::{
    common::{
        Result, ScalarValue,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    functions_aggregate::expr_fn::count,
    logical_expr::{
        Expr, LogicalPlan, LogicalPlanBuilder, Subquery, expr::Exists,
        expr_rewriter::NamePreserver, lit,
    },
    optimizer::AnalyzerRule,
    prelude::col,
};

/// Counts the rows instead.
#[derive(Debug)]
pub(super) struct Existence;

impl AnalyzerRule for Existence {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|node| {
            if !matches!(node, LogicalPlan::Projection(_)) {
                return Ok(Transformed::no(node));
            }
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let counted = expr.transform_up(|expr| {
                    let Expr::Exists(exists) = expr else { return Ok(Transformed::no(expr)) };
                    counted(exists).map(Transformed::yes)
                })?;
                Ok(counted.update_data(|expr| name.restore(expr)))
            })
        });
        plan.data()
    }

    fn name(&self) -> &'static str {
        "existence"
    }
}

/// What the count is called.
const ROWS: &str = "rows";

fn counted(Exists { subquery, negated }: Exists) -> Result<Expr> {
    let Subquery { subquery: rows, outer_ref_columns, spans } = subquery;
    let rows = LogicalPlanBuilder::from(rows);
    // A limit cannot be turned into a join with the rows outside.
    let rows = if outer_ref_columns.is_empty() { rows.limit(0, Some(1))? } else { rows };
    let none = lit(ScalarValue::Int64(Some(0)));
    let rows = rows.aggregate(Vec::<Expr>::new(), [count(none.clone()).alias(ROWS)])?;
    let found = if negated { col(ROWS).eq(none) } else { col(ROWS).gt(none) };
    let subquery = Arc::new(rows.project([found])?.build()?);
    Ok(Expr::ScalarSubquery(Subquery { subquery, outer_ref_columns, spans }))
}
