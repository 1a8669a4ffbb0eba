//! What the system tables call by a number.

use datafusion::{
    arrow::{
        array::AsArray,
        compute::cast,
        datatypes::{DataType, Int32Type},
    },
    common::DataFusionError,
    prelude::SessionContext,
};

use crate::error::SqlError;

/// Reads a listing: each row has an oid and some names.
pub(super) async fn oids<const NAMES: usize>(
    context: &SessionContext,
    listing: &str,
) -> Result<Vec<(i32, [String; NAMES])>, SqlError> {
    let mut found = Vec::new();
    for batch in context.sql(listing).await?.collect().await? {
        let as_type = |column: usize, ty| {
            cast(batch.column(column), ty)
                .map_err(|error| SqlError::from(DataFusionError::from(error)))
        };
        let numbers = as_type(0, &DataType::Int32)?;
        let columns: Vec<_> =
            (1..=NAMES).map(|column| as_type(column, &DataType::Utf8)).collect::<Result<_, _>>()?;
        for (row, oid) in numbers.as_primitive::<Int32Type>().iter().enumerate() {
            let Some(oid) = oid else { continue };
            let name = |column: usize| columns[column].as_string::<i32>().value(row).to_owned();
            found.push((oid, std::array::from_fn(name)));
        }
    }
    Ok(found)
}
