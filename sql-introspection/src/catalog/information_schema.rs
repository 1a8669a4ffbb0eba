//! `information_schema`: the engine's, but with the columns as PostgreSQL describes them.

use std::sync::Arc;

use datafusion::{
    catalog::{
        CatalogProviderList, MemorySchemaProvider, SchemaProvider,
        information_schema::InformationSchemaProvider,
    },
    prelude::SessionContext,
};

use crate::error::SqlError;

/// Its name.
pub(super) const INFORMATION: &str = "information_schema";

/// As in PostgreSQL, what the system tables say, under other names.
const COLUMNS: &str = "\
    select current_database() as table_catalog, n.nspname as table_schema, \
        c.relname as table_name, a.attname as column_name, \
        cast(a.attnum as int) as ordinal_position, cast(null as varchar) as column_default, \
        case when a.attnotnull then 'NO' else 'YES' end as is_nullable, \
        case when t.typcategory = 'A' then 'ARRAY' else format_type(t.oid, -1) end as data_type, \
        cast(null as int) as character_maximum_length, \
        cast(null as int) as character_octet_length, \
        case t.typname when 'int2' then 16 when 'int4' then 32 when 'int8' then 64 \
            when 'float4' then 24 when 'float8' then 53 end as numeric_precision, \
        case when t.typname in ('int2', 'int4', 'int8', 'float4', 'float8') then 2 \
            when t.typname = 'numeric' then 10 end as numeric_precision_radix, \
        case when t.typname in ('int2', 'int4', 'int8') then 0 end as numeric_scale, \
        case when t.typname in ('interval', 'timestamp', 'timestamptz') then 6 \
            when t.typname = 'date' then 0 end as datetime_precision, \
        cast(null as varchar) as interval_type, cast(null as int) as interval_precision, \
        cast(null as varchar) as collation_name, cast(null as varchar) as domain_name, \
        current_database() as udt_catalog, 'pg_catalog' as udt_schema, t.typname as udt_name, \
        'NO' as is_self_referencing, 'NO' as is_identity, 'NEVER' as is_generated, \
        cast(null as varchar) as generation_expression, 'NO' as is_updatable \
    from pg_catalog.pg_attribute a \
    join pg_catalog.pg_class c on c.oid = a.attrelid \
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    join pg_catalog.pg_type t on t.oid = a.atttypid";

/// Nothing has a constraint.
const LACKING: [(&str, &[&str]); 4] = [
    (
        "table_constraints",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_type",
            "is_deferrable",
            "initially_deferred",
            "enforced",
        ],
    ),
    (
        "key_column_usage",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
            "position_in_unique_constraint",
        ],
    ),
    (
        "constraint_column_usage",
        &[
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
        ],
    ),
    (
        "referential_constraints",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "unique_constraint_catalog",
            "unique_constraint_schema",
            "unique_constraint_name",
            "match_option",
            "update_rule",
            "delete_rule",
        ],
    ),
];

/// The schema without the description of columns, which reads system tables.
pub(super) async fn schema(
    context: &SessionContext,
    catalogs: Arc<dyn CatalogProviderList>,
) -> Result<Arc<dyn SchemaProvider>, SqlError> {
    let schema = MemorySchemaProvider::new();
    let known = InformationSchemaProvider::new(catalogs);
    for name in known.table_names() {
        if let Some(table) = known.table(&name).await? {
            schema.register_table(name, table)?;
        }
    }
    for (name, columns) in LACKING {
        let column = |name: &&str| match *name {
            "ordinal_position" | "position_in_unique_constraint" => {
                format!("cast(null as int) as {name}")
            }
            name => format!("cast(null as varchar) as {name}"),
        };
        let columns: Vec<_> = columns.iter().map(column).collect();
        let query = format!("select {} where false", columns.join(", "));
        schema.register_table(name.to_owned(), context.sql(&query).await?.into_view())?;
    }
    Ok(Arc::new(schema))
}

/// Describes the columns, once the system tables are there.
pub(super) async fn describe_columns(
    context: &SessionContext,
    schema: &dyn SchemaProvider,
) -> Result<(), SqlError> {
    let columns = context.sql(COLUMNS).await?.into_view();
    schema.deregister_table("columns")?;
    schema.register_table("columns".to_owned(), columns)?;
    Ok(())
}
