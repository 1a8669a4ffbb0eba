//! Makes every query give way: after some batches, a stream returns to the scheduler, so that a
//! query can be cancelled, and runs out of time, whatever it computes.
//!
//! The engine does so where rows come from. A join of a few rows with themselves can compute for
//! years without asking for another one, and without finding one.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::datatypes::{DataType, Field},
    common::{
        Result, ScalarValue,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    logical_expr::{
        ColumnarValue, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
    physical_expr::{PhysicalExpr, ScalarFunctionExpr, expressions::BinaryExpr},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        coop::CooperativeExec,
        joins::{NestedLoopJoinExec, NestedLoopJoinExecBuilder, utils::JoinFilter},
    },
};

use crate::abandoned::Abandoned;

/// Wraps every step of a plan that has another one below it.
#[derive(Debug)]
pub(crate) struct GiveWay;

impl PhysicalOptimizerRule for GiveWay {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config = Arc::new(config.clone());
        let wrapped = plan.transform_up(|plan| {
            if plan.children().is_empty() || plan.name() == "CooperativeExec" {
                return Ok(Transformed::no(plan));
            }
            let step: &dyn Any = &*plan;
            let plan = match step.downcast_ref::<NestedLoopJoinExec>() {
                Some(join) => watched(join, &config)?,
                None => plan,
            };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>))
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

/// A join that fails once its query is abandoned, even if it finds nothing.
fn watched(
    join: &NestedLoopJoinExec,
    config: &Arc<ConfigOptions>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let builder = NestedLoopJoinExecBuilder::from(join);
    let filter = join.filter().map(|filter| {
        let name = GOES_ON.name().to_owned();
        let field = Arc::new(Field::new(&name, DataType::Boolean, false));
        let (function, config) = (Arc::clone(&GOES_ON), Arc::clone(config));
        let goes_on: Arc<dyn PhysicalExpr> =
            Arc::new(ScalarFunctionExpr::new(&name, function, Vec::new(), field, config));
        let condition = Arc::clone(filter.expression());
        let both = Arc::new(BinaryExpr::new(goes_on, Operator::And, condition));
        JoinFilter::new(both, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    });
    Ok(Arc::new(builder.with_filter(filter).build()?))
}

static GOES_ON: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::nullary(Volatility::Volatile);
    Arc::new(ScalarUDF::new_from_impl(GoesOn(signature)))
});

/// True, unless the query is abandoned: then it fails.
#[derive(Debug, PartialEq, Eq, Hash)]
struct GoesOn(Signature);

impl ScalarUDFImpl for GoesOn {
    fn name(&self) -> &'static str {
        "goes_on"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Abandoned::check(&called.config_options)?;
        Ok(ColumnarValue::Scalar(ScalarValue::from(true)))
    }
}
