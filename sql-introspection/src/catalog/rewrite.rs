//! Changes what clients ask of the catalogue into what the engine understands.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, ObjectName, Query, SelectItem,
    SetExpr, Statement, Value, visit_expressions_mut, visit_relations,
};

use super::SCHEMA;

/// Rewrites a statement.
pub(crate) fn rewrite(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expr| {
        if let Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. }) =
            expr
            && name.to_string().eq_ignore_ascii_case("array")
            && is_of_catalogue(query)
        {
            *expr = no_texts();
        }
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
        if let Expr::Subquery(query) = expr
            && is_of_catalogue(query)
        {
            take_first(query);
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

/// Makes a query for a single value an aggregate: the engine has to know that there is one at most.
fn take_first(query: &mut Query) {
    let SetExpr::Select(select) = &mut *query.body else { return };
    let is_grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
        &mut select.projection[..]
    else {
        return;
    };
    if query.limit_clause.is_none() && !is_grouped && !is_aggregate(expr) {
        *expr = call("first_value", [expr.clone()]);
    }
}

fn is_aggregate(expr: &Expr) -> bool {
    let Expr::Function(Function { name, .. }) = expr else { return false };
    AGGREGATES.contains(&name.to_string().to_lowercase().as_str())
}

/// Aggregates with which clients ask about the catalogue.
const AGGREGATES: [&str; 8] =
    ["array_agg", "bool_and", "bool_or", "count", "first_value", "max", "min", "string_agg"];

/// The only character that the engine knows as an escape in patterns.
const BACKSLASH: &str = r"\";

/// A pattern in which backslashes escape what another character has escaped, and stand for
/// themselves no more.
fn escaped_by_backslash(pattern: &Expr, escape: &str) -> Expr {
    let replaced = |text, from, to| call("replace", [text, text_of(from), text_of(to)]);
    let doubled = replaced(pattern.clone(), BACKSLASH, r"\\");
    replaced(doubled, escape, BACKSLASH)
}

fn text_of(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
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

/// Whether a query reads only what describes the database. Where clients make an array of that, of
/// the members of roles or the options of tables, there is nothing here.
fn is_of_catalogue(query: &Query) -> bool {
    let is_foreign = |name: &ObjectName| {
        let name = name.to_string().to_lowercase();
        let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
        if name.starts_with("pg_") || name == "unnest" {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    visit_relations(query, is_foreign).is_continue()
}

fn no_texts() -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(Value::Null.into())),
        data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None)),
        array: false,
        format: None,
    }
}
