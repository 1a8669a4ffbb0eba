//! PostgreSQL's system tables: the library's, and those of them that clients need otherwise.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    catalog::{MemorySchemaProvider, SchemaProvider, TableProvider},
    common::Result,
    prelude::SessionContext,
};

use crate::{error::SqlError, session_settings::DEFAULTS};

/// The library's tables, but for some.
#[derive(Debug)]
pub(super) struct SystemTables {
    tables: Arc<dyn SchemaProvider>,
    /// Take the place of the library's tables of these names, or are missing there.
    own: MemorySchemaProvider,
}

/// Tables that differ from the library's in a few columns. Lists of numbers and of texts are texts
/// there. The function of an aggregate is a name there, and null here if several have that name.
const MENDED: [(&str, &str); 6] = [
    (
        "pg_class",
        "select *, cast(null as varchar[]) as reloptions, cast(null as varchar[]) as relacl \
         from pg_catalog.pg_class",
    ),
    (
        "pg_namespace",
        "select * replace (cast(null as varchar[]) as nspacl) from pg_catalog.pg_namespace",
    ),
    (
        "pg_extension",
        "select * replace (cast(null as int[]) as extconfig, \
             cast(null as varchar[]) as extcondition) \
         from pg_catalog.pg_extension",
    ),
    (
        "pg_index",
        "select * replace (\
             cast(string_to_array(indkey, ' ') as smallint[]) as indkey, \
             cast(string_to_array(indcollation, ' ') as int[]) as indcollation, \
             cast(string_to_array(indclass, ' ') as int[]) as indclass, \
             cast(string_to_array(indoption, ' ') as smallint[]) as indoption) \
         from pg_catalog.pg_index",
    ),
    (
        "pg_constraint",
        "select * replace (\
             cast(string_to_array(trim(both '[]' from conkey), ', ') as smallint[]) as conkey, \
             cast(string_to_array(trim(both '[]' from confkey), ', ') as smallint[]) as confkey) \
         from pg_catalog.pg_constraint",
    ),
    (
        "pg_aggregate",
        "with functions as (\
             select 'pg_catalog.' || proname as name, min(oid) as oid from pg_catalog.pg_proc \
             where prokind = 'a' group by proname having count(*) = 1\
         ) \
         select a.* replace (f.oid as aggfnoid) from pg_catalog.pg_aggregate a \
         left join functions f on a.aggfnoid = f.name",
    ),
];

/// Tables that the library lacks. They are empty.
const LACKING: [(&str, &str); 1] = [(
    "pg_available_extensions",
    "select cast(null as varchar) as name, cast(null as varchar) as default_version, \
         cast(null as varchar) as installed_version, cast(null as varchar) as comment \
     where false",
)];

/// The query of `pg_settings`, in the columns of the library.
fn settings() -> String {
    let rows = DEFAULTS.iter().map(|(name, value)| format!("('{name}', '{value}')"));
    let rows = rows.collect::<Vec<_>>().join(", ");
    format!(
        "select * from pg_catalog.pg_settings where false \
         union all by name select * from (values {rows}) as settings (name, setting)"
    )
}

impl SystemTables {
    /// Takes over the tables of the library.
    pub(super) async fn new(
        context: &SessionContext,
        tables: Arc<dyn SchemaProvider>,
    ) -> Result<Self, SqlError> {
        let own = MemorySchemaProvider::new();
        let settings = settings();
        let queries = MENDED.into_iter().chain(LACKING).chain([("pg_settings", &*settings)]);
        for (name, query) in queries {
            own.register_table(name.to_owned(), context.sql(query).await?.into_view())?;
        }
        Ok(Self { tables, own })
    }
}

#[async_trait]
impl SchemaProvider for SystemTables {
    fn table_names(&self) -> Vec<String> {
        let known = self.tables.table_names();
        let lacking = self.own.table_names().into_iter().filter(|name| !known.contains(name));
        let lacking: Vec<_> = lacking.collect();
        known.into_iter().chain(lacking).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.own.table(name).await? {
            Some(table) => Ok(Some(table)),
            None => self.tables.table(name).await,
        }
    }

    /// Takes the place of a table of the library.
    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        self.own.register_table(name, table)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.own.table_exist(name) || self.tables.table_exist(name)
    }
}
