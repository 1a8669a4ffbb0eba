//! Fractions become whole numbers by rounding, as in PostgreSQL. The engine cuts them off.

use datafusion::{
    common::{DFSchema, tree_node::Transformed},
    functions::math::round,
    logical_expr::{Cast, Expr, ExprSchemable},
};

/// Rounds a fraction that is cast to a whole number.
pub(super) fn rounded(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::Cast(Cast { expr: fraction, field }) = expr else { return Transformed::no(expr) };
    let ty = fraction.get_type(schema);
    let has_fraction = ty.is_ok_and(|ty| ty.is_floating() || ty.is_decimal());
    if !has_fraction || !field.data_type().is_integer() {
        return Transformed::no(Expr::Cast(Cast { expr: fraction, field }));
    }
    let expr = Box::new(round().call(vec![*fraction]));
    Transformed::yes(Expr::Cast(Cast { expr, field }))
}
