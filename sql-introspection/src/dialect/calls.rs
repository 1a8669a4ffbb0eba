//! Functions that have another name or other arguments here, and operators that bind otherwise.

#![expect(clippy::wildcard_enum_match_arm, reason = "all others are as they are written")]

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Interval, TypedString, UnaryOperator, Value,
};

use super::{
    age,
    rewrite::{call, text_of},
    times,
};

/// Rewrites an expression.
pub(super) fn rewrite(expr: &mut Expr) {
    if let Some(changed) = called(expr) {
        *expr = changed;
    }
    match expr {
        // The parser lets a sign stand for all of the power behind it.
        Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus), expr: power } => {
            if let Some(changed) = signed(*op, power) {
                *expr = changed;
            }
        }
        // An interval as PostgreSQL writes it.
        Expr::Interval(Interval { value, leading_field: None, .. }) => {
            if let Expr::Value(literal) = &**value
                && let Value::SingleQuotedString(text) = &literal.value
                && let Some(words) = times::in_words(text)
            {
                **value = text_of(&words);
            }
        }
        Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => {
            name_unit(data_type);
        }
        _ => (),
    }
}

/// `-a ^ b` as `(-a) ^ b`.
fn signed(sign: UnaryOperator, power: &Expr) -> Option<Expr> {
    let Expr::BinaryOp { left, op: op @ BinaryOperator::PGExp, right } = power else { return None };
    let expr = signed(sign, left);
    let signed = expr.unwrap_or_else(|| Expr::UnaryOp { op: sign, expr: left.clone() });
    Some(Expr::BinaryOp { left: Box::new(signed), op: op.clone(), right: right.clone() })
}

/// Times are counted in microseconds unless a statement says otherwise, and not in nanoseconds, which
/// end in the year 2262.
fn name_unit(ty: &mut DataType) {
    use datafusion::sql::sqlparser::ast::ArrayElemTypeDef::{AngleBracket, SquareBracket};
    match ty {
        DataType::Timestamp(precision @ None, _) => *precision = Some(6),
        DataType::Array(SquareBracket(element, _) | AngleBracket(element)) => name_unit(element),
        _ => (),
    }
}

/// What a call is here; `None` if it is as it is written.
fn called(expr: &Expr) -> Option<Expr> {
    let Expr::Function(function @ Function { args: FunctionArguments::List(list), .. }) = expr
    else {
        return None;
    };
    let arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    let arguments: Vec<&Expr> = arguments.collect::<Option<_>>()?;
    match (function.name.to_string().to_lowercase().as_str(), &arguments[..]) {
        (age::NAME, [time]) => {
            let midnight = call("date_trunc", [text_of("day"), call("now", [])]);
            Some(call(age::NAME, [midnight, (*time).clone()]))
        }
        ("array_remove", [array, element]) => {
            Some(call("array_remove_all", [(*array).clone(), (*element).clone()]))
        }
        ("mod", [left, right]) => {
            let operand = |it: &Expr| Box::new(Expr::Nested(Box::new(it.clone())));
            let (left, op, right) = (operand(left), BinaryOperator::Modulo, operand(right));
            Some(Expr::Nested(Box::new(Expr::BinaryOp { left, op, right })))
        }
        ("regexp_replace", [text, pattern, by, flags @ ..]) => {
            let by = replacement(by)?;
            let first = [(*text).clone(), (*pattern).clone(), by];
            let flags = flags.iter().map(|it| (*it).clone());
            Some(call("regexp_replace", first.into_iter().chain(flags)))
        }
        _ => None,
    }
}

/// What a match is replaced by: the engine takes `$1` for a group, too, and does not know `\&`, which is
/// all of the match. `None` if it has neither.
fn replacement(by: &Expr) -> Option<Expr> {
    let Expr::Value(value) = by else {
        return Some(call("replace", [by.clone(), text_of("$"), text_of("$$")]));
    };
    let Value::SingleQuotedString(text) = &value.value else { return None };
    let changed = text.replace('$', "$$").replace(r"\&", r"\0");
    (changed != *text).then(|| text_of(&changed))
}
