//! JSON inside of JSON: `->` gives it as text, which every client understands, and `#>` and `#>>`
//! take a path. The engine's library gives a union of types for `->`.

use std::sync::LazyLock;

use datafusion::{
    arrow::datatypes::DataType,
    common::{DFSchema, Result, exec_err, tree_node::TreeNode},
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
    sql::sqlparser::ast::BinaryOperator,
};

use super::json_access::{at_path, field};

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
        let name = format!("{} {op} {}", left.human_display(), right.human_display());
        #[expect(clippy::wildcard_enum_match_arm, reason = "others are not about JSON")]
        let found = match op {
            BinaryOperator::Arrow => field(left, key(&right), false),
            BinaryOperator::LongArrow => field(left, key(&right), true),
            BinaryOperator::HashArrow => at_path(left, right, false),
            BinaryOperator::HashLongArrow => at_path(left, right, true),
            _ => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        };
        Ok(PlannerResult::Planned(found.alias(name)))
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

/// A text, or a number.
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
