//! Numbers as PostgreSQL computes them: what does not fit and what is divided by zero is an error. The
//! engine's integers begin anew at their other end, and its fractions become infinite.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Datum},
        compute::{
            cast,
            kernels::numeric::{add, div, mul, rem, sub},
        },
        datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type},
        error::ArrowError,
    },
    common::{DFSchema, Result, ScalarValue, exec_err, plan_err, tree_node::Transformed},
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs,
        ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        binary::BinaryTypeCoercer, expr::ScalarFunction,
    },
    physical_expr_common::datum::apply,
};

use super::domains::overflow;

/// Replaces an operator by a function that fails where PostgreSQL does.
pub(super) fn exact(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others do not compute")]
    let (left, op, right) = match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => (left, op, right),
        Expr::Negative(negated) => match first_operand(&negated).get_type(schema) {
            Ok(ty) if ty.is_signed_integer() => {
                let Ok(zero) = ScalarValue::new_zero(&ty) else {
                    return Transformed::no(Expr::Negative(negated));
                };
                (Box::new(Expr::Literal(zero, None)), Operator::Minus, negated)
            }
            Ok(_) | Err(_) => return Transformed::no(Expr::Negative(negated)),
        },
        other => return Transformed::no(other),
    };
    let are = |kind: fn(&DataType) -> bool| {
        let mut operands = [&left, &right].into_iter().map(|it| first_operand(it));
        operands.all(|it| it.get_type(schema).is_ok_and(|ty| kind(&ty)))
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "others do not compute")]
    let function = match op {
        Operator::Plus if are(DataType::is_integer) => &SUM,
        Operator::Minus if are(DataType::is_integer) => &DIFFERENCE,
        Operator::Multiply if are(DataType::is_integer) => &PRODUCT,
        Operator::Plus if are(DataType::is_floating) => &SUM,
        Operator::Minus if are(DataType::is_floating) => &DIFFERENCE,
        Operator::Multiply if are(DataType::is_floating) => &PRODUCT,
        Operator::Divide if are(DataType::is_floating) => &QUOTIENT,
        Operator::Modulo if are(DataType::is_floating) => &REMAINDER,
        _ => return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
    };
    let call = ScalarFunction::new_udf(Arc::clone(function), vec![*left, *right]);
    Transformed::yes(Expr::ScalarFunction(call))
}

/// What stands first in a computation: a number of the same kind as its result, once the types of
/// operands have been made equal. To ask each step of a long computation for its type takes the square
/// of its length.
fn first_operand(mut expr: &Expr) -> &Expr {
    loop {
        #[expect(clippy::wildcard_enum_match_arm, reason = "others do not compute")]
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, .. }) if op.is_numerical_operators() => {
                expr = left;
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if is_arithmetic(func) => {
                let [left, _] = &args[..] else { return expr };
                expr = left;
            }
            other => return other,
        }
    }
}

fn is_arithmetic(function: &ScalarUDF) -> bool {
    let known: &dyn Any = &**function.inner();
    known.is::<Arithmetic>()
}

static SUM: Operation = LazyLock::new(|| Arithmetic::of(Operator::Plus, "+", add));
static DIFFERENCE: Operation = LazyLock::new(|| Arithmetic::of(Operator::Minus, "-", sub));
static PRODUCT: Operation = LazyLock::new(|| Arithmetic::of(Operator::Multiply, "*", mul));
static QUOTIENT: Operation = LazyLock::new(|| Arithmetic::of(Operator::Divide, "/", div));
static REMAINDER: Operation = LazyLock::new(|| Arithmetic::of(Operator::Modulo, "%", rem));

type Operation = LazyLock<Arc<ScalarUDF>>;
type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>;

/// An operator whose result is exact, or an error.
#[derive(Debug)]
struct Arithmetic {
    op: Operator,
    sign: &'static str,
    kernel: Kernel,
    signature: Signature,
}

