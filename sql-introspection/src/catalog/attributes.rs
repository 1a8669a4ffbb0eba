//! `pg_attribute`: the library takes each type that it does not know for text, so the types are told
//! here, as results tell them.

use std::sync::Arc;

use arrow_pg::datatypes::field_into_pg_type;
use datafusion::{
    arrow::{
        array::{Int16Array, Int32Array, RecordBatch},
        datatypes::{DataType, Field, Schema},
    },
    catalog::{CatalogProvider, TableProvider},
    common::DataFusionError,
    datasource::MemTable,
    prelude::SessionContext,
};

use super::oids::oids;
use crate::error::SqlError;

/// Oid, schema and name of each table.
const TABLES: &str = "select c.oid, n.nspname, c.relname from pg_catalog.pg_class c \
    join pg_catalog.pg_namespace n on c.relnamespace = n.oid";

/// What the types are called while the table is made.
const TYPES: &str = "types_of_columns";

const COLUMNS: &str = "select a.* replace (\
        c.type as atttypid, t.typlen as attlen, t.typbyval as attbyval, \
        t.typalign as attalign, t.typstorage as attstorage) \
    from pg_catalog.pg_attribute a \
    join types_of_columns c on c.relation = a.attrelid and c.number = a.attnum \
    join pg_catalog.pg_type t on t.oid = c.type \
    order by a.attrelid, a.attnum";

/// The columns of all tables. They never change.
pub(super) async fn table(
    context: &SessionContext,
    database: &dyn CatalogProvider,
) -> Result<Arc<dyn TableProvider>, SqlError> {
    context.register_batch(TYPES, types(context, database).await?)?;
    let columns = context.sql(COLUMNS).await?;
    let schema = Arc::clone(columns.schema().inner());
    let batches = columns.collect().await?;
    context.deregister_table(TYPES)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
}

/// The type of each column.
async fn types(
    context: &SessionContext,
    database: &dyn CatalogProvider,
) -> Result<RecordBatch, SqlError> {
    let (mut relations, mut numbers, mut types) = (Vec::new(), Vec::new(), Vec::new());
    for (oid, [schema, table]) in oids(context, TABLES).await? {
        let Some(schema) = database.schema(&schema) else { continue };
        let Some(table) = schema.table(&table).await? else { continue };
        for (field, number) in table.schema().fields().iter().zip(1_i16..) {
            let ty = field_into_pg_type(field);
            let ty = ty.map_err(|error| SqlError::new("XX000", error.to_string()))?;
            relations.push(oid);
            numbers.push(number);
            types.push(ty.oid().cast_signed());
        }
    }
    let schema = Schema::new(vec![
        Field::new("relation", DataType::Int32, false),
        Field::new("number", DataType::Int16, false),
        Field::new("type", DataType::Int32, false),
    ]);
    let batch = RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(Int32Array::from(relations)),
            Arc::new(Int16Array::from(numbers)),
            Arc::new(Int32Array::from(types)),
        ],
    );
    Ok(batch.map_err(DataFusionError::from)?)
}
