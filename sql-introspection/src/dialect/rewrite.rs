//! Changes what clients ask of the catalogue into what the engine understands.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Statement, Value, visit_expressions_mut,
};

use super::{array_calls, calls, date_part, queries, similar, subqueries, zones};
use crate::catalog::SCHEMA;

/// Rewrites a statement.
pub(super) fn rewrite(statement: &mut Statement) {
    queries::rewrite(statement);
    let _ = visit_expressions_mut(statement, |expr| {
        subqueries::answer(expr);
        array_calls::rewrite(expr);
        calls::rewrite(expr);
        similar::rewrite(expr);
        if let Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } =
            expr
            && let Some(Value::SingleQuotedString(escape)) =
                escape_char.as_ref().map(|it| &it.value)
            && escape != BACKSLASH
            && escape.chars().count() == 1
        {
            **pattern = escaped_by_backslash(pattern, escape);
            *escape_char = None;
        }
        if let Expr::Substring {
            expr: text,
            substring_from: Some(pattern),
            substring_for: None,
            ..
        } = expr
            && is_text(pattern)
        {
            let found = call("regexp_match", [(**text).clone(), (**pattern).clone()]);
            // The first group, or all of it if there are none.
            *expr = call("array_element", [found, number_of("1")]);
        }
        if let Expr::Extract { field, expr: of, .. } = expr {
            *expr = call(date_part::NAME, [text_of(&field.to_string()), (**of).clone()]);
        }
        if let Some(rotated) = rotated(expr) {
            *expr = rotated;
        }
        if let Expr::AtTimeZone { timestamp, time_zone } = expr {
            *expr = call(zones::TIME_ZONE, [(**time_zone).clone(), (**timestamp).clone()]);
        }
        if let Expr::Cast { expr: text, data_type: DataType::Regclass, .. } = expr {
            *expr = call("to_regclass", [(**text).clone()]);
        }
        if let Expr::Cast { expr, data_type: DataType::Bytea, .. } = expr
            && let Expr::Value(literal) = &**expr
            && let Value::SingleQuotedString(text) = &literal.value
            && let Some(hex) = text.strip_prefix(r"\x")
        {
            **expr = call("decode", [text_of(hex), text_of("hex")]);
        }
        // What the parser makes of Grafana's look at the search path, which is the only schema.
        if let Expr::InList { expr, list, .. } = expr
            && expr.to_string().eq_ignore_ascii_case("quote_ident(table_schema)")
            && list.iter().all(|it| it.to_string() == "''")
        {
            *list = vec![text_of(SCHEMA)];
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Rewrites comparisons with all rows of a subquery, which others take for those with an array, and with
/// all elements of an array whose elements are known.
pub(super) fn rewrite_sets(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expr| {
        if let Some(within) = of_any(expr) {
            *expr = within;
        }
        ControlFlow::<()>::Continue(())
    });
}

/// The only character that the engine knows as an escape in patterns.
const BACKSLASH: &str = r"\";

/// A pattern in which backslashes escape what another character has escaped, and stand for
/// themselves no more.
fn escaped_by_backslash(pattern: &Expr, escape: &str) -> Expr {
    let replaced = |text, from, to| call("replace", [text, text_of(from), text_of(to)]);
    let doubled = replaced(pattern.clone(), BACKSLASH, r"\\");
    replaced(doubled, escape, BACKSLASH)
}

/// The parser takes all that follows `is distinct from` for its right side, up to the end: what is
/// joined by `and` or `or` there stands outside.
fn rotated(expr: &Expr) -> Option<Expr> {
    let (Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right)) = expr else {
        return None;
    };
    let Expr::BinaryOp { left: first, op, right: rest } = &**right else { return None };
    if !matches!(op, BinaryOperator::And | BinaryOperator::Or) {
        return None;
    }
    let (left, first) = (left.clone(), first.clone());
    #[expect(clippy::wildcard_enum_match_arm, reason = "there are only two")]
    let compared = match expr {
        Expr::IsDistinctFrom(..) => Expr::IsDistinctFrom(left, first),
        _ => Expr::IsNotDistinctFrom(left, first),
    };
    let compared = rotated(&compared).unwrap_or(compared);
    Some(Expr::BinaryOp { left: Box::new(compared), op: op.clone(), right: rest.clone() })
}

/// `x = any (select …)` as `x in (select …)`, and `x <> all (select …)` as its opposite; the same of
/// `array[…]`.
fn of_any(expr: &Expr) -> Option<Expr> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "no others are about a set")]
    let (left, right, negated) = match expr {
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => (left, right, false),
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => (left, right, true),
        _ => return None,
    };
    if let Expr::Array(array) = &**right {
        // Null among them makes it unknown whether anything else is there.
        let is_flat = array.elem.iter().all(|it| !matches!(it, Expr::Array(_)));
        let within = Expr::InList { expr: left.clone(), list: array.elem.clone(), negated };
        return (is_flat && !array.elem.is_empty()).then(|| Expr::Nested(Box::new(within)));
    }
    let Expr::Subquery(subquery) = &**right else { return None };
    Some(Expr::InSubquery { expr: left.clone(), subquery: subquery.clone(), negated })
}

fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(it) if matches!(it.value, Value::SingleQuotedString(_)))
}

pub(super) fn number_of(digits: &str) -> Expr {
    Expr::Value(Value::Number(digits.to_owned(), false).into())
}

pub(super) fn text_of(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

pub(super) fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(argument).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
