//! Prepared statements, and how they are described.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    arrow::datatypes::{DataType, Schema, SchemaRef},
    common::tree_node::TreeNodeRecursion,
    logical_expr::LogicalPlan,
};
use pgwire::{
    api::{ClientInfo, Type, portal::Format, results::FieldInfo, stmt::QueryParser},
    error::PgWireResult,
};

use super::{rows::fields, statement::Statement};
use crate::{catalog, error::SqlError};

/// A statement that was prepared.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) statement: Statement,
    /// For a query, or the query of a cursor.
    pub(super) plan: Option<LogicalPlan>,
    /// Types of the parameters, in order.
    pub(super) parameters: Vec<DataType>,
    /// Columns of the rows, if there are any.
    pub(super) schema: Option<SchemaRef>,
}

/// What a column of a step takes in a plan, in bytes: its name and type, and what refers to it.
const COLUMN_BYTES: usize = 128;

impl Prepared {
    /// About how many bytes the plan takes. That of a short text may have thousands of columns.
    pub(super) fn plan_bytes(&self) -> usize {
        let mut columns = 0;
        let plan = self.plan.iter();
        plan.for_each(|plan| {
            // It fails only if what is called does.
            let _ = plan.apply_with_subqueries(|step| {
                columns += step.schema().fields().len() + step.expressions().len();
                Ok(TreeNodeRecursion::Continue)
            });
        });
        columns * COLUMN_BYTES
    }
}

/// Describes prepared statements.
pub(super) struct Preparer;

#[async_trait]
impl QueryParser for Preparer {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        _: &C,
        _: &str,
        _: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        Err(SqlError::new("XX000", "statements are prepared by on_parse").into())
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        let described = |ty: &DataType| match catalog::is_oid_list(ty) {
            true => Ok(Type::OID_ARRAY),
            false => arrow_pg::datatypes::into_pg_type(ty),
        };
        prepared.parameters.iter().map(described).collect()
    }

    fn get_result_schema(
        &self,
        prepared: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let nothing = Arc::new(Schema::empty());
        let schema = prepared.schema.as_ref().unwrap_or(&nothing);
        let fields = fields(schema, format.unwrap_or(&Format::UnifiedText))?;
        Ok(Arc::unwrap_or_clone(fields))
    }
}
