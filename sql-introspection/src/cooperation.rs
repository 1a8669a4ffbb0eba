//! Makes every query give way: after some batches, a stream returns to the scheduler, so that a
//! query can be cancelled, and runs out of time, whatever it computes.
//!
//! The engine does so where rows come from. A join of a few rows with themselves can compute for
//! years without asking for another one.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{ExecutionPlan, coop::CooperativeExec},
};

/// Wraps every step of a plan that has another one below it.
#[derive(Debug)]
pub(crate) struct GiveWay;

impl PhysicalOptimizerRule for GiveWay {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|plan| {
            let is_above = !plan.children().is_empty() && plan.name() != "CooperativeExec";
            Ok(if is_above {
                Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>)
            } else {
                Transformed::no(plan)
            })
        });
        wrapped.data()
    }

    fn name(&self) -> &'static str {
        "give way"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
