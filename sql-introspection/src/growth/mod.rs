//! What the values of a query may take. A short statement can make much out of little, and the
//! engine counts only what its steps keep, not what they compute. Here
//!
//! - texts are views, so what repeats a row does not copy it;
//! - values are counted for as long as something holds them ([`claims`]);
//! - a function is not called if it would return too much (`bounded`, `estimates`, `operators`,
//!   [`sizes`]);
//! - a batch has few rows where values may be large ([`batches`]);
//! - a large value is not repeated (`repetition`);
//! - what is kept is not counted many times (`tightness`);
//! - a text is counted by its parts until it is planned ([`texts`]);
//! - constants are counted as often as the engine copies them ([`own`]);
//! - a query leaves some of the memory for others (`portions`).

pub(crate) mod batches;
mod bounded;
pub(crate) mod claims;
mod estimates;
mod operators;
pub(crate) mod own;
mod passing;
mod portions;
mod repetition;
pub(crate) mod sizes;
pub(crate) mod texts;
pub(crate) mod tightness;

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    execution::{SessionState, SessionStateBuilder},
    logical_expr::{
        Expr, LogicalPlan, LogicalPlanBuilder, cast, expr::ScalarFunction,
        expr_rewriter::NamePreserver,
    },
    optimizer::AnalyzerRule,
};

use bounded::Bounded;
use repetition::Repetition;
use tightness::Tightness;

/// Puts the bounds in place.
pub(crate) fn bound(state: &SessionState) -> SessionState {
    let mut analyzer = state.analyzer().clone();
    // Before the types of arguments are made to fit what functions take.
    analyzer.rules.insert(0, Arc::new(Bounds));
    let mut builder = SessionStateBuilder::new_from_existing(state.clone())
        .with_physical_optimizer_rule(Arc::new(Repetition))
        .with_physical_optimizer_rule(Arc::new(Tightness));
    *builder.analyzer() = Some(analyzer);
    builder.build()
}

/// Bounds each function of a plan, and the operators that make something new.
#[derive(Debug)]
struct Bounds;

impl AnalyzerRule for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            let changed = node.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| Ok(bounded(operators::called(expr))))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })?;
            // What is above has to know that texts are views.
            changed.map_data(|node| alike(node)?.recompute_schema())
        });
        plan.data()
    }
}

/// The rows that a recursion adds have the types of those that it begins with.
fn alike(node: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::RecursiveQuery(mut query) = node else { return Ok(node) };
    let (first, more) = (query.static_term.schema(), query.recursive_term.schema());
    if first
        .fields()
        .iter()
        .map(|it| it.data_type())
        .eq(more.fields().iter().map(|it| it.data_type()))
    {
        return Ok(LogicalPlan::RecursiveQuery(query));
    }
    let columns = more.columns().into_iter().zip(first.fields());
    let columns = columns.map(|(column, like)| {
        let name = column.name.clone();
        cast(Expr::Column(column), like.data_type().clone()).alias(name)
    });
    let columns = columns.collect::<Vec<_>>();
    let more = LogicalPlanBuilder::from(Arc::clone(&query.recursive_term)).project(columns)?;
    query.recursive_term = Arc::new(more.build()?);
    Ok(LogicalPlan::RecursiveQuery(query))
}

fn bounded(expr: Expr) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else {
        return Transformed::no(expr);
    };
    let func = Bounded::around(func);
    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
}
