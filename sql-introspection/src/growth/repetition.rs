//! Refuses to repeat large values. Joins repeat the rows of one side for those of the other. Arrays
//! are copied each time; texts are views, but what sorts, groups or converts them copies them, too.

use std::any::Any;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use datafusion::{
    arrow::{
        array::RecordBatch,
        datatypes::{DataType, SchemaRef},
    },
    common::{
        Result,
        config::ConfigOptions,
        resources_err,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        unnest::UnnestExec,
        windows::WindowAggExec,
    },
};

use super::{
    passing::{OnBatch, Passing},
    sizes,
};

/// What the repeated values of a column may take in one batch, in bytes. So the fewer rows a batch
/// has, the larger each of them may be.
const BATCH_BYTES: u64 = 64 << 20;
/// How many rows may be computed at once: a second or two. It cannot be interrupted.
const WINDOW_ROWS_MAX: u64 = 1_000_000;
/// What they may take if each has the largest value, in bytes.
const WINDOW_BYTES: u64 = 128 << 20;
/// What an array may take of which each element becomes a row of its own, in bytes.
const UNNESTED_BYTES: u64 = 8 << 20;

/// Looks at what is repeated.
#[derive(Debug)]
pub(super) struct Repetition;

impl PhysicalOptimizerRule for Repetition {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = u64::try_from(config.execution.batch_size.get()).unwrap_or(u64::MAX);
        let watched = plan.transform_up(|plan| {
            let step: &dyn Any = &*plan;
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            if step.is::<WindowAggExec>() {
                let inputs = plan.children().into_iter().map(Collected::of).collect();
                return Ok(Transformed::yes(plan.replace_children(inputs, options)?));
            }
            let unnested: Vec<usize> = match step.downcast_ref::<UnnestExec>() {
                Some(unnest) => {
                    unnest.list_column_indices().iter().map(|it| it.index_in_input_schema).collect()
                }
                None if plan.name().ends_with("JoinExec") => Vec::new(),
                None => return Ok(Transformed::no(plan)),
            };
            let limit = |column| match unnested.contains(&column) {
                true => Limit { column, bytes_max: UNNESTED_BYTES, what: "unnested" },
                false => Limit { column, bytes_max: BATCH_BYTES / rows, what: "repeated" },
            };
            let inputs = plan.children().into_iter().map(|it| Watched::around(it, limit)).collect();
            Ok(Transformed::yes(plan.replace_children(inputs, options)?))
        });
        watched.data()
    }

    fn name(&self) -> &'static str {
        "repetition"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// How large the values of a column may be.
#[derive(Debug, Clone, Copy)]
struct Limit {
    column: usize,
    bytes_max: u64,
    /// What would be done to them.
    what: &'static str,
}

impl Limit {
    fn check(&self, batch: &RecordBatch) -> Result<()> {
        let Self { column, bytes_max, what } = self;
        let bytes = sizes::largest(batch.column(*column));
        if bytes > *bytes_max {
            return resources_err!(
                "a value of {bytes} bytes would be {what}, and may have {bytes_max} there"
            );
        }
        Ok(())
    }
}

/// Fails if there are values that are too large.
#[derive(Debug)]
struct Watched(Vec<Limit>);

impl Watched {
    /// Watches the columns of a step whose values may be large, if there are any.
    fn around(
        input: &Arc<dyn ExecutionPlan>,
        limit: impl Fn(usize) -> Limit,
    ) -> Arc<dyn ExecutionPlan> {
        let schema: SchemaRef = input.schema();
        let columns = schema.fields().iter().enumerate();
        let large = columns.filter(|(_, field)| !is_small(field.data_type()));
        let limits: Vec<_> = large.map(|(column, _)| limit(column)).collect();
        let input = Arc::clone(input);
        if limits.is_empty() { input } else { Passing::of(input, Self(limits)) }
    }
}

impl OnBatch for Watched {
    const NAME: &'static str = "Watched";

    fn pass(&self, batch: RecordBatch) -> Result<RecordBatch> {
        self.0.iter().try_for_each(|limit| limit.check(&batch))?;
        Ok(batch)
    }
}

/// Fails if there is too much for a window that has rows behind the current one: all rows are
/// collected, and then computed at once.
#[derive(Debug, Default)]
struct Collected {
    rows: AtomicU64,
    largest: AtomicU64,
}

impl Collected {
    fn of(input: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Passing::of(Arc::clone(input), Self::default())
    }
}

impl OnBatch for Collected {
    const NAME: &'static str = "Collected";

    fn pass(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let more = batch.num_rows() as u64;
        let rows = self.rows.fetch_add(more, Ordering::Relaxed) + more;
        let large = batch.columns().iter().filter(|column| !is_small(column.data_type()));
        let largest = large.map(|column| sizes::largest(column)).max().unwrap_or(0);
        let largest = self.largest.fetch_max(largest, Ordering::Relaxed).max(largest);
        if rows > WINDOW_ROWS_MAX || rows * largest > WINDOW_BYTES {
            return resources_err!(
                "a window over {rows} rows, with values of up to {largest} bytes, would be computed \
                 at once, and may have {WINDOW_ROWS_MAX} rows and {WINDOW_BYTES} bytes"
            );
        }
        Ok(batch)
    }
}

/// Whether all values of a type are small.
fn is_small(ty: &DataType) -> bool {
    ty.is_primitive() || matches!(ty, DataType::Boolean | DataType::Null)
}
