//! PostgreSQL's SQL, where the engine's differs: statements are changed until the engine understands
//! them, and it is taught comparisons and functions that it lacks.
//!
//! Reading order: `complexity` and `unsupported` (what is refused), `tokens` (what is changed in a
//! text), `rewrite` with `queries`, `subqueries`, `calls`, `array_calls` and `similar` (in what was
//! parsed), [`names`] (what columns are called), `comparisons` with `times`, `scaled`, `intervals` and
//! `existence` (in plans), `typed` with `exact`, `domains`, `rounding`, `instants` and `texts` (once
//! types are known), and the functions: `age`, `arrays`, `clock`, `date_part`, `json_access` with its
//! `json_operators`, `json_object`, `octet_length`, `series`, [`setting_functions`], `size_pretty`, `sums` with `interval_sums`,
//! `text_functions`, `to_char` with its `template`, `zones`.

mod age;
mod array_calls;
mod arrays;
mod calls;
mod clock;
mod comparisons;
mod complexity;
mod date_part;
mod domains;
mod exact;
mod existence;
mod instants;
mod interval_sums;
mod intervals;
mod json_access;
mod json_object;
mod json_operators;
pub(crate) mod names;
mod octet_length;
mod queries;
mod relations;
mod rewrite;
mod rounding;
mod scaled;
mod series;
pub(crate) mod setting_functions;
mod similar;
mod size_pretty;
mod subqueries;
mod sums;
mod template;
mod text_functions;
mod texts;
mod times;
mod to_char;
mod tokens;
mod typed;
mod unsupported;
mod zones;

use std::sync::Arc;

use datafusion::{
    common::DataFusionError,
    execution::{FunctionRegistry, SessionState, SessionStateBuilder},
    sql::sqlparser::{
        ast::Statement,
        dialect::PostgreSqlDialect,
        parser::{Parser as SqlParser, ParserError},
        tokenizer::Tokenizer,
    },
};
use datafusion_pg_catalog::sql::{
    PostgresCompatibilityParser,
    rules::{self, SqlStatementRewriteRule},
};

use crate::{error::SqlError, growth::texts::Room};

use comparisons::Comparisons;
pub(crate) use complexity::check_plan;
use existence::Existence;
use intervals::Lengths;
use json_operators::JsonOperators;
pub(crate) use sums::SUMMED;
pub(crate) use times::written_out;
use typed::Typed;

/// Reads statements.
pub(crate) struct Parser {
    /// For questions about the catalogue. It knows those of many clients, and answers subqueries
    /// among columns with null where it doesn't understand them: most are about what is not here.
    of_catalogue: PostgresCompatibilityParser,
    /// For all others: the same changes, but none that makes an answer wrong.
    of_rows: Vec<Box<dyn SqlStatementRewriteRule>>,
}

impl Parser {
    pub(crate) fn new() -> Self {
        Self {
            of_catalogue: PostgresCompatibilityParser::new(),
            of_rows: vec![
                Box::new(rules::AliasDuplicatedProjectionRewrite),
                Box::new(rules::ResolveUnqualifiedIdentifier),
                Box::new(rules::RewriteArrayAnyAllOperation),
                Box::new(rules::StripCallableQualifier),
                Box::new(rules::FixArrayLiteral),
                Box::new(rules::CurrentUserVariableToSessionUserFunctionCall),
                Box::new(rules::StripCollate),
                Box::new(rules::RewritePgCatalogOperator),
                Box::new(rules::RewriteRegCastToSubquery::new()),
                Box::new(rules::FixVersionColumnName),
            ],
        }
    }

    /// Parses statements that are separated by semicolons.
    ///
    /// # Errors
    /// Returns an error if the text is not SQL, or needs more room than there is.
    pub(crate) fn parse(&self, sql: &str, room: &Room) -> Result<Vec<Statement>, SqlError> {
        let text = tokens::tolerable(sql);
        let mut statements = match plainly(&text, room)? {
            Ok(mut statements) if !statements.iter().any(is_about_catalogue) => {
                statements.iter().try_for_each(unsupported::check)?;
                statements.iter_mut().for_each(rewrite::rewrite_sets);
                let changed = |statement| {
                    self.of_rows.iter().fold(statement, |statement, rule| rule.rewrite(statement))
                };
                statements.into_iter().map(changed).collect()
            }
            Ok(_) | Err(_) => {
                let parsed = self.of_catalogue.parse(&text);
                parsed.map_err(|error| DataFusionError::SQL(Box::new(error), None))?
            }
        };
        statements.iter().try_for_each(complexity::check)?;
        statements.iter_mut().for_each(rewrite::rewrite);
        Ok(statements)
    }
}

/// Parses a text as it is, unless it is too complex.
fn plainly(text: &str, room: &Room) -> Result<Result<Vec<Statement>, ParserError>, SqlError> {
    let tokens = match Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location() {
        Ok(tokens) => tokens,
        Err(error) => return Ok(Err(error.into())),
    };
    complexity::check_tokens(&tokens)?;
    room.resize_to(tokens.len())?;
    unsupported::check_tokens(&tokens)?;
    let parser = SqlParser::new(&PostgreSqlDialect {});
    Ok(parser.with_tokens_with_locations(tokens).parse_statements())
}

/// Whether a statement reads what describes the database.
fn is_about_catalogue(statement: &Statement) -> bool {
    relations::any(statement, |name| {
        name.starts_with("pg_") || name.starts_with("information_schema.")
    })
}

/// Teaches the engine what plans of such statements need.
///
/// # Errors
/// Returns an error if the engine takes no more functions.
pub(crate) fn teach(mut state: SessionState) -> Result<SessionState, SqlError> {
    series::register(&mut state);
    let functions: &mut dyn FunctionRegistry = &mut state;
    age::register(functions)?;
    arrays::register(functions)?;
    clock::register(functions)?;
    date_part::register(functions)?;
    json_object::register(functions)?;
    setting_functions::register(functions)?;
    octet_length::register(functions)?;
    size_pretty::register(functions)?;
    sums::register(functions)?;
    text_functions::register(functions)?;
    to_char::register(functions)?;
    zones::register(functions)?;
    // Before the library's own, which are asked later.
    functions.register_expr_planner(Arc::new(JsonOperators))?;
    datafusion_functions_json::register_all(functions)?;
    functions.register_expr_planner(Arc::new(Comparisons))?;
    functions.register_function_rewrite(Arc::new(Comparisons))?;
    let state = SessionStateBuilder::new_from_existing(state);
    let state = state.with_analyzer_rule(Arc::new(Existence));
    let state = state.with_analyzer_rule(Arc::new(Lengths));
    Ok(state.with_analyzer_rule(Arc::new(Typed)).build())
}
