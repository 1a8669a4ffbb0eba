//! `oid[]`: the library's oids are plain numbers, but a client that looks types up by them, asyncpg,
//! knows how to write a list of oids before it knows how to write one of numbers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_pg::datatypes::PG_OID_ALIAS_KEY;
use datafusion::{
    arrow::datatypes::{DataType, Field, FieldRef},
    common::Result,
    logical_expr::planner::TypePlanner,
    sql::sqlparser::ast::{ArrayElemTypeDef, DataType as SqlType},
};
use datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;

/// What the elements are marked with.
const OID: &str = "oid";

/// The types of the library, and lists of oids.
#[derive(Debug)]
pub(super) struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, ty: &SqlType) -> Result<Option<FieldRef>> {
        let SqlType::Array(ArrayElemTypeDef::SquareBracket(element, _)) = ty else {
            return PgOidTypePlanner.plan_type_field(ty);
        };
        if element.to_string().trim_start_matches("pg_catalog.") != OID {
            return Ok(None);
        }
        let mark = HashMap::from([(PG_OID_ALIAS_KEY.to_owned(), OID.to_owned())]);
        let element = Field::new_list_field(DataType::Int32, true).with_metadata(mark);
        Ok(Some(Arc::new(Field::new("", DataType::List(Arc::new(element)), true))))
    }
}

/// Whether a type is `oid[]`.
pub(crate) fn is_oid_list(ty: &DataType) -> bool {
    matches!(ty, DataType::List(element) if element.metadata().get(PG_OID_ALIAS_KEY).is_some_and(|it| it == OID))
}
