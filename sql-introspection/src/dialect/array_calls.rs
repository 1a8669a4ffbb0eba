//! Calls of functions on arrays, and arrays that are written as texts.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Value,
};

use super::{
    arrays::{NUMBERED, READ},
    rewrite::{call, text_of},
};

/// Rewrites an expression.
pub(super) fn rewrite(expr: &mut Expr) {
    if let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(array))) = list.args.first_mut()
    {
        match name.to_string().to_lowercase().as_str() {
            "_pg_expandarray" => *expr = call("unnest", [call(NUMBERED, [array.clone()])]),
            "generate_subscripts" => *expr = call("unnest", [subscripts(array.clone())]),
            "array_contains" => read(array),
            _ => (),
        }
    }
    if let Expr::Cast { expr, data_type: DataType::Array(_), .. } = expr {
        read(expr);
    }
    // A name before the dot is a table's.
    if let Expr::CompoundFieldAccess { root, access_chain } = expr
        && !matches!(**root, Expr::Identifier(_))
    {
        access_chain.iter_mut().for_each(name_field);
    }
}

/// The numbers of an array's elements.
fn subscripts(array: Expr) -> Expr {
    let bigint = |expr| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: DataType::BigInt(None),
        array: false,
        format: None,
    };
    let first = Expr::Value(Value::Number("1".to_owned(), false).into());
    call("generate_series", [first, bigint(call("array_length", [array]))])
}

/// Reads an array in a text. The text is in parentheses: see `tolerable`.
fn read(array: &mut Expr) {
    let mut text = &*array;
    while let Expr::Nested(inner) = text {
        text = inner;
    }
    if let Expr::Value(literal) = text
        && matches!(literal.value, Value::SingleQuotedString(_))
    {
        *array = call(READ, [text.clone()]);
    }
}

/// Writes the name of a field as the engine expects it: `(pair).n` is `(pair).'n'` to it.
fn name_field(access: &mut AccessExpr) {
    if let AccessExpr::Dot(field @ Expr::Identifier(_)) = access
        && let Expr::Identifier(name) = &*field
    {
        *field = text_of(&name.value);
    }
}
