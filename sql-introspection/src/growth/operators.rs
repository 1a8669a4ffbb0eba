//! Operators that make something new, as functions: those can be bounded.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::ArrayRef, compute::kernels::concat_elements::concat_elements_dyn,
        datatypes::DataType,
    },
    common::{Result, ScalarValue, exec_err, plan_err},
    functions::regex::regexp_like,
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, Volatility, binary::BinaryTypeCoercer, expr::ScalarFunction, lit,
    },
};

/// The call that an operator stands for, if it makes a text, or patterns that differ from row to
/// row.
pub(super) fn called(expr: Expr) -> Expr {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return expr };
    let call = |function: &Arc<ScalarUDF>, args| {
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), args))
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "others make nothing that is large")]
    let (ignores_case, is_not) = match op {
        Operator::StringConcat => return call(&CONCATENATION, vec![*left, *right]),
        Operator::RegexMatch => (false, false),
        Operator::RegexNotMatch => (false, true),
        Operator::RegexIMatch => (true, false),
        Operator::RegexNotIMatch => (true, true),
        _ => return Expr::BinaryExpr(BinaryExpr { left, op, right }),
    };
    if matches!(*right, Expr::Literal(..)) {
        return Expr::BinaryExpr(BinaryExpr { left, op, right });
    }
    let mut args = vec![*left, *right];
    args.extend(ignores_case.then(|| lit("i")));
    let is_like = call(&regexp_like(), args);
    if is_not { Expr::Not(Box::new(is_like)) } else { is_like }
}

static CONCATENATION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Concatenation(signature)))
});

/// One text after another; null if one of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Concatenation(Signature);

impl ScalarUDFImpl for Concatenation {
    fn name(&self) -> &'static str {
        "||"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else {
            return plan_err!("|| takes two operands");
        };
        let (left, right) =
            BinaryTypeCoercer::new(left, &Operator::StringConcat, right).get_input_types()?;
        Ok(vec![left, right])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else {
            return plan_err!("|| takes two operands");
        };
        BinaryTypeCoercer::new(left, &Operator::StringConcat, right).get_result_type()
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_same = called.args.iter().all(|it| matches!(it, ColumnarValue::Scalar(_)));
        let operands = ColumnarValue::values_to_arrays(&called.args)?;
        let [left, right] = &*operands else {
            return exec_err!("|| takes two operands");
        };
        let joined: ArrayRef = concat_elements_dyn(left, right)?;
        if is_same {
            return ScalarValue::try_from_array(&joined, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(joined))
    }
}
