//! The catalogue: the tables themselves, and PostgreSQL's system tables about them, for `\d` and
//! for tools.

mod comments;
mod functions;
mod growth;
mod rewrite;
mod system_tables;

use std::sync::Arc;

use datafusion::{
    catalog::{MemorySchemaProvider, SchemaProvider},
    execution::SessionState,
    prelude::SessionContext,
};
use datafusion_pg_catalog::pg_catalog::{context::EmptyContextProvider, setup_pg_catalog};

use crate::{error::SqlError, tables};

pub(crate) use rewrite::rewrite;
use system_tables::SystemTables;

/// The only database. Clients may ask for any other by name, and get this one.
pub(crate) const DATABASE: &str = "abide";
/// The schema of all tables.
pub(crate) const SCHEMA: &str = "public";

/// The schema of the system tables.
const SYSTEM: &str = "pg_catalog";

/// Adds the tables, and returns the state to plan queries with.
pub(crate) async fn set_up(context: &SessionContext) -> Result<SessionState, SqlError> {
    let schema = MemorySchemaProvider::new();
    let mut descriptions = Vec::new();
    for (description, table) in tables::all() {
        schema.register_table(description.name.to_owned(), table)?;
        descriptions.push(description);
    }
    let database = context
        .catalog(DATABASE)
        .ok_or_else(|| SqlError::new("XX000", "the engine has been set up without its database"))?;
    database.register_schema(SCHEMA, Arc::new(schema))?;
    let usage = tables::usage::description();
    let view = context.sql(tables::usage::QUERY).await?.into_view();
    if let Some(schema) = database.schema(SCHEMA) {
        schema.register_table(usage.name.to_owned(), view)?;
    }
    descriptions.push(usage);
    setup_pg_catalog(context, DATABASE, EmptyContextProvider).map_err(|error| *error)?;
    if let Some(system) = database.schema(SYSTEM) {
        database.register_schema(SYSTEM, Arc::new(SystemTables(system)))?;
    }
    functions::register(context);
    growth::register(context);
    comments::register(context, &descriptions).await?;
    let mut state = context.state();
    datafusion_functions_json::register_all(&mut state)?;
    Ok(state)
}
