//! Comparisons that PostgreSQL knows, and the engine does not.

use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    common::{
        DFSchema, DataFusionError, Result, ScalarValue, config::ConfigOptions,
        tree_node::Transformed,
    },
    logical_expr::{
        Between, BinaryExpr, Cast, Expr, ExprSchemable, Like, Operator, cast,
        expr::{InList, ScalarFunction},
        expr_rewriter::FunctionRewrite,
        lit,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
    sql::sqlparser::ast::BinaryOperator,
};

use super::{intervals, octet_length, scaled, text_functions, times};
use crate::error::SqlError;

/// Lets intervals of any kind be compared with each other, once the values of parameters are known.
/// Texts are truth values, intervals or bytes where they are compared with such.
#[derive(Debug)]
pub(super) struct Comparisons;

impl FunctionRewrite for Comparisons {
    fn name(&self) -> &'static str {
        "comparisons"
    }

    fn rewrite(
        &self,
        mut expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        if let Expr::Cast(Cast { expr: text, field }) = &expr
            && let Some(meant) = meant(text, field.data_type())?
        {
            return Ok(Transformed::yes(meant.cast_to(field.data_type(), schema)?));
        }
        if let Expr::ScalarFunction(ScalarFunction { func, args }) = &expr
            && func.name() == "character_length"
            && let [of] = &args[..]
            && of.get_type(schema).is_ok_and(|ty| ty.is_binary())
        {
            return Ok(Transformed::yes(octet_length::of(of.clone())));
        }
        // Bytes are searched as the text that they are, and not for the digits of it.
        if let Expr::Like(Like { expr: searched, .. }) = &mut expr
            && searched.get_type(schema).is_ok_and(|ty| ty.is_binary())
        {
            **searched = text_functions::text_in((**searched).clone());
            return Ok(Transformed::yes(expr));
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "others do not compare")]
        let compared: Vec<&mut Expr> = match &mut expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
                vec![&mut **left, &mut **right]
            }
            Expr::Between(Between { expr, low, high, .. }) => {
                vec![&mut **expr, &mut **low, &mut **high]
            }
            Expr::InList(InList { expr, list, .. }) => {
                std::iter::once(&mut **expr).chain(list).collect()
            }
            _ => return Ok(Transformed::no(expr)),
        };
        let is_changed = make_comparable(compared, schema)?;
        Ok(Transformed::new_transformed(expr, is_changed))
    }
}

/// Changes what is compared with each other until the engine compares it as PostgreSQL does. Returns
/// whether anything was changed.
fn make_comparable(mut compared: Vec<&mut Expr>, schema: &DFSchema) -> Result<bool> {
    let types = compared.iter().map(|it| it.get_type(schema));
    // What has no type yet is compared once it does.
    let Ok(mut types) = types.collect::<Result<Vec<_>>>() else { return Ok(false) };
    let mut is_changed = false;
    if let Some(known) = types.iter().find(|ty| !ty.is_string() && !ty.is_null()).cloned() {
        for (operand, ty) in compared.iter_mut().zip(&mut types) {
            if let Some(meant) = meant(operand, &known)? {
                *ty = meant.get_type(schema)?;
                **operand = meant;
                is_changed = true;
            }
        }
    }
    let zone = types.iter().find_map(|ty| {
        let DataType::Timestamp(_, zone) = ty else { return None };
        Some(zone.clone())
    });
    if let Some(zone) = zone {
        // A date is its midnight.
        let midnight = DataType::Timestamp(TimeUnit::Microsecond, zone);
        for (operand, ty) in compared.iter_mut().zip(&mut types) {
            if *ty == DataType::Date32 {
                **operand = cast((**operand).clone(), midnight.clone());
                *ty = midnight.clone();
                is_changed = true;
            }
        }
    }
    let is_interval = |ty: &DataType| matches!(ty, DataType::Interval(_));
    let has_length = |ty: &DataType| is_interval(ty) || matches!(ty, DataType::Duration(_));
    if types.iter().any(is_interval) && types.iter().all(|ty| has_length(ty) || ty.is_null()) {
        for (operand, ty) in compared.into_iter().zip(&types) {
            if has_length(ty) {
                *operand = intervals::length(operand.clone());
                is_changed = true;
            }
        }
    }
    Ok(is_changed)
}

