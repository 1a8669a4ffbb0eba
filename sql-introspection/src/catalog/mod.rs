//! The catalogue: the tables themselves, and PostgreSQL's system tables about them, for `\d` and
//! for tools.

mod attributes;
mod comments;
mod functions;
mod information_schema;
mod lookups;
mod oids;
mod system_tables;
mod types;

use std::sync::Arc;

use datafusion::{
    catalog::{MemorySchemaProvider, SchemaProvider},
    execution::{SessionState, SessionStateBuilder},
    prelude::SessionContext,
};
use datafusion_pg_catalog::pg_catalog::{context::EmptyContextProvider, setup_pg_catalog};

use crate::{error::SqlError, tables};

use information_schema::INFORMATION;
use system_tables::SystemTables;
use types::Types;
pub(crate) use types::is_oid_list;

/// The only database. Clients may ask for any other by name, and get this one.
pub(crate) const DATABASE: &str = "abide";
/// The schema of all tables.
pub(crate) const SCHEMA: &str = "public";

/// The schema of the system tables.
pub(crate) const SYSTEM: &str = "pg_catalog";

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
    let state = SessionStateBuilder::new_from_existing(context.state());
    *context.state_ref().write() = state.with_type_planner(Arc::new(Types)).build();
    functions::register(context);
    let catalogs = Arc::clone(context.state().catalog_list());
    let information = information_schema::schema(context, catalogs).await?;
    database.register_schema(INFORMATION, Arc::clone(&information))?;
    let system = Arc::new(SystemTables::new(context, system).await?);
    database.register_schema(SYSTEM, Arc::clone(&system) as Arc<dyn SchemaProvider>)?;
    let attributes = attributes::table(context, &*database).await?;
    system.register_table("pg_attribute".to_owned(), attributes)?;
    let comments = comments::register(context, &descriptions).await?;
    system.register_table("pg_description".to_owned(), comments)?;
    information_schema::describe_columns(context, &*information).await?;
    lookups::register(context).await?;
    Ok(context.state())
}
