//! Bounds statements that are small to send and large to understand: what reads and plans them calls
//! itself for each operator of a chain, tries brackets several times, and plans a table expression
//! once for each mention.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::{
    common::{not_impl_err, plan_err, tree_node::TreeNodeRecursion},
    logical_expr::{Expr, GroupingSet, LogicalPlan},
    sql::sqlparser::{
        ast::{ObjectName, Query, SetExpr, Statement, Visit, Visitor, visit_relations},
        keywords::Keyword,
        tokenizer::{Token, TokenWithSpan},
    },
};

use super::relations::plain;
use crate::error::SqlError;

/// Operators of a statement. A list of values has none, however long it is.
const OPERATORS_MAX: usize = 1000;
/// Operators of a chain that computes a value. To plan one takes the cube of its length, since each
/// step is named by all before it, and nothing can interrupt that.
const CHAIN_MAX: usize = 100;
/// Queries of a statement that are united, intersected or subtracted.
const SET_OPERATORS_MAX: usize = 200;
/// How deep arrays may be nested. The time to read them doubles with each level.
const BRACKETS_DEEP_MAX: usize = 16;
/// Tables of a statement, each as often as it is planned.
const TABLES_MAX: u64 = 500;
/// How many sets of columns a query may group its rows by. Each reads all rows.
const GROUPING_SETS_MAX: usize = 1000;

/// Aggregates that keep all that they have seen.
const COLLECTING: [&str; 2] = ["array_agg", "string_agg"];

/// Statements of a text.
const STATEMENTS_MAX: usize = 1000;
/// Columns that are selected, as many as PostgreSQL has at most. Each is compared with all others.
const COLUMNS_MAX: usize = 1664;

/// Checks what a text consists of, before it is parsed.
pub(super) fn check_tokens(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let statements = tokens.iter().filter(|it| it.token == Token::SemiColon).count();
    if statements > STATEMENTS_MAX {
        let what = format!("a text may have {STATEMENTS_MAX} statements, not {statements}");
        return Err(SqlError::new("54000", what).hint("send them one after the other"));
    }
    tokens.split(|it| it.token == Token::SemiColon).try_for_each(check_statement)
}

fn check_statement(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let (mut operators, mut set_operators, mut deep) = (0, 0, 0_usize);
    let mut chains = Chains::default();
    for TokenWithSpan { token, .. } in tokens {
        #[expect(clippy::wildcard_enum_match_arm, reason = "others neither nest nor chain")]
        match token {
            Token::LBracket => deep += 1,
            Token::RBracket => deep = deep.saturating_sub(1),
            Token::Word(word) => match word.keyword {
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => set_operators += 1,
                Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::BETWEEN
                | Keyword::COLLATE
                | Keyword::JOIN => operators += 1,
                _ => (),
            },
            Token::Whitespace(_)
            | Token::Comma
            | Token::Period
            | Token::LParen
            | Token::RParen
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Placeholder(_)
            | Token::EOF => (),
            // The names of operators are many; everything else counts as one.
            _ => operators += 1,
        }
        chains.read(token);
        if deep > BRACKETS_DEEP_MAX {
            return Err(too_complex(&format!("arrays nested in more than {BRACKETS_DEEP_MAX}")));
        }
    }
    if chains.longest > CHAIN_MAX {
        let found = format!(
            "an expression with {} times || + - * / or %; up to {CHAIN_MAX} are understood",
            chains.longest
        );
        return Err(too_complex(&found).hint("use concat(…), or sum(…) over a list of values"));
    }
    if operators > OPERATORS_MAX {
        let found = format!("{operators} operators; up to {OPERATORS_MAX} are understood");
        return Err(too_complex(&found).hint("use in (…) or any(…) for a list of values"));
    }
    if set_operators > SET_OPERATORS_MAX {
        return Err(too_complex(&format!(
            "{set_operators} set operators; up to {SET_OPERATORS_MAX} are understood"
        )));
    }
    Ok(())
}

/// Counts operators that compute a value, by the chain that they are in. What is in brackets is part
/// of the chain around it: the longest of what commas separate there.
#[derive(Default)]
struct Chains {
    longest: usize,
    innermost: Chain,
    around: Vec<Chain>,
}

#[derive(Default)]
struct Chain {
    length: usize,
    /// Of those before it within the same brackets.
    longest: usize,
}

