//! `to_regtype(name)` and `to_regclass(name)`: the oid of a type or a table, or null.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, Int32Array},
        datatypes::{DataType, Int32Type},
    },
    common::{DataFusionError, Result},
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
    prelude::SessionContext,
};

use super::functions::argument;
use crate::error::SqlError;

/// A function, and the query that lists what it finds.
const LOOKUPS: [(&str, &str); 2] = [
    ("to_regtype", "select cast(oid as int), cast(typname as varchar) from pg_catalog.pg_type"),
    ("to_regclass", "select cast(oid as int), cast(relname as varchar) from pg_catalog.pg_class"),
];

/// Names of types in SQL that the catalogue knows by others.
const TYPES: [(&str, &str); 10] = [
    ("bigint", "int8"),
    ("boolean", "bool"),
    ("character varying", "varchar"),
    ("decimal", "numeric"),
    ("double precision", "float8"),
    ("int", "int4"),
    ("integer", "int4"),
    ("real", "float4"),
    ("smallint", "int2"),
    ("timestamp with time zone", "timestamptz"),
];

#[derive(Debug)]
struct Lookup {
    name: &'static str,
    oids: BTreeMap<String, i32>,
    signature: Signature,
}

impl PartialEq for Lookup {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Lookup {}

impl Hash for Lookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Lookup {
    fn oid(&self, name: &str) -> Option<i32> {
        let name = name.trim().trim_matches('"');
        let name = ["pg_catalog.", "public."]
            .iter()
            .find_map(|schema| name.strip_prefix(schema))
            .unwrap_or(name);
        let of_type = TYPES.iter().find(|(alias, _)| *alias == name && self.name == "to_regtype");
        self.oids.get(of_type.map_or(name, |(_, known)| known)).copied()
    }
}

impl ScalarUDFImpl for Lookup {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let found = |row| {
            let name = argument(&called.args, 0, row)?;
            self.oid(name.try_as_str()??)
        };
        let oids: Int32Array = (0..called.number_rows).map(found).collect();
        Ok(ColumnarValue::Array(Arc::new(oids) as ArrayRef))
    }
}

/// Registers the functions, once the tables are there.
pub(super) async fn register(context: &SessionContext) -> Result<(), SqlError> {
    for (name, listing) in LOOKUPS {
        let mut oids = BTreeMap::new();
        for batch in context.sql(listing).await?.collect().await? {
            let names = datafusion::arrow::compute::cast(batch.column(1), &DataType::Utf8)
                .map_err(DataFusionError::from)?;
            let numbers = batch.column(0).as_primitive::<Int32Type>();
            let both = numbers.iter().zip(names.as_string::<i32>());
            oids.extend(both.filter_map(|(oid, name)| Some((name?.to_owned(), oid?))));
        }
        let signature = Signature::string(1, Volatility::Immutable);
        context.register_udf(ScalarUDF::new_from_impl(Lookup { name, oids, signature }));
    }
    Ok(())
}
