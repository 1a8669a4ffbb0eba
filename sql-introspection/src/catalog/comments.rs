//! What the tables and their columns mean, for `\d+` and `\dt+`, and as a table for other tools.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray},
        datatypes::DataType,
    },
    catalog::TableProvider,
    common::{DataFusionError, Result},
    datasource::MemTable,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
    prelude::SessionContext,
};

use super::oids::oids;
use crate::{
    arguments::{argument, number},
    error::SqlError,
    table::Description,
};

/// Comments by the object's oid and the column's number, which is 0 for the table itself.
type Comments = BTreeMap<(i64, i64), &'static str>;

/// `col_description(table, column)` or `obj_description(table, catalogue)`.
#[derive(Debug)]
struct Comment {
    name: &'static str,
    /// Whether the second argument is the number of a column.
    is_of_column: bool,
    comments: Arc<Comments>,
    signature: Signature,
}

impl PartialEq for Comment {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Comment {}

impl Hash for Comment {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Comment {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let number_at = |at, row| argument(&called.args, at, row).and_then(|it| number(&it));
        let comment = |row| {
            let column = if self.is_of_column { number_at(1, row)? } else { 0 };
            self.comments.get(&(number_at(0, row)?, column)).copied()
        };
        let comments: StringArray = (0..called.number_rows).map(comment).collect();
        Ok(ColumnarValue::Array(Arc::new(comments) as ArrayRef))
    }
}

/// Registers the functions, once the tables are there, and returns the table of comments.
pub(super) async fn register(
    context: &SessionContext,
    descriptions: &[Description],
) -> Result<Arc<dyn TableProvider>, SqlError> {
    let mut comments = Comments::new();
    let mut of_tables = None;
    // A table keeps the oid that it is given when it is first listed.
    for (oid, [name]) in oids(context, "select oid, relname from pg_catalog.pg_class").await? {
        if name == CLASSES {
            of_tables = Some(oid);
        }
        let Some(known) = descriptions.iter().find(|it| it.name == name) else { continue };
        let oid = i64::from(oid);
        comments.insert((oid, 0), known.comment);
        let columns = known.column_comments.iter().zip(1..);
        comments.extend(columns.map(|(comment, column)| ((oid, column), *comment)));
    }
    let table = table(context, &comments, of_tables).await?;
    let comments = Arc::new(comments);
    for (name, is_of_column) in [("col_description", true), ("obj_description", false)] {
        let signature = Signature::variadic_any(Volatility::Immutable);
        let comments = Arc::clone(&comments);
        context.register_udf(ScalarUDF::new_from_impl(Comment {
            name,
            is_of_column,
            comments,
            signature,
        }));
    }
    Ok(table)
}

/// The table of tables, whose oid says that a comment is on one.
const CLASSES: &str = "pg_class";

/// The comments as a table, with the columns that it has in the library.
async fn table(
    context: &SessionContext,
    comments: &Comments,
    of_tables: Option<i32>,
) -> Result<Arc<dyn TableProvider>, SqlError> {
    let schema = context.table_provider("pg_catalog.pg_description").await?.schema();
    let numbers = |number: fn(&(i64, i64)) -> i64| {
        Arc::new(comments.keys().map(number).collect::<Int64Array>()) as ArrayRef
    };
    let columns = schema.fields().iter().map(|field| {
        let column: ArrayRef = match field.name().as_str() {
            "objoid" => numbers(|(object, _)| *object),
            "objsubid" => numbers(|(_, column)| *column),
            "classoid" => Arc::new(Int32Array::from(vec![of_tables; comments.len()])),
            _ => Arc::new(comments.values().copied().map(Some).collect::<StringArray>()),
        };
        datafusion::arrow::compute::cast(&column, field.data_type())
    });
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(DataFusionError::from)?;
    let batch =
        RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}