impl Chains {
    fn read(&mut self, token: &Token) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "others neither nest nor chain")]
        match token {
            Token::LParen | Token::LBracket => self.begin(),
            Token::RParen | Token::RBracket => self.end(),
            Token::Comma => self.innermost.end(),
            Token::Word(word) => match word.keyword {
                Keyword::CASE => self.begin(),
                Keyword::END => self.end(),
                // What binds less ends a chain.
                Keyword::AND | Keyword::OR | Keyword::FROM | Keyword::WHERE => {
                    self.innermost.end();
                }
                _ => (),
            },
            Token::StringConcat
            | Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod => self.add(1),
            _ => (),
        }
    }

    fn begin(&mut self) {
        self.around.push(std::mem::take(&mut self.innermost));
    }

    fn end(&mut self) {
        self.innermost.end();
        let within = self.innermost.longest;
        self.innermost = self.around.pop().unwrap_or_default();
        self.add(within);
    }

    fn add(&mut self, operators: usize) {
        self.innermost.length += operators;
        self.longest = self.longest.max(self.innermost.length);
    }
}

impl Chain {
    fn end(&mut self) {
        self.longest = self.longest.max(std::mem::take(&mut self.length));
    }
}

/// Checks what was parsed.
pub(super) fn check(statement: &Statement) -> Result<(), SqlError> {
    if let ControlFlow::Break(columns) = statement.visit(&mut Columns) {
        let what = format!("a query may select {COLUMNS_MAX} columns, not {columns}");
        return Err(SqlError::new("54011", what));
    }
    let mut tables = Tables::default();
    let is_over = statement.visit(&mut tables).is_break();
    if is_over || tables.mentioned(statement) > TABLES_MAX {
        return Err(too_complex(&format!(
            "more than {TABLES_MAX} tables, where those of a table expression count once for each \
             mention"
        )));
    }
    Ok(())
}

/// Checks what was planned.
///
/// # Errors
/// Returns an error if it would take too much to compute.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), SqlError> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Window(window) = node
            && let Some(name) = window.window_expr.iter().find_map(collecting)
        {
            return not_impl_err!("{name} over a window: each row would have all before it");
        }
        let LogicalPlan::Aggregate(aggregate) = node else {
            return Ok(TreeNodeRecursion::Continue);
        };
        let sets = aggregate.group_expr.iter().map(grouping_sets).product::<usize>();
        if sets > GROUPING_SETS_MAX {
            return plan_err!("{sets} grouping sets; up to {GROUPING_SETS_MAX} are computed");
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The name of a window function that keeps all that it has seen.
fn collecting(window: &Expr) -> Option<&'static str> {
    let window = if let Expr::Alias(alias) = window { &*alias.expr } else { window };
    let Expr::WindowFunction(call) = window else { return None };
    COLLECTING.into_iter().find(|name| call.fun.name() == *name)
}

/// How many sets of columns an expression stands for.
fn grouping_sets(by: &Expr) -> usize {
    let Expr::GroupingSet(sets) = by else { return 1 };
    match sets {
        GroupingSet::Rollup(columns) => columns.len() + 1,
        GroupingSet::Cube(columns) => u32::try_from(columns.len())
            .ok()
            .and_then(|n| 2_usize.checked_pow(n))
            .unwrap_or(usize::MAX),
        GroupingSet::GroupingSets(sets) => sets.len(),
    }
}

/// Finds a query that selects too many columns.
struct Columns;

impl Visitor for Columns {
    type Break = usize;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<usize> {
        if let SetExpr::Select(select) = &*query.body
            && select.projection.len() > COLUMNS_MAX
        {
            return ControlFlow::Break(select.projection.len());
        }
        ControlFlow::Continue(())
    }
}

/// How many tables each table expression stands for.
#[derive(Default)]
struct Tables(HashMap<String, u64>);

impl Tables {
    fn mentioned(&self, within: &impl Visit) -> u64 {
        let mut count = 0_u64;
        let _ = visit_relations(within, |name: &ObjectName| {
            let known = self.0.get(&plain(name)).copied();
            count = count.saturating_add(known.unwrap_or(1));
            ControlFlow::<()>::Continue(())
        });
        count
    }
}

impl Visitor for Tables {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for expression in query.with.iter().flat_map(|with| &with.cte_tables) {
            let count = self.mentioned(&expression.query);
            if count > TABLES_MAX {
                return ControlFlow::Break(());
            }
            self.0.insert(plain(&expression.alias.name), count.max(1));
        }
        ControlFlow::Continue(())
    }
}

fn too_complex(what: &str) -> SqlError {
    SqlError::new("54001", format!("the statement is too complex: it has {what}"))
}
