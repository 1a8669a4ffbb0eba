//! Comparisons that PostgreSQL knows, and the engine does not.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, Decimal128Array},
        compute::cast,
        datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit},
    },
    common::{DFSchema, Result, config::ConfigOptions, exec_err, tree_node::Transformed},
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF,
        ScalarUDFImpl, Signature, Volatility,
        expr_rewriter::FunctionRewrite,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
};

use crate::interval::{nanoseconds, unit_nanoseconds};

/// Lets intervals of any kind be compared with each other, once the values of parameters are known,
/// and truth values with texts.
#[derive(Debug)]
pub(super) struct Comparisons {
    length: Arc<ScalarUDF>,
}

impl Comparisons {
    pub(super) fn new() -> Self {
        let signature = Signature::any(1, Volatility::Immutable);
        Self { length: Arc::new(ScalarUDF::new_from_impl(Length(signature))) }
    }
}

impl FunctionRewrite for Comparisons {
    fn name(&self) -> &'static str {
        "comparisons"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else {
            return Ok(Transformed::no(expr));
        };
        if !is_comparison(*op) {
            return Ok(Transformed::no(expr));
        }
        let (Ok(left_type), Ok(right_type)) = (left.get_type(schema), right.get_type(schema))
        else {
            return Ok(Transformed::no(expr));
        };
        let compared = |left, right| {
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
                Box::new(left),
                *op,
                Box::new(right),
            ))))
        };
        let length = |it: &Expr| self.length.call(vec![it.clone()]);
        match (&left_type, &right_type) {
            (DataType::Interval(_), DataType::Interval(_) | DataType::Duration(_))
            | (DataType::Duration(_), DataType::Interval(_)) => {
                compared(length(left), length(right))
            }
            _ => Ok(Transformed::no(expr)),
        }
    }
}

impl ExprPlanner for Comparisons {
    fn plan_binary_op(
        &self,
        mut compared: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let types = (compared.left.get_type(schema), compared.right.get_type(schema));
        let text = match types {
            (Ok(DataType::Boolean), Ok(text)) if text.is_string() => &mut compared.right,
            (Ok(text), Ok(DataType::Boolean)) if text.is_string() => &mut compared.left,
            _ => return Ok(PlannerResult::Original(compared)),
        };
        *text = text.clone().cast_to(&DataType::Boolean, schema)?;
        Ok(PlannerResult::Original(compared))
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// The length of an interval in nanoseconds: the engine takes a day and twenty-four hours for
/// different intervals.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Length(Signature);

impl ScalarUDFImpl for Length {
    fn name(&self) -> &'static str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(38, 0))
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&called.args)?;
        let [intervals] = &arrays[..] else {
            return exec_err!("{} is of one interval", self.name());
        };
        let lengths: Decimal128Array = if let DataType::Duration(unit) = intervals.data_type() {
            let counts = cast(intervals, &DataType::Int64)?;
            let counts = counts.as_primitive::<Int64Type>().iter();
            counts.map(|count| Some(i128::from(count?) * unit_nanoseconds(*unit))).collect()
        } else {
            let intervals = cast(intervals, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
            intervals.iter().map(|interval| interval.map(nanoseconds)).collect()
        };
        let lengths = lengths.with_precision_and_scale(38, 0)?;
        Ok(ColumnarValue::Array(Arc::new(lengths) as ArrayRef))
    }
}
