//! Times that are compared with more exact ones. Columns have milliseconds, and PostgreSQL's times
//! microseconds: the engine would cut these off, so that `created_at >= …` finds what is before it.
//! What is compared with a column is rounded up or down here, so that the answer is the same, and the
//! source still understands it.

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray},
        compute::cast,
        datatypes::{DataType, Int64Type, TimeUnit},
    },
    common::{
        DFSchema, Result, ScalarValue, exec_err,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        Between, BinaryExpr, Cast, ColumnarValue, Expr, ExprSchemable, Operator,
        ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, expr::InList,
    },
};

use crate::interval::unit_nanoseconds;

/// Rounds what is compared with less exact times.
pub(super) fn compared(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others do not compare")]
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (rounding, swapped) = (Rounding::of(op), op.swap().and_then(Rounding::of));
            if let Some(rounding) = rounding
                && let Some((column, unit)) = coarse(&left, schema)
                && is_constant(&right)
            {
                let right = Box::new(rounding.to(unit, *right));
                return Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: column, op, right }));
            }
            if let Some(rounding) = swapped
                && let Some((column, unit)) = coarse(&right, schema)
                && is_constant(&left)
            {
                let left = Box::new(rounding.to(unit, *left));
                return Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right: column }));
            }
            Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(Between { expr, negated, low, high }) => match coarse(&expr, schema) {
            Some((expr, unit)) if is_constant(&low) && is_constant(&high) => {
                let low = Box::new(Rounding::Up.to(unit, *low));
                let high = Box::new(Rounding::Down.to(unit, *high));
                Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
            }
            Some(_) | None => Transformed::no(Expr::Between(Between { expr, negated, low, high })),
        },
        Expr::InList(InList { expr, list, negated }) => match coarse(&expr, schema) {
            Some((expr, unit)) if list.iter().all(is_constant) => {
                let list = list.into_iter().map(|it| Rounding::Exact.to(unit, it)).collect();
                Transformed::yes(Expr::InList(InList { expr, list, negated }))
            }
            Some(_) | None => Transformed::no(Expr::InList(InList { expr, list, negated })),
        },
        other => Transformed::no(other),
    }
}

/// A time that was made more exact for the comparison, as it was before, and its unit.
fn coarse(expr: &Expr, schema: &DFSchema) -> Option<(Box<Expr>, TimeUnit)> {
    let Expr::Cast(Cast { expr: time, field }) = expr else { return None };
    let DataType::Timestamp(finer, zone) = field.data_type() else { return None };
    let Ok(DataType::Timestamp(unit, zone_before)) = time.get_type(schema) else { return None };
    let is_finer = unit_nanoseconds(*finer) < unit_nanoseconds(unit);
    (is_finer && zone.is_some() == zone_before.is_some()).then(|| (time.clone(), unit))
}

/// Whether a value is the same for all rows.
fn is_constant(expr: &Expr) -> bool {
    let varies = expr.exists(|part| {
        Ok(matches!(
            part,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::ScalarSubquery(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        ))
    });
    !varies.unwrap_or(true)
}

/// How a time is rounded to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Rounding {
    Down,
    Up,
    /// Not at all: what is between two units equals none of them, and becomes a time before all times.
    Exact,
}

impl Rounding {
    /// How the right side of a comparison is rounded.
    fn of(op: Operator) -> Option<Self> {
        use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
        #[expect(clippy::wildcard_enum_match_arm, reason = "others do not compare")]
        match op {
            Gt | LtEq => Some(Self::Down),
            GtEq | Lt => Some(Self::Up),
            Eq | NotEq | IsDistinctFrom | IsNotDistinctFrom => Some(Self::Exact),
            _ => None,
        }
    }

    /// Rounds a time to a unit.
    fn to(self, unit: TimeUnit, time: Expr) -> Expr {
        let signature = Signature::any(1, Volatility::Immutable);
        let rounded = Rounded { rounding: self, unit, signature };
        ScalarUDF::new_from_impl(rounded).call(vec![time])
    }

    fn round(self, count: i64, units: i64) -> i64 {
        let down = count.div_euclid(units);
        let is_between = count.rem_euclid(units) != 0;
        match self {
            Self::Up if is_between => down + 1,
            Self::Exact if is_between => i64::MIN,
            Self::Down | Self::Up | Self::Exact => down,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounded {
    rounding: Rounding,
    unit: TimeUnit,
    signature: Signature,
}

impl ScalarUDFImpl for Rounded {
    fn name(&self) -> &'static str {
        "time_rounded"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [DataType::Timestamp(_, zone)] = types else {
            return exec_err!("{} takes a time", self.name());
        };
        Ok(DataType::Timestamp(self.unit, zone.clone()))
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time] = &called.args[..] else { return exec_err!("{} takes a time", self.name()) };
        let is_same = matches!(time, ColumnarValue::Scalar(_));
        let times = time.to_array(if is_same { 1 } else { called.number_rows })?;
        let DataType::Timestamp(finer, _) = times.data_type() else {
            return exec_err!("{} takes a time", self.name());
        };
        // Of units that a timestamp has: it fits.
        let units = unit_nanoseconds(self.unit) / unit_nanoseconds(*finer);
        let units = i64::try_from(units).unwrap_or(1).max(1);
        let counts = cast(&times, &DataType::Int64)?;
        let counts = counts.as_primitive::<Int64Type>();
        let rounded = counts.unary::<_, Int64Type>(|count| self.rounding.round(count, units));
        let rounded: ArrayRef = cast(&rounded, called.return_field.data_type())?;
        if is_same {
            return ScalarValue::try_from_array(&rounded, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(rounded))
    }
}