/// What a literal text means where it is compared with a value of another type; `None` if the engine
/// knows, too.
fn meant(text: &Expr, compared_with: &DataType) -> Result<Option<Expr>> {
    let Expr::Literal(ScalarValue::Utf8(Some(written)), _) = text else { return Ok(None) };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the engine knows the others")]
    Ok(match compared_with {
        DataType::Interval(_) | DataType::Duration(_) => Some(lit(times::of_words(written)?)),
        DataType::Binary | DataType::BinaryView => match written.strip_prefix(r"\x") {
            Some(digits) => Some(lit(ScalarValue::Binary(Some(bytes(digits)?)))),
            None => None,
        },
        DataType::Timestamp(..) | DataType::Date32 => times::meant(written, compared_with)?,
        _ => None,
    })
}

/// The bytes that hexadecimal digits stand for.
fn bytes(digits: &str) -> Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            u8::try_from((digit(*high)? << 4) | digit(*low)?).ok()
        }
        _ => None,
    });
    pairs.collect::<Option<_>>().ok_or_else(|| {
        let what = format!("invalid hexadecimal data: \"\\x{digits}\"");
        DataFusionError::External(Box::new(SqlError::new("22023", what)))
    })
}

impl ExprPlanner for Comparisons {
    fn plan_binary_op(
        &self,
        mut compared: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { left, op, right } = &mut compared;
        let types = (left.get_type(schema), right.get_type(schema));
        let is_interval =
            |ty: &DataType| matches!(ty, DataType::Interval(_) | DataType::Duration(_));
        let (Ok(left_type), Ok(right_type)) = types else {
            return Ok(PlannerResult::Original(compared));
        };
        if is_interval(&left_type) || is_interval(&right_type) {
            if let Some(scaled) = scaled::planned((left, &left_type), op, (right, &right_type)) {
                return Ok(PlannerResult::Planned(scaled));
            }
            if computes(op) {
                for (time, ty) in [(&mut *left, &left_type), (&mut *right, &right_type)] {
                    if let Some(exact) = times::exact(ty) {
                        *time = time.clone().cast_to(&exact, schema)?;
                    }
                }
            }
        }
        let (text, with) = match (left_type.is_string(), right_type.is_string()) {
            (true, false) => (left, right_type),
            (false, true) => (right, left_type),
            (true, true) | (false, false) => return Ok(PlannerResult::Original(compared)),
        };
        let is_number = with.is_numeric() && matches!(text, Expr::Literal(..)) && computes(op);
        let is_truth = with == DataType::Boolean && *op != BinaryOperator::StringConcat;
        if is_truth || is_number {
            *text = text.clone().cast_to(&with, schema)?;
        } else if compares(op)
            && let Some(meant) = meant(text, &with)?
        {
            *text = meant;
        } else if matches!(op, BinaryOperator::Plus | BinaryOperator::Minus)
            && matches!(with, DataType::Timestamp(..) | DataType::Date32)
            && let Expr::Literal(ScalarValue::Utf8(Some(written)), _) = &*text
        {
            if let Some(interval) = times::interval(written) {
                *text = interval;
            } else if *op == BinaryOperator::Minus {
                let time = meant(text, &with)?.unwrap_or_else(|| text.clone());
                *text = time.cast_to(&with, schema)?;
            }
        }
        Ok(PlannerResult::Original(compared))
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// The same before it is planned.
fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn computes(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    matches!(op, Plus | Minus | Multiply | Divide | Modulo)
}
