//! JSON inside of JSON: `->` gives it as text, which every client understands, and `#>` and `#>>`
//! take a path. The engine's library knows `->>`, and gives a union of types for `->`.

use std::sync::LazyLock;

use datafusion::{
    arrow::datatypes::DataType,
    common::{DFSchema, Result, ScalarValue, exec_err, plan_err, tree_node::TreeNode},
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        expr::ScalarFunction,
        lit,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
    sql::sqlparser::ast::BinaryOperator,
};
use datafusion_functions_json::udfs::{json_as_text_udf, json_get_json_udf};

/// Plans the operators.
#[derive(Debug)]
pub(super) struct JsonOperators;

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        #[expect(clippy::wildcard_enum_match_arm, reason = "others are not about JSON")]
        let (function, steps) = match op {
            BinaryOperator::Arrow => (json_get_json_udf(), vec![key(&right)]),
            BinaryOperator::LongArrow if matches!(right, Expr::Placeholder(_)) => {
                (json_as_text_udf(), vec![key(&right)])
            }
            BinaryOperator::HashArrow => (json_get_json_udf(), path(&right)?),
            BinaryOperator::HashLongArrow => (json_as_text_udf(), path(&right)?),
            _ => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        };
        let name = format!("{} {op} {}", left.human_display(), right.human_display());
        let args = std::iter::once(left).chain(steps).collect();
        let call = Expr::ScalarFunction(ScalarFunction { func: function, args });
        Ok(PlannerResult::Planned(call.alias(name)))
    }
}

/// A key or an index; the value of a parameter is either, whatever whole number its client sends.
fn key(written: &Expr) -> Expr {
    static KEY: LazyLock<ScalarUDF> =
        LazyLock::new(|| ScalarUDF::new_from_impl(Key(Signature::any(1, Volatility::Immutable))));
    let is_parameter =
        written.exists(|part| Ok(matches!(part, Expr::Placeholder(_)))).unwrap_or(false);
    if is_parameter { KEY.call(vec![written.clone()]) } else { written.clone() }
}

/// A text, or a number that is as wide as the library wants it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key(Signature);

impl ScalarUDFImpl for Key {
    fn name(&self) -> &'static str {
        "json_key"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let is_index = types.iter().all(DataType::is_integer);
        Ok(if is_index { DataType::Int64 } else { DataType::Utf8 })
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [key] = &called.args[..] else { return exec_err!("{} takes one key", self.name()) };
        key.cast_to(called.return_field.data_type(), None)
    }
}

/// The steps of a path that is written as an array: `'{items,0,price}'`.
fn path(written: &Expr) -> Result<Vec<Expr>> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = written else {
        return plan_err!("a path in JSON is written as a literal, such as '{{items,0,price}}'");
    };
    let Some(steps) = text.strip_prefix('{').and_then(|it| it.strip_suffix('}')) else {
        return plan_err!("a path in JSON is written as a literal, such as '{{items,0,price}}'");
    };
    let step = |step: &str| {
        let step = step.trim().trim_matches('"');
        step.parse::<i64>().map_or_else(|_| lit(step), lit)
    };
    Ok(steps.split(',').map(step).collect())
}
