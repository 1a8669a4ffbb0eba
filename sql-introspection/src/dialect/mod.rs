//! PostgreSQL's SQL, where the engine's differs: statements are changed until the engine understands
//! them, and it is taught comparisons and functions that it lacks.
//!
//! Reading order: `tokens` (what is changed in a text), `rewrite` with `subqueries` and `array_calls`
//! (in what was parsed), [`names`] (what columns are called), `comparisons`, `intervals` and
//! `existence` (in plans), and the functions: `arrays`, `json_object`, [`setting_functions`],
//! `text_functions`, `to_char` with its `template`, `zones`.

mod array_calls;
mod arrays;
mod comparisons;
mod existence;
mod intervals;
mod json_object;
pub(crate) mod names;
mod rewrite;
pub(crate) mod setting_functions;
mod subqueries;
mod template;
mod text_functions;
mod to_char;
mod tokens;
mod zones;

use std::sync::Arc;

use datafusion::{
    common::DataFusionError,
    execution::{FunctionRegistry, SessionState, SessionStateBuilder},
    sql::sqlparser::ast::Statement,
};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;

use crate::error::SqlError;

use comparisons::Comparisons;
use existence::Existence;
use intervals::Lengths;

/// Reads statements.
pub(crate) struct Parser(PostgresCompatibilityParser);

impl Parser {
    pub(crate) fn new() -> Self {
        Self(PostgresCompatibilityParser::new())
    }

    /// Parses statements that are separated by semicolons.
    ///
    /// # Errors
    /// Returns an error if the text is not SQL.
    pub(crate) fn parse(&self, sql: &str) -> Result<Vec<Statement>, SqlError> {
        let parsed = self.0.parse(&tokens::tolerable(sql));
        let mut statements = parsed.map_err(|error| DataFusionError::SQL(Box::new(error), None))?;
        statements.iter_mut().for_each(rewrite::rewrite);
        Ok(statements)
    }
}

/// Teaches the engine what plans of such statements need.
///
/// # Errors
/// Returns an error if the engine takes no more functions.
pub(crate) fn teach(mut state: SessionState) -> Result<SessionState, SqlError> {
    let functions: &mut dyn FunctionRegistry = &mut state;
    arrays::register(functions)?;
    json_object::register(functions)?;
    setting_functions::register(functions)?;
    text_functions::register(functions)?;
    to_char::register(functions)?;
    zones::register(functions)?;
    datafusion_functions_json::register_all(functions)?;
    functions.register_expr_planner(Arc::new(Comparisons))?;
    functions.register_function_rewrite(Arc::new(Comparisons))?;
    let state = SessionStateBuilder::new_from_existing(state);
    let state = state.with_analyzer_rule(Arc::new(Existence));
    Ok(state.with_analyzer_rule(Arc::new(Lengths)).build())
}
