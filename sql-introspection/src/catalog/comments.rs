//! What the tables and their columns mean, for `\d+` and `\dt+`.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, StringArray},
        datatypes::{DataType, Int32Type},
    },
    common::Result,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
    prelude::SessionContext,
};

use super::functions::{argument, number};
use crate::{error::SqlError, table::Description};

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

/// Registers the functions, once the tables are there.
pub(super) async fn register(
    context: &SessionContext,
    descriptions: &[Description],
) -> Result<(), SqlError> {
    // A table keeps the oid that it is given when it is first listed.
    let listed = context
        .sql("select cast(oid as int), cast(relname as varchar) from pg_catalog.pg_class")
        .await?
        .collect()
        .await?;
    let mut comments = Comments::new();
    for batch in &listed {
        let oids = batch.column(0).as_primitive::<Int32Type>();
        let names = datafusion::arrow::compute::cast(batch.column(1), &DataType::Utf8)
            .map_err(datafusion::common::DataFusionError::from)?;
        for (oid, name) in oids.iter().zip(names.as_string::<i32>()) {
            let (Some(oid), Some(name)) = (oid, name) else { continue };
            let Some(known) = descriptions.iter().find(|it| it.name == name) else { continue };
            let oid = i64::from(oid);
            comments.insert((oid, 0), known.comment);
            let columns = known.column_comments.iter().zip(1..);
            comments.extend(columns.map(|(comment, column)| ((oid, column), *comment)));
        }
    }
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
    Ok(())
}
