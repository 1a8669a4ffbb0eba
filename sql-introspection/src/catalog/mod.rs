//! The catalogue: the tables themselves, and PostgreSQL's system tables about them, for `\d` and
//! for tools.

mod comments;
mod functions;
mod growth;
mod json_object;
mod lookups;
mod rewrite;
mod system_tables;
mod tokens;

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
pub(crate) use tokens::tolerable;

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
    let system = database.schema(SYSTEM).ok_or_else(|| {
        SqlError::new("XX000", "the engine has been set up without its catalogue")
    })?;
    let with = |descriptions| SystemTables { tables: Arc::clone(&system), descriptions };
    database.register_schema(SYSTEM, Arc::new(with(None)))?;
    functions::register(context);
    json_object::register(context);
    growth::register(context);
    let descriptions = comments::register(context, &descriptions).await?;
    database.register_schema(SYSTEM, Arc::new(with(Some(descriptions))))?;
    lookups::register(context).await?;
    let mut state = context.state();
    datafusion_functions_json::register_all(&mut state)?;
    Ok(state)
}
