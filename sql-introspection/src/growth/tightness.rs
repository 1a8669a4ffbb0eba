//! Views that hold little more than they show. What a join returns points into all that it has
//! collected, and each step that keeps a batch counts everything that it points into.

use std::any::Any;
use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, GenericByteViewArray, RecordBatch, RecordBatchOptions},
        datatypes::ByteViewType,
    },
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        sorts::sort::SortExec,
    },
};

use super::passing::{OnBatch, Passing};

/// Has what is sorted hold little more than it shows.
#[derive(Debug)]
pub(super) struct Tightness;

impl PhysicalOptimizerRule for Tightness {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let tight = plan.transform_up(|plan| {
            let step: &dyn Any = &*plan;
            let Some(sort) = step.downcast_ref::<SortExec>() else {
                return Ok(Transformed::no(plan));
            };
            let input = Passing::of(Arc::clone(sort.input()), Tight);
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            Ok(Transformed::yes(plan.replace_children(vec![input], options)?))
        });
        tight.data()
    }

    fn name(&self) -> &'static str {
        "tightness"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Tight;

impl OnBatch for Tight {
    const NAME: &'static str = "Tight";

    fn pass(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().iter().map(tight).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
    }
}

/// The same values, copied if they hold more than twice what they show.
pub(crate) fn tight(array: &ArrayRef) -> ArrayRef {
    if let Some(texts) = array.as_string_view_opt().and_then(tightened) {
        Arc::new(texts)
    } else if let Some(bytes) = array.as_binary_view_opt().and_then(tightened) {
        Arc::new(bytes)
    } else {
        Arc::clone(array)
    }
}

fn tightened<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Option<GenericByteViewArray<T>> {
    let held: usize = array.data_buffers().iter().map(|buffer| buffer.capacity()).sum();
    // Short values are in the view itself.
    let lengths = array.lengths().filter(|length| *length > INLINE_MAX);
    let shown: u64 = lengths.map(u64::from).sum();
    (held as u64 > shown.saturating_mul(2)).then(|| array.gc())
}

/// Bytes of the longest value that is in the view itself, as Arrow's format says.
const INLINE_MAX: u32 = 12;
