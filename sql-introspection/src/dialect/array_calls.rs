//! Calls of functions on arrays, and arrays that are written as texts.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Subscript, Value, ValueWithSpan,
};

use super::{
    arrays::{NUMBERED, READ, elements},
    rewrite::{call, text_of},
};

/// Rewrites an expression.
pub(super) fn rewrite(expr: &mut Expr) {
    if let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(array)), others @ ..] =
            &mut list.args[..]
    {
        match name.to_string().to_lowercase().as_str() {
            "_pg_expandarray" => *expr = call("unnest", [call(NUMBERED, [array.clone()])]),
            "json_array_elements" | "jsonb_array_elements" => {
                *expr = call("unnest", [call("json_get_array", [array.clone()])]);
            }
            "json_array_length" | "jsonb_array_length" => {
                *expr = call("json_length", [array.clone()]);
            }
            "generate_subscripts" => *expr = call("unnest", [subscripts(array.clone())]),
            "array_contains" => match one_of(array, others) {
                Some(one_of) => *expr = one_of,
                None => read(array),
            },
            _ => (),
        }
    }
    if let Expr::Cast { expr, data_type: DataType::Array(_), .. } = expr {
        read(expr);
    }
    // JSON is text here.
    if let Expr::Cast { data_type: ty @ (DataType::JSON | DataType::JSONB), .. } = expr {
        *ty = DataType::Text;
    }
    // A name before the dot is a table's.
    if let Expr::CompoundFieldAccess { root, access_chain } = expr
        && !matches!(**root, Expr::Identifier(_))
    {
        access_chain.iter_mut().for_each(name_field);
        access_chain.iter_mut().for_each(count_from_start);
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

/// `x = any('{a,b}')` as `x in ('a', 'b')`, where the elements are of whatever type `x` is; `None` if
/// it is no such call.
fn one_of(array: &Expr, others: &[FunctionArg]) -> Option<Expr> {
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] = others else { return None };
    let elements = elements(literal(array)?).ok()?;
    let element = |element: Option<String>| match element {
        Some(text) => text_of(&text),
        None => Expr::Value(Value::Null.into()),
    };
    let list: Vec<_> = elements.into_iter().map(element).collect();
    Some(if list.is_empty() {
        Expr::Value(Value::Boolean(false).into())
    } else {
        let expr = Box::new(expr.clone());
        Expr::Nested(Box::new(Expr::InList { expr, list, negated: false }))
    })
}

/// Reads an array in a text.
fn read(array: &mut Expr) {
    if let Some(text) = literal(array) {
        *array = call(READ, [text_of(text)]);
    }
}

/// A text that is written as it is. It is in parentheses: see `tolerable`.
fn literal(mut expr: &Expr) -> Option<&str> {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = expr else {
        return None;
    };
    Some(text)
}

/// Writes the name of a field as the engine expects it: `(pair).n` is `(pair).'n'` to it.
fn name_field(access: &mut AccessExpr) {
    if let AccessExpr::Dot(field @ Expr::Identifier(_)) = access
        && let Expr::Identifier(name) = &*field
    {
        *field = text_of(&name.value);
    }
}

/// There is nothing before an array's first element. The engine would count from its end.
fn count_from_start(access: &mut AccessExpr) {
    if let AccessExpr::Subscript(Subscript::Index { index }) = access
        && !matches!(index, Expr::Value(_))
    {
        let zero = Expr::Value(Value::Number("0".to_owned(), false).into());
        *index = call("greatest", [zero, index.clone()]);
    }
}
