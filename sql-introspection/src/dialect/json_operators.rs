//! JSON inside of JSON: `->` gives it as text, which every client understands, and `#>` and `#>>`
//! take a path. The engine's library knows `->>`, and gives a union of types for `->`.

use datafusion::{
    common::{DFSchema, Result, ScalarValue, plan_err},
    logical_expr::{
        Expr,
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
            BinaryOperator::Arrow => (json_get_json_udf(), vec![right.clone()]),
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
