//! Prepared statements, and the values of their parameters.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    arrow::datatypes::{DataType, Schema, SchemaRef},
    common::ParamValues,
    logical_expr::LogicalPlan,
};
use pgwire::{
    api::{
        ClientInfo, Type,
        portal::{Format, Portal},
        results::FieldInfo,
        stmt::QueryParser,
    },
    error::PgWireResult,
};

use super::{rows::fields, statement::Statement};
use crate::error::SqlError;

/// A statement that was prepared.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) statement: Statement,
    /// For a query, or the query of a cursor.
    pub(super) plan: Option<LogicalPlan>,
    /// Types of the parameters, in order, as far as they are known.
    pub(super) parameters: Vec<Option<DataType>>,
    /// Columns of the rows, if there are any.
    pub(super) schema: Option<SchemaRef>,
}

/// Types of a plan's parameters, in order.
pub(super) fn parameters(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>, SqlError> {
    let known = plan.get_parameter_types()?;
    let number = |name: &str| name.strip_prefix('$').and_then(|it| it.parse::<usize>().ok());
    let mut types = Vec::new();
    for (name, ty) in known {
        let Some(number @ 1..=PARAMETERS_MAX) = number(&name) else {
            return Err(SqlError::new("42P02", format!("there is no parameter {name}"))
                .hint("parameters are written $1, $2 and so on"));
        };
        types.resize(types.len().max(number), None);
        types[number - 1] = ty;
    }
    Ok(types)
}

/// The protocol counts parameters in two bytes.
const PARAMETERS_MAX: usize = 65_535;

/// The values of a portal's parameters.
pub(super) fn bound(portal: &Portal<Prepared>) -> PgWireResult<ParamValues> {
    let wanted = portal.statement.statement.parameters.len();
    let given = portal.parameter_len();
    if wanted != given {
        let what = format!("the statement has {wanted} parameters, and {given} were bound");
        return Err(SqlError::new("08P01", what).into());
    }
    if let Format::Individual(formats) = &portal.parameter_format
        && formats.len() != given
    {
        let what = format!("{given} parameters were bound with {} formats", formats.len());
        return Err(SqlError::new("08P01", what).into());
    }
    let types: Vec<_> = portal.statement.statement.parameters.iter().map(Option::as_ref).collect();
    arrow_pg::datatypes::df::deserialize_parameters(portal, &types)
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
        let ty = |ty: &Option<DataType>| match ty {
            Some(ty) => arrow_pg::datatypes::into_pg_type(ty),
            // Clients send text for it.
            None => Ok(Type::TEXT),
        };
        prepared.parameters.iter().map(ty).collect()
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
