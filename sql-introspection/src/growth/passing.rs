//! A step of a plan that lets batches pass, checked or changed.

use std::fmt;
use std::sync::Arc;

use datafusion::{
    arrow::array::RecordBatch,
    common::{Result, internal_err, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;

/// What is done to a batch, whose rows and columns stay as they are.
pub(super) trait OnBatch: fmt::Debug + Send + Sync + 'static {
    /// Its name in plans.
    const NAME: &'static str;

    /// The batch, unless there is something wrong with it.
    fn pass(&self, batch: RecordBatch) -> Result<RecordBatch>;
}

/// What a step returns, passed on.
#[derive(Debug)]
pub(super) struct Passing<S> {
    input: Arc<dyn ExecutionPlan>,
    step: Arc<S>,
}

impl<S: OnBatch> Passing<S> {
    pub(super) fn of(input: Arc<dyn ExecutionPlan>, step: S) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input, step: Arc::new(step) })
    }
}

impl<S: OnBatch> DisplayAs for Passing<S> {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(S::NAME)
    }
}

impl<S: OnBatch> ExecutionPlan for Passing<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    /// Those of what it passes on.
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
        let [input] = &children[..] else { return internal_err!("it passes on one step") };
        Ok(Arc::new(Self { input: Arc::clone(input), step: Arc::clone(&self.step) }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let step = Arc::clone(&self.step);
        let batches = self.input.execute(partition, context)?;
        let batches = batches.map(move |batch| step.pass(batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), batches)))
    }
}
