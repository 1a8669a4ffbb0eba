//! Functions of fractions that fail where PostgreSQL's do: outside of what they are defined for, and
//! where what they return does not fit. The engine returns NaN and infinity.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray},
        compute::cast,
        datatypes::{DataType, FieldRef, Float64Type},
    },
    common::{DataFusionError, Result, tree_node::Transformed},
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, Volatility, expr::ScalarFunction,
    },
};

use crate::error::SqlError;

/// Says what is wrong with arguments.
type Check = fn(&[f64]) -> Option<SqlError>;

/// The functions, by their names.
const CHECKED: [(&str, Check); 7] = [
    ("exp", |_| None),
    ("ln", logarithm),
    ("log", logarithm),
    ("log10", logarithm),
    ("log2", logarithm),
    ("power", power),
    ("sqrt", root),
];

fn logarithm(arguments: &[f64]) -> Option<SqlError> {
    let wrong = arguments.iter().find(|it| **it <= 0.0)?;
    let of = if *wrong == 0.0 { "zero" } else { "a negative number" };
    Some(SqlError::new("2201E", format!("cannot take logarithm of {of}")))
}

fn root(arguments: &[f64]) -> Option<SqlError> {
    let is_wrong = arguments.iter().any(|it| *it < 0.0);
    is_wrong.then(|| SqlError::new("2201F", "cannot take square root of a negative number"))
}

fn power(arguments: &[f64]) -> Option<SqlError> {
    let [base, exponent] = arguments else { return None };
    let what = if *base == 0.0 && *exponent < 0.0 {
        "zero raised to a negative power is undefined"
    } else if *base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        "a negative number raised to a non-integer power yields a complex result"
    } else {
        return None;
    };
    Some(SqlError::new("2201F", what))
}

/// Checks the calls of such functions.
pub(super) fn checked(expr: Expr) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else {
        return Transformed::no(expr);
    };
    let known: &dyn std::any::Any = &**func.inner();
    if known.is::<Checked>() || !CHECKED.iter().any(|(name, _)| *name == func.name()) {
        return Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }));
    }
    let signature = Signature::any(args.len(), Volatility::Immutable);
    let func = Arc::new(ScalarUDF::new_from_impl(Checked { inner: func, signature }));
    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = called.number_rows;
        let is_same = called.args.iter().all(|it| matches!(it, ColumnarValue::Scalar(_)));
        let seen = if is_same { 1 } else { rows };
        let fractions = |values: &ColumnarValue| -> Result<ArrayRef> {
            Ok(cast(&values.to_array(seen)?, &DataType::Float64)?)
        };
        let arguments = called.args.iter().map(fractions).collect::<Result<Vec<_>>>()?;
        let of_row = |row: usize| {
            let values = arguments.iter().map(|it| {
                let values = it.as_primitive::<Float64Type>();
                values.is_valid(row).then(|| values.value(row))
            });
            values.collect::<Option<Vec<f64>>>()
        };
        let check = CHECKED.iter().find(|(name, _)| *name == self.name());
        for arguments in (0..seen).filter_map(of_row) {
            if let Some(wrong) = check.and_then(|(_, check)| check(&arguments)) {
                return Err(DataFusionError::External(Box::new(wrong)));
            }
        }
        let returned = self.inner.invoke_with_args(called)?;
        let fits = {
            let returned = fractions(&returned)?;
            let returned = returned.as_primitive::<Float64Type>();
            (0..seen.min(returned.len())).all(|row| {
                let is_finite = |values: Vec<f64>| values.iter().all(|it| it.is_finite());
                let is_infinite = returned.is_valid(row) && returned.value(row).is_infinite();
                !(is_infinite && of_row(row).is_some_and(is_finite))
            })
        };
        if fits { Ok(returned) } else { Err(overflow()) }
    }
}

/// A fraction that would be infinite.
pub(super) fn overflow() -> DataFusionError {
    DataFusionError::External(Box::new(SqlError::new("22003", "value out of range: overflow")))
}
