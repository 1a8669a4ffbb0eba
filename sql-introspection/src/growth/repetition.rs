//! Refuses to repeat large arrays. Texts are views, which are repeated without their bytes; arrays
//! are copied for each row that they occur in.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::{Array, AsArray},
        datatypes::{DataType, FieldRef},
    },
    common::{
        Result,
        config::ConfigOptions,
        plan_err, resources_err,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
    physical_expr::{PhysicalExpr, ScalarFunctionExpr, expressions::Column},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        projection::ProjectionExec,
        unnest::UnnestExec,
    },
};

/// Elements of an array that is repeated.
const REPEATED_MAX: usize = 8192;
/// Elements of an array of which each becomes a row of its own.
const UNNESTED_MAX: usize = 1 << 20;

/// Looks at what is repeated.
#[derive(Debug)]
pub(super) struct Repetition;

impl PhysicalOptimizerRule for Repetition {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config = Arc::new(config.clone());
        let watched = plan.transform_up(|plan| {
            let step: &dyn Any = &*plan;
            let unnested: Vec<usize> = match step.downcast_ref::<UnnestExec>() {
                Some(unnest) => {
                    unnest.list_column_indices().iter().map(|it| it.index_in_input_schema).collect()
                }
                None if plan.name().ends_with("JoinExec") => Vec::new(),
                None => return Ok(Transformed::no(plan)),
            };
            let inputs = plan.children().into_iter().map(|it| watched(it, &unnested, &config));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            Ok(Transformed::yes(plan.replace_children(
                inputs,
                ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
            )?))
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

/// What a step returns, which fails if it has arrays that are too large.
fn watched(
    plan: &Arc<dyn ExecutionPlan>,
    unnested: &[usize],
    config: &Arc<ConfigOptions>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    if !schema.fields().iter().any(|field| is_array(field.data_type())) {
        return Ok(Arc::clone(plan));
    }
    let columns = schema.fields().iter().enumerate().map(|(at, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), at));
        let watched = if is_array(field.data_type()) {
            let function = if unnested.contains(&at) { &UNNESTED } else { &REPEATED };
            let (function, field) = (Arc::clone(function), Arc::clone(field));
            let name = function.name().to_owned();
            Arc::new(ScalarFunctionExpr::new(
                &name,
                function,
                vec![column],
                field,
                Arc::clone(config),
            ))
        } else {
            column
        };
        (watched, field.name().clone())
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), Arc::clone(plan))?))
}

fn is_array(ty: &DataType) -> bool {
    matches!(ty, DataType::List(_))
}

static REPEATED: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Watched::function("repeated", REPEATED_MAX));
static UNNESTED: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Watched::function("unnested", UNNESTED_MAX));

/// Returns an array as it is, if it is not too large.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Watched {
    name: &'static str,
    elements_max: usize,
    signature: Signature,
}

impl Watched {
    fn function(name: &'static str, elements_max: usize) -> Arc<ScalarUDF> {
        let signature = Signature::any(1, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Self { name, elements_max, signature }))
    }
}

/// Elements of an array, with those of the arrays in it.
fn elements(array: &dyn Array) -> usize {
    match array.as_list_opt::<i32>() {
        Some(list) => {
            let offsets = list.offsets();
            // The offsets of a list are never negative, and never less than the one before.
            let at = |offset: Option<&i32>| offset.and_then(|it| usize::try_from(*it).ok());
            let (from, until) = (at(offsets.first()).unwrap_or(0), at(offsets.last()).unwrap_or(0));
            let within = list.values().slice(from, until - from);
            until - from + elements(&within)
        }
        None => 0,
    }
}

impl ScalarUDFImpl for Watched {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("its type is that of its argument")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match arguments.arg_fields {
            [field] => Ok(Arc::clone(field)),
            _ => plan_err!("{} takes one argument", self.name),
        }
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut arguments = ColumnarValue::values_to_arrays(&called.args)?.into_iter();
        let Some(array) = arguments.next() else {
            return plan_err!("{} takes one argument", self.name);
        };
        let largest = (0..array.len()).map(|row| elements(&array.slice(row, 1))).max().unwrap_or(0);
        if largest > self.elements_max {
            return resources_err!(
                "an array of {largest} elements would be {}, and may have {} there",
                self.name,
                self.elements_max
            );
        }
        Ok(ColumnarValue::Array(array))
    }
}
