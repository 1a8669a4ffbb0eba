//! Clauses of queries that the engine does not know, or understands otherwise.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Fetch, Ident, LimitClause, OrderByKind, Query, SelectItem, SetExpr, Statement, VisitMut,
    VisitorMut,
};

use super::rewrite::{call, number_of};

/// Rewrites the queries of a statement.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = statement.visit(&mut Queries);
}

struct Queries;

impl VisitorMut for Queries {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        limit_what_is_fetched(query);
        if let SetExpr::Select(select) = &mut *query.body {
            select.projection.iter_mut().for_each(unnest_series);
            if let Some(order) = &mut query.order_by
                && let OrderByKind::Expressions(by) = &mut order.kind
            {
                let columns = &select.projection;
                by.iter_mut().for_each(|by| number_output(&mut by.expr, columns));
            }
        }
        ControlFlow::Continue(())
    }
}

/// `fetch first 10 rows only` as `limit 10`.
fn limit_what_is_fetched(query: &mut Query) {
    let Some(Fetch { with_ties: false, percent: false, quantity }) = &query.fetch else { return };
    let count = quantity.clone().unwrap_or_else(|| number_of("1"));
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(count),
        None => {
            let (limit, offset, limit_by) = (Some(count), None, Vec::new());
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by });
        }
        // There cannot be two.
        Some(_) => return,
    }
    query.fetch = None;
}

/// A series in the place of a column is a row for each of its values, not an array of them.
fn unnest_series(item: &mut SelectItem) {
    let name = "generate_series";
    let expr = match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr,
        SelectItem::ExprWithAliases { .. }
        | SelectItem::QualifiedWildcard(..)
        | SelectItem::Wildcard(_) => return,
    };
    let Expr::Function(function) = &*expr else { return };
    if !function.name.to_string().eq_ignore_ascii_case(name) {
        return;
    }
    let rows = call("unnest", [expr.clone()]);
    let alias = match item {
        SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
        SelectItem::UnnamedExpr(_)
        | SelectItem::ExprWithAliases { .. }
        | SelectItem::QualifiedWildcard(..)
        | SelectItem::Wildcard(_) => Ident::new(name),
    };
    *item = SelectItem::ExprWithAlias { expr: rows, alias };
}

/// What rows are ordered by is what a query calls so, before it is a column of a table: the engine
/// prefers the latter. The number of a column is that of the query in any case.
fn number_output(by: &mut Expr, columns: &[SelectItem]) {
    let Expr::Identifier(name) = &*by else { return };
    let is_wildcard = |item: &SelectItem| {
        matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
    };
    let mut named = columns.iter().enumerate().filter_map(|(at, item)| {
        let SelectItem::ExprWithAlias { expr, alias } = item else { return None };
        (plain(alias) == plain(name)).then_some((at, expr))
    });
    let (Some((at, expr)), None) = (named.next(), named.next()) else { return };
    // How many columns are before it is not known, or it makes no difference.
    if columns[..at].iter().any(is_wildcard) || matches!(expr, Expr::Value(_)) {
        return;
    }
    *by = number_of(&(at + 1).to_string());
}

/// A name as it is compared with others.
fn plain(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}
