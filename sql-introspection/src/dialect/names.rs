//! Names of columns, as PostgreSQL gives them to those that a query does not name. The engine calls
//! such a column by its whole expression, and refuses two columns of the same name.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Ident, Query, SelectItem, SetExpr, Statement, TrimWhereField,
};

/// Ends a name where what follows only tells it from others.
const END: char = '\u{1}';
/// What the parser puts before the name of a column that a wildcard contains too.
const REPEATED: &str = "__alias_";

/// Names the columns of a query, each differently.
pub(crate) fn give(statement: &mut Statement) {
    let Statement::Query(query) = statement else { return };
    let mut body = &mut *query.body;
    // The columns of a union are called as in its first query.
    while let SetExpr::SetOperation { left, .. } = body {
        body = left;
    }
    let SetExpr::Select(select) = body else { return };
    let mut given = HashSet::new();
    for item in &mut select.projection {
        let (expr, name, is_own) = match item {
            SelectItem::UnnamedExpr(expr) => {
                let is_own = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                let name = of(expr).unwrap_or_else(|| "?column?".to_owned());
                (expr, name, is_own)
            }
            SelectItem::ExprWithAlias { expr, alias } => (expr, alias.value.clone(), true),
            SelectItem::ExprWithAliases { .. }
            | SelectItem::QualifiedWildcard(..)
            | SelectItem::Wildcard(_) => continue,
        };
        let is_new = given.insert(name.clone());
        if is_own && is_new {
            continue;
        }
        let unique = if is_new { name } else { format!("{name}{END}{}", given.len()) };
        given.insert(unique.clone());
        let expr = expr.clone();
        *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', unique) };
    }
}

/// The name that a client sees.
pub(crate) fn shown(name: &str) -> &str {
    let name = name.split(END).next().unwrap_or(name);
    name.strip_prefix(REPEATED).unwrap_or(name)
}

/// The name of a column that is an expression, if there is one.
fn of(expr: &Expr) -> Option<String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others have no name")]
    let name = match expr {
        Expr::Identifier(name) => return Some(name.value.clone()),
        Expr::CompoundIdentifier(names) => return names.last().map(|name| name.value.clone()),
        Expr::Function(function) => return function.name.0.last().map(ToString::to_string),
        Expr::Cast { expr, data_type, .. } => {
            return of(expr).or_else(|| Some(of_type(data_type)));
        }
        Expr::TypedString(typed) => return Some(of_type(&typed.data_type)),
        Expr::Nested(expr) | Expr::Collate { expr, .. } => return of(expr),
        Expr::CompoundFieldAccess { root, .. } => return of(root),
        Expr::Subquery(query) => return of_query(query),
        Expr::Case { else_result, .. } => {
            let otherwise = else_result.as_deref().and_then(of);
            return Some(otherwise.unwrap_or_else(|| "case".to_owned()));
        }
        Expr::Array(_) => "array",
        Expr::AtTimeZone { .. } => "timezone",
        Expr::Ceil { .. } => "ceil",
        Expr::Exists { .. } => "exists",
        Expr::Extract { .. } => "extract",
        Expr::Floor { .. } => "floor",
        Expr::Interval(_) => "interval",
        Expr::Overlay { .. } => "overlay",
        Expr::Position { .. } => "position",
        Expr::Substring { .. } => "substring",
        Expr::Trim { trim_where, .. } => match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        },
        _ => return None,
    };
    Some(name.to_owned())
}

/// The name of a query's first column.
fn of_query(query: &Query) -> Option<String> {
    let SetExpr::Select(select) = &*query.body else { return None };
    match select.projection.first()? {
        SelectItem::UnnamedExpr(expr) => of(expr),
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::ExprWithAliases { .. }
        | SelectItem::QualifiedWildcard(..)
        | SelectItem::Wildcard(_) => None,
    }
}

/// What PostgreSQL calls a type in its catalogue.
fn of_type(ty: &DataType) -> String {
    if let DataType::Array(_) = ty {
        return ty.to_string().trim_end_matches("[]").to_lowercase();
    }
    let name = ty.to_string().to_lowercase();
    let name = name.split('(').next().unwrap_or_default().trim();
    let known = match name {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "real" => "float4",
        "float" | "double" | "double precision" => "float8",
        "boolean" => "bool",
        "decimal" => "numeric",
        "character varying" => "varchar",
        "timestamp with time zone" => "timestamptz",
        other => other,
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::{dialect::PostgreSqlDialect, parser::Parser};

    use super::*;

    /// The names as clients see them, and whether the engine can tell them apart.
    fn names(sql: &str) -> Vec<String> {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        give(&mut statements[0]);
        let Statement::Query(query) = &statements[0] else { panic!("{sql} is no query") };
        let SetExpr::Select(select) = &*query.body else { panic!("{sql} is no select") };
        let all: Vec<_> = select
            .projection
            .iter()
            .map(|item| {
                let SelectItem::ExprWithAlias { alias, .. } = item else { return item.to_string() };
                alias.value.clone()
            })
            .collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "{all:?}");
        all.iter().map(|name| shown(name).to_owned()).collect()
    }

    #[test]
    fn columns_are_called_as_in_postgresql() {
        for (sql, expected) in [
            ("select 1, 2, null", &["?column?", "?column?", "?column?"][..]),
            ("select 'a' as x, 'b' as x", &["x", "x"]),
            ("select count(*), count(*), max(a)", &["count", "count", "max"]),
            ("select a, a, a as b", &["a", "a", "b"]),
            ("select a + 1, not a, -a", &["?column?", "?column?", "?column?"]),
            ("select '5'::int, a::text, 'a'::text[]", &["int4", "a", "text"]),
            ("select date '2024-02-29', interval '1 day'", &["date", "interval"]),
            ("select extract(year from a), trim(a), a[1]", &["extract", "btrim", "a"]),
            ("select case when a then 1 end, case when a then 1 else b end", &["case", "b"]),
            ("select exists (select 1), (select max(a))", &["exists", "max"]),
            ("select pg_catalog.version()", &["version"]),
        ] {
            assert_eq!(names(sql), expected, "{sql}");
        }
    }
}
