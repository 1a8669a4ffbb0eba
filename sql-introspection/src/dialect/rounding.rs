//! Fractions become whole numbers by rounding, as in PostgreSQL. The engine cuts them off.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray},
        compute::cast,
        datatypes::{DataType, Float64Type},
    },
    common::{DFSchema, Result, exec_err, tree_node::Transformed},
    functions::math::round,
    logical_expr::{
        Cast, ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, Volatility,
    },
};

/// Rounds a fraction that is cast to a whole number. What is a `double precision` because somebody
/// said so is rounded to the even one of two numbers that are as near. All others would be `numeric`
/// in PostgreSQL, which rounds them away from zero.
pub(super) fn rounded(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::Cast(Cast { expr: fraction, field }) = expr else { return Transformed::no(expr) };
    let ty = fraction.get_type(schema);
    let has_fraction = ty.is_ok_and(|ty| ty.is_floating() || ty.is_decimal());
    if !has_fraction || !field.data_type().is_integer() {
        return Transformed::no(Expr::Cast(Cast { expr: fraction, field }));
    }
    let is_double = matches!(&*fraction, Expr::Cast(cast) if cast.field.data_type().is_floating());
    let rounded =
        if is_double { TO_EVEN.call(vec![*fraction]) } else { round().call(vec![*fraction]) };
    Transformed::yes(Expr::Cast(Cast { expr: Box::new(rounded), field }))
}

static TO_EVEN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(ToEven(signature)))
});

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToEven(Signature);

impl ScalarUDFImpl for ToEven {
    fn name(&self) -> &'static str {
        "rounded_to_even"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [fractions] = &called.args[..] else { return exec_err!("{} takes one", self.name()) };
        let fractions = cast(&fractions.to_array(called.number_rows)?, &DataType::Float64)?;
        let fractions = fractions.as_primitive::<Float64Type>();
        let rounded = fractions.unary::<_, Float64Type>(f64::round_ties_even);
        Ok(ColumnarValue::Array(Arc::new(rounded) as ArrayRef))
    }
}
