//! Refuses what the engine would answer otherwise than PostgreSQL: of a sample, it would read all, a
//! pattern of `similar to` it would take for a regular expression, and so on.

#![expect(clippy::wildcard_enum_match_arm, reason = "all others are answered")]

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::{
    ast::{
        BinaryOperator, Expr as SqlExpr, Fetch, Function, FunctionArguments, JoinConstraint,
        JoinOperator, Query, SetExpr, SetOperator, SetQuantifier, Statement, TableFactor,
        UnaryOperator, Value, Visit, Visitor, visit_expressions,
    },
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan},
};

use crate::error::SqlError;

/// # Errors
/// Returns an error if a text has something that is not supported, and that the parser would not
/// understand.
pub(super) fn check_tokens(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let words = tokens.iter().filter(|it| !matches!(it.token, Token::Whitespace(_)));
    let mut before = None;
    for TokenWithSpan { token, .. } in words {
        let Token::Word(word) = token else {
            before = None;
            continue;
        };
        if before == Some(Keyword::BETWEEN) && word.keyword == Keyword::SYMMETRIC {
            let error = SqlError::new("0A000", "BETWEEN SYMMETRIC is not supported");
            return Err(error.hint("write BETWEEN least(a, b) AND greatest(a, b)"));
        }
        before = Some(word.keyword);
    }
    Ok(())
}

/// # Errors
/// Returns an error if a statement has something that is not supported.
pub(super) fn check(statement: &Statement) -> Result<(), SqlError> {
    match statement.visit(&mut Unsupported) {
        ControlFlow::Break(what) => Err(SqlError::new("0A000", format!("{what} is not supported"))),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Unsupported;

impl Visitor for Unsupported {
    type Break = &'static str;

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<&'static str> {
        if let Some(what) = subquery(expr) {
            return ControlFlow::Break(what);
        }
        let SqlExpr::SimilarTo { pattern, .. } = expr else { return ControlFlow::Continue(()) };
        if matches!(&**pattern, SqlExpr::Value(literal) if matches!(literal.value, Value::SingleQuotedString(_)))
        {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break("SIMILAR TO with a pattern that is no literal")
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<&'static str> {
        if let Some(Fetch { with_ties: true, .. } | Fetch { percent: true, .. }) = query.fetch {
            return ControlFlow::Break("FETCH with WITH TIES or PERCENT");
        }
        match &*query.body {
            SetExpr::SetOperation {
                op: SetOperator::Except | SetOperator::Intersect,
                set_quantifier: SetQuantifier::All,
                ..
            } => ControlFlow::Break("EXCEPT ALL or INTERSECT ALL"),
            SetExpr::Select(select) => {
                let mut joins = select.from.iter().flat_map(|it| &it.joins);
                match joins.any(|join| is_shared_outer(&join.join_operator)) {
                    true => ControlFlow::Break(
                        "USING or NATURAL with a right or full join (write ON, and coalesce what both \
                         have)",
                    ),
                    false => ControlFlow::Continue(()),
                }
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<&'static str> {
        if let TableFactor::Table { sample: Some(_), .. } = table {
            return ControlFlow::Break("TABLESAMPLE");
        }
        ControlFlow::Continue(())
    }
}

/// Whether an expression has an `in` with a subquery. Where that is unknown, the engine says no, which
/// makes no difference to a filter, but does to what denies it.
fn has_in(expr: &SqlExpr, is_meant: fn(bool) -> bool) -> bool {
    let found = visit_expressions(expr, |part| match part {
        SqlExpr::InSubquery { negated, .. } if is_meant(*negated) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// What the engine would answer wrongly of subqueries.
fn subquery(expr: &SqlExpr) -> Option<&'static str> {
    match expr {
        SqlExpr::AnyOp { compare_op, right, .. }
            if matches!(**right, SqlExpr::Subquery(_)) && *compare_op != BinaryOperator::Eq =>
        {
            Some(OF_ALL)
        }
        SqlExpr::AllOp { compare_op, right, .. }
            if matches!(**right, SqlExpr::Subquery(_)) && *compare_op != BinaryOperator::NotEq =>
        {
            Some(OF_ALL)
        }
        SqlExpr::Function(Function { args: FunctionArguments::Subquery(_), .. }) => {
            Some("an array of a subquery")
        }
        SqlExpr::UnaryOp { op: UnaryOperator::Not, expr: denied } => {
            let mut denied = &**denied;
            while let SqlExpr::Nested(inner) = denied {
                denied = inner;
            }
            let is_one = matches!(denied, SqlExpr::InSubquery { .. } | SqlExpr::Exists { .. });
            (!is_one && has_in(denied, |_| true)).then_some(IN_DENIED)
        }
        SqlExpr::IsNull(of)
        | SqlExpr::IsNotNull(of)
        | SqlExpr::IsTrue(of)
        | SqlExpr::IsNotTrue(of)
        | SqlExpr::IsFalse(of)
        | SqlExpr::IsNotFalse(of)
        | SqlExpr::IsUnknown(of)
        | SqlExpr::IsNotUnknown(of) => has_in(of, |_| true).then_some(IN_DENIED),
        SqlExpr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            let is_negated = |negated| negated;
            (has_in(left, is_negated) || has_in(right, is_negated)).then_some(IN_DENIED)
        }
        _ => None,
    }
}

const OF_ALL: &str = "ANY or ALL of a subquery, other than = ANY and <> ALL,";
const IN_DENIED: &str = "IN with a subquery within NOT, IS NULL and the like, or NOT IN within OR,";

/// Whether a join has columns of both sides, one of which may be null.
fn is_shared_outer(join: &JoinOperator) -> bool {
    let (JoinOperator::Right(on) | JoinOperator::RightOuter(on) | JoinOperator::FullOuter(on)) =
        join
    else {
        return false;
    };
    matches!(on, JoinConstraint::Using(_) | JoinConstraint::Natural)
}
