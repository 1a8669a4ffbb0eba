//! Subqueries about the catalogue that have a value, of which the engine knows less than PostgreSQL.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function,
    FunctionArguments, GroupByExpr, Query, SelectItem, SetExpr, Value,
};

use super::{relations, rewrite::call};

/// Answers a subquery about what does not exist here, and otherwise makes it one that the engine can
/// turn into a join.
pub(super) fn answer(expr: &mut Expr) {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others are no subqueries")]
    match expr {
        Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. })
            if name.to_string().eq_ignore_ascii_case("array") && is_of_catalogue(query) =>
        {
            *expr = no_texts();
        }
        Expr::Subquery(query) if is_of_catalogue(query) && finds_nothing(query) => *expr = null(),
        Expr::Subquery(query) if is_of_catalogue(query) && !has_rows_of_its_own(query) => {
            take_first(query);
        }
        Expr::Case { conditions, else_result, .. } if conditions.iter().all(is_of_absent_type) => {
            *expr = else_result.take().map_or_else(null, |otherwise| *otherwise);
        }
        _ => (),
    }
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

/// Whether a query reads tables that are empty here.
fn finds_nothing(query: &Query) -> bool {
    relations::any(query, |name| EMPTY.contains(&without_schema(name)))
}

/// The name of a system table, which is found without its schema, too.
fn without_schema(name: &str) -> &str {
    name.strip_prefix("pg_catalog.").unwrap_or(name)
}

/// The tables of defaults and of sequences.
const EMPTY: [&str; 2] = ["pg_attrdef", "pg_sequence"];

/// Whether a value is looked up for a kind of type that no column here has: for a domain or a row.
fn is_of_absent_type(when: &CaseWhen) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = &when.condition else {
        return false;
    };
    let (Expr::CompoundIdentifier(names), Expr::Value(kind)) = (&**left, &**right) else {
        return false;
    };
    matches!(when.result, Expr::Subquery(_))
        && names.last().is_some_and(|name| name.value.eq_ignore_ascii_case("typtype"))
        && matches!(&kind.value, Value::SingleQuotedString(kind) if kind == "c" || kind == "d")
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

/// Whether a query reads only what describes the database. Where clients make an array of that, of
/// the members of roles or the options of tables, there is nothing here.
fn is_of_catalogue(query: &Query) -> bool {
    let is_foreign = |name: &str| {
        let name = without_schema(name);
        !name.starts_with("pg_") && name != "unnest"
    };
    !relations::any(query, is_foreign)
}

/// Whether a query reads rows that are written in it, of which there may be several.
fn has_rows_of_its_own(query: &Query) -> bool {
    let is_single = matches!(&*query.body, SetExpr::Select(select) if select.from.is_empty());
    !is_single && !relations::any(query, |_| true)
}

fn no_texts() -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(null()),
        data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None)),
        array: false,
        format: None,
    }
}
