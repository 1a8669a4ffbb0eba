//! How many rows a batch has: few, where each of them may be large. What a step collects until it
//! has a whole batch is in memory.

use datafusion::{
    common::{
        Result,
        config::ConfigNonZeroUsize,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan},
};

use crate::column::is_large;

/// Rows of a batch: few enough that a step which repeats them takes little.
pub(crate) const ROWS_MAX: usize = 1024;
/// What the constants of a batch may take, in bytes.
const BATCH_BYTES: usize = 16 << 20;
/// Constants up to this size are not worth counting, in bytes.
const SMALL_BYTES: usize = 1024;
/// Rows of a batch where columns are read whose values may be large.
const LARGE_ROWS: usize = 64;

/// How many rows a batch may have, given how many it has at most.
///
/// # Errors
/// Returns an error if the plan cannot be walked.
pub(crate) fn rows_max(
    plan: &LogicalPlan,
    rows_max: ConfigNonZeroUsize,
) -> Result<ConfigNonZeroUsize> {
    let mut has_large = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            has_large |= scan.projected_schema.fields().iter().any(|field| is_large(field));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let of_constants = BATCH_BYTES.checked_div(constants(plan)?).map(|rows| rows.max(1));
    let of_columns = has_large.then_some(LARGE_ROWS);
    match of_constants.into_iter().chain(of_columns).min() {
        Some(rows) => ConfigNonZeroUsize::try_new(rows.min(rows_max.get())),
        None => Ok(rows_max),
    }
}

/// What the constants of a plan take, in bytes, as far as they are worth counting.
///
/// # Errors
/// Returns an error if the plan cannot be walked.
pub(crate) fn constants(plan: &LogicalPlan) -> Result<usize> {
    let mut bytes = 0_usize;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::Literal(value, _) = part
                    && value.size() > SMALL_BYTES
                {
                    bytes = bytes.saturating_add(value.size());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(bytes)
}