impl Arithmetic {
    fn of(op: Operator, sign: &'static str, kernel: Kernel) -> Arc<ScalarUDF> {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Self { op, sign, kernel, signature }))
    }

    fn divides(&self) -> bool {
        matches!(self.op, Operator::Divide | Operator::Modulo)
    }
}

impl PartialEq for Arithmetic {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op
    }
}

impl Eq for Arithmetic {}

impl std::hash::Hash for Arithmetic {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.op.hash(state);
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &'static str {
        self.sign
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else {
            return plan_err!("{} takes two operands", self.sign);
        };
        let (left, right) = BinaryTypeCoercer::new(left, &self.op, right).get_input_types()?;
        Ok(vec![left, right])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else {
            return plan_err!("{} takes two operands", self.sign);
        };
        BinaryTypeCoercer::new(left, &self.op, right).get_result_type()
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let fields = arguments.arg_fields;
        let types: Vec<_> = fields.iter().map(|field| field.data_type().clone()).collect();
        let is_nullable = fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.sign, self.return_type(&types)?, is_nullable)))
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = &*called.args else {
            return exec_err!("{} takes two operands", self.sign);
        };
        if self.divides() {
            check_divisors(left, right, called.number_rows)?;
        }
        let computed = apply(left, right, self.kernel)?;
        if computed.data_type().is_floating() {
            check_overflow(left, right, &computed, called.number_rows)?;
        }
        Ok(computed)
    }
}

/// # Errors
/// Returns an error if finite fractions make an infinite one.
fn check_overflow(
    left: &ColumnarValue,
    right: &ColumnarValue,
    computed: &ColumnarValue,
    rows: usize,
) -> Result<()> {
    let fractions = |values: &ColumnarValue| -> Result<ArrayRef> {
        Ok(cast(&values.to_array(rows)?, &DataType::Float64)?)
    };
    let computed = fractions(computed)?;
    let computed = computed.as_primitive::<Float64Type>();
    if computed.iter().flatten().all(|it| !it.is_infinite()) {
        return Ok(());
    }
    let (left, right) = (fractions(left)?, fractions(right)?);
    let operands =
        left.as_primitive::<Float64Type>().iter().zip(right.as_primitive::<Float64Type>());
    let mut rows = operands.zip(computed);
    let overflows = rows.any(|((left, right), computed)| {
        let is_finite = |it: Option<f64>| it.is_some_and(f64::is_finite);
        computed.is_some_and(f64::is_infinite) && is_finite(left) && is_finite(right)
    });
    if overflows { Err(overflow()) } else { Ok(()) }
}

/// # Errors
/// Returns an error if a fraction is divided by zero.
fn check_divisors(left: &ColumnarValue, right: &ColumnarValue, rows: usize) -> Result<()> {
    if let ColumnarValue::Scalar(ScalarValue::Float64(Some(divisor))) = right
        && *divisor != 0.0
    {
        return Ok(());
    }
    let (left, right) = (left.to_array(rows)?, right.to_array(rows)?);
    #[expect(clippy::wildcard_enum_match_arm, reason = "others are not divided here")]
    let is_by_zero = match right.data_type() {
        DataType::Float64 => divides_by_zero::<Float64Type>(&left, &right),
        DataType::Float32 => divides_by_zero::<Float32Type>(&left, &right),
        other => return exec_err!("{other} is not a fraction"),
    };
    if is_by_zero { Err(ArrowError::DivideByZero.into()) } else { Ok(()) }
}

fn divides_by_zero<T: ArrowPrimitiveType>(left: &ArrayRef, right: &ArrayRef) -> bool
where
    T::Native: Default,
{
    let zero = T::Native::default();
    let mut divisors = right.as_primitive::<T>().iter().enumerate();
    // Null is divided by anything.
    divisors.any(|(row, divisor)| divisor == Some(zero) && left.is_valid(row))
}
