//! Refuses to repeat large values. Joins repeat the rows of one side for those of the other. Arrays
//! are copied each time; texts are views, but what sorts, groups or converts them copies them, too.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::{
    arrow::{
        array::RecordBatch,
        datatypes::{DataType, SchemaRef},
    },
    common::{
        Result,
        config::ConfigOptions,
        internal_err, resources_err,
        tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion},
    },
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        stream::RecordBatchStreamAdapter,
        unnest::UnnestExec,
    },
};
use futures::StreamExt;

use super::sizes;

/// What the repeated values of a column may take in one batch, in bytes. So the fewer rows a batch
/// has, the larger each of them may be.
const BATCH_BYTES: u64 = 64 << 20;
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
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
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

/// What a step returns, which fails if it has values that are too large.
#[derive(Debug, Clone)]
struct Watched {
    input: Arc<dyn ExecutionPlan>,
    limits: Vec<Limit>,
}

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
        if limits.is_empty() { input } else { Arc::new(Self { input, limits }) }
    }
}

/// Whether all values of a type are small.
fn is_small(ty: &DataType) -> bool {
    ty.is_primitive() || matches!(ty, DataType::Boolean | DataType::Null)
}

impl DisplayAs for Watched {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl ExecutionPlan for Watched {
    fn name(&self) -> &'static str {
        "Watched"
    }

    /// It changes nothing.
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = &children[..] else { return internal_err!("it watches one step") };
        Ok(Arc::new(Self { input: Arc::clone(input), limits: self.limits.clone() }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let limits = self.limits.clone();
        let batches = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            limits.iter().try_for_each(|limit| limit.check(&batch))?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), batches)))
    }
}
