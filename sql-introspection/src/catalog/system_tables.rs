//! PostgreSQL's system tables: the library's, and those of them that clients need otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    catalog::{SchemaProvider, TableProvider},
    common::Result,
    prelude::SessionContext,
};

use crate::error::SqlError;

/// The library's tables, but for some.
#[derive(Debug, Clone)]
pub(super) struct SystemTables {
    pub(super) tables: Arc<dyn SchemaProvider>,
    /// Take the place of the library's tables of these names, or are missing there.
    pub(super) own: BTreeMap<&'static str, Arc<dyn TableProvider>>,
}

/// Tables that differ from the library's in a few columns. Lists of numbers and of texts are texts
/// there. The function of an aggregate is a name there, and null here if several have that name.
const MENDED: [(&str, &str); 7] = [
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
        "pg_settings",
        "select * from pg_catalog.pg_settings \
         union all by name select 'max_index_keys' as name, '32' as setting",
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

impl SystemTables {
    /// Takes over the tables of the library.
    pub(super) async fn new(
        context: &SessionContext,
        tables: Arc<dyn SchemaProvider>,
    ) -> Result<Self, SqlError> {
        let mut own = BTreeMap::new();
        for (name, query) in MENDED.into_iter().chain(LACKING) {
            own.insert(name, context.sql(query).await?.into_view());
        }
        Ok(Self { tables, own })
    }
}

#[async_trait]
impl SchemaProvider for SystemTables {
    fn table_names(&self) -> Vec<String> {
        let lacking = LACKING.iter().map(|(name, _)| (*name).to_owned());
        self.tables.table_names().into_iter().chain(lacking).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.own.get(name) {
            Some(table) => Ok(Some(Arc::clone(table))),
            None => self.tables.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.own.contains_key(name) || self.tables.table_exist(name)
    }
}
