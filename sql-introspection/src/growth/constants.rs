//! Large constants: they are repeated for each row of a batch, so a batch has few rows.

use datafusion::{
    common::{
        Result,
        config::ConfigNonZeroUsize,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan},
};

/// What the constants of a batch may take, in bytes.
const BATCH_BYTES: usize = 16 << 20;
/// Constants up to this size are not worth counting, in bytes.
const SMALL_BYTES: usize = 1024;

/// How many rows a batch may have, given how many it has at most.
///
/// # Errors
/// Returns an error if the plan cannot be walked.
pub(crate) fn rows_max(
    plan: &LogicalPlan,
    rows_max: ConfigNonZeroUsize,
) -> Result<ConfigNonZeroUsize> {
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
    match BATCH_BYTES.checked_div(bytes) {
        Some(rows) => ConfigNonZeroUsize::try_new(rows.clamp(1, rows_max.get())),
        None => Ok(rows_max),
    }
}
