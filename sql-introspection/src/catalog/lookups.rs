//! `to_regtype(name)` and `to_regclass(name)`: the oid of a type or a table, or null. And
//! `pg_table_is_visible(oid)`: whether a table is found without its schema.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray, Int32Array},
        datatypes::DataType,
    },
    common::Result,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
    prelude::SessionContext,
};

use super::oids::oids;
use crate::{
    arguments::{argument, number},
    error::SqlError,
};

/// A function, and the query that lists what it finds.
const LOOKUPS: [(&str, &str); 2] = [
    ("to_regtype", "select oid, typname from pg_catalog.pg_type"),
    ("to_regclass", "select oid, relname from pg_catalog.pg_class"),
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
            // What already is an oid stays one.
            match name.try_as_str() {
                Some(name) => self.oid(name?),
                None => i32::try_from(number(&name)?).ok(),
            }
        };
        let oids: Int32Array = (0..called.number_rows).map(found).collect();
        Ok(ColumnarValue::Array(Arc::new(oids) as ArrayRef))
    }
}

/// The tables that are found with their schema only.
const HIDDEN: &str = "select c.oid, c.relname from pg_catalog.pg_class c \
    join pg_catalog.pg_namespace n on c.relnamespace = n.oid where nspname = 'information_schema'";

#[derive(Debug, PartialEq, Eq, Hash)]
struct IsVisible {
    hidden: BTreeSet<i64>,
    signature: Signature,
}

impl ScalarUDFImpl for IsVisible {
    fn name(&self) -> &'static str {
        "pg_table_is_visible"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_visible = |row| {
            let oid = argument(&called.args, 0, row)?;
            Some(!self.hidden.contains(&number(&oid)?))
        };
        let visible: BooleanArray = (0..called.number_rows).map(is_visible).collect();
        Ok(ColumnarValue::Array(Arc::new(visible) as ArrayRef))
    }
}

/// Registers the functions, once the tables are there.
pub(super) async fn register(context: &SessionContext) -> Result<(), SqlError> {
    for (name, listing) in LOOKUPS {
        let listed = oids(context, listing).await?;
        let oids = listed.into_iter().map(|(oid, [name])| (name, oid)).collect();
        let signature = Signature::any(1, Volatility::Immutable);
        context.register_udf(ScalarUDF::new_from_impl(Lookup { name, oids, signature }));
    }
    let hidden = oids::<1>(context, HIDDEN).await?.into_iter().map(|(oid, _)| oid.into()).collect();
    let signature = Signature::any(1, Volatility::Immutable);
    context.register_udf(ScalarUDF::new_from_impl(IsVisible { hidden, signature }));
    Ok(())
}
