//! The types of a statement's parameters: what the client declares, or what the query tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit},
    common::{
        DFSchema, ParamValues, Result, ScalarValue,
        metadata::ScalarAndMetadata,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        Cast, Expr, ExprSchemable, LogicalPlan, TryCast, TypeSignature,
        expr::{Placeholder, ScalarFunction},
        utils::merge_schema,
    },
};
use pgwire::{
    api::{
        Type,
        portal::{Format, Portal},
        stmt::StoredStatement,
    },
    error::{PgWireError, PgWireResult},
    messages::extendedquery::Bind,
};

use super::{intervals, numeric, prepared::Prepared};
use crate::{column::UTC, dialect::written_out, error::SqlError};

/// The protocol counts parameters in two bytes.
const PARAMETERS_MAX: usize = 65_535;

/// Types by the names of parameters, such as `$1`.
type Types = BTreeMap<String, DataType>;

/// Gives the parameters of a plan their types, and returns these in order. A type that neither the
/// client nor the query tells is text, as in PostgreSQL.
pub(super) fn typed(
    plan: LogicalPlan,
    declared: &[Option<Type>],
) -> Result<(LogicalPlan, Vec<DataType>), SqlError> {
    let mut known = told(&plan)?;
    let mut numbered = BTreeMap::new();
    for (name, told) in &mut known {
        let number = name.strip_prefix('$').and_then(|it| it.parse::<usize>().ok());
        let Some(number @ 1..=PARAMETERS_MAX) = number else {
            return Err(SqlError::new("42P02", format!("there is no parameter {name}"))
                .hint("parameters are written $1, $2 and so on"));
        };
        let declared = declared.get(number - 1).and_then(Option::as_ref).and_then(declared_type);
        *told = chosen(told, declared);
        numbered.insert(number, told.clone());
    }
    // What has been rewritten may need fewer parameters than the client declares.
    let count = numbered.keys().max().copied().unwrap_or(0).max(declared.len());
    let of_number = |number: usize| {
        let unused = || {
            let declared = declared.get(number - 1).and_then(Option::as_ref);
            chosen(&DataType::Null, declared.and_then(declared_type))
        };
        numbered.get(&number).cloned().unwrap_or_else(unused)
    };
    let types = (1..=count).map(of_number).collect();
    if known.is_empty() {
        return Ok((plan, types));
    }
    let typed = plan.transform_up_with_subqueries(|node| {
        let typed = node.map_expressions(|expr| {
            expr.transform_up(|expr| {
                let Expr::Placeholder(Placeholder { id, .. }) = expr else {
                    return Ok(Transformed::no(expr));
                };
                let field = known.get(&id).map(|ty| Arc::new(Field::new("", ty.clone(), true)));
                Ok(Transformed::yes(Expr::Placeholder(Placeholder { id, field })))
            })
        })?;
        typed.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok((typed.data, types))
}

/// What a parameter is, given what the query tells of it and what the client declares.
fn chosen(told: &DataType, declared: Option<DataType>) -> DataType {
    match (told, declared) {
        (DataType::Null, None) => DataType::Utf8,
        // The query knows whether a time has a zone.
        (DataType::Timestamp(..), Some(DataType::Timestamp(..))) | (_, None) => told.clone(),
        (_, Some(declared)) => declared,
    }
}

/// What a query tells of its parameters, by what they are compared with, cast to or used for. Those
/// of which it tells nothing have the type Null.
fn told(plan: &LogicalPlan) -> Result<Types> {
    let mut types = Types::new();
    let mut note = |expr: &Expr, ty: DataType| {
        if let Expr::Placeholder(Placeholder { id, .. }) = expr {
            let known = types.entry(id.clone()).or_insert(DataType::Null);
            if *known == DataType::Null {
                *known = wide(ty);
            }
        }
    };
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Limit(limit) = node {
            let counts = [&limit.skip, &limit.fetch].into_iter().flatten();
            counts.for_each(|count| note(count, DataType::Int64));
        }
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                note_told(expr, &schema, &mut note);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(types)
}

fn note_told(expr: &Expr, schema: &DFSchema, note: &mut impl FnMut(&Expr, DataType)) {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the engine infers what others tell")]
    match expr {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            note(expr, field.data_type().clone());
        }
        // `element = any($1)`
        Expr::ScalarFunction(function) if function.name() == "array_has" => {
            if let [list, element] = &function.args[..]
                && let Ok(element) = element.get_type(schema)
            {
                note(list, DataType::List(Arc::new(Field::new_list_field(wide(element), true))));
            }
        }
        // Its keys: an index in an array is a literal, or has a type of its own.
        Expr::ScalarFunction(function) if function.name().starts_with("json_") => {
            function.args.iter().skip(1).for_each(|key| note(key, DataType::Utf8));
        }
        Expr::ScalarFunction(function) => {
            for (argument, ty) in function.args.iter().zip(wanted(function)) {
                note(argument, ty.clone());
            }
        }
        Expr::Placeholder(Placeholder { field, .. }) => {
            let ty = field.as_ref().map_or(DataType::Null, |field| field.data_type().clone());
            note(expr, ty);
        }
        _ => (),
    }
}

/// The types of a function's arguments, if it has only one choice of them.
fn wanted(function: &ScalarFunction) -> &[DataType] {
    let signature = &function.func.signature().type_signature;
    let choices = if let TypeSignature::OneOf(choices) = signature {
        &choices[..]
    } else {
        std::slice::from_ref(signature)
    };
    let mut found: &[DataType] = &[];
    for choice in choices {
        let TypeSignature::Exact(types) = choice else { return &[] };
        if types.len() == function.args.len() {
            if !found.is_empty() {
                return &[];
            }
            found = types;
        }
    }
    found
}

/// A type that has each value that a client may send: PostgreSQL's numbers are signed, so a value
/// that an unsigned column cannot have is no error, but equals none of its values. Its times have
/// microseconds.
fn wide(ty: DataType) -> DataType {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are as wide as PostgreSQL's")]
    match ty {
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => NUMERIC,
        DataType::Duration(_) => INTERVAL,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone),
        // What is sent is no part of anything else.
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other,
    }
}

/// Room for all that fits into 64 bits, and for fractions.
const NUMERIC: DataType = DataType::Decimal128(numeric::PRECISION, numeric::SCALE);

/// An interval that may have months and days.
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// What a declared type is to the engine.
fn declared_type(ty: &Type) -> Option<DataType> {
    let list = |element: Type| {
        let element = declared_type(&element)?;
        Some(DataType::List(Arc::new(Field::new_list_field(element, true))))
    };
    match *ty {
        Type::BOOL => Some(DataType::Boolean),
        Type::INT2 => Some(DataType::Int16),
        Type::INT4 => Some(DataType::Int32),
        Type::INT8 => Some(DataType::Int64),
        Type::FLOAT4 => Some(DataType::Float32),
        Type::FLOAT8 => Some(DataType::Float64),
        Type::NUMERIC => Some(NUMERIC),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => Some(DataType::Utf8),
        Type::BYTEA => Some(DataType::Binary),
        Type::DATE => Some(DataType::Date32),
        Type::TIMESTAMP => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        Type::TIMESTAMPTZ => Some(DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))),
        Type::INTERVAL => Some(INTERVAL),
        Type::BOOL_ARRAY => list(Type::BOOL),
        Type::INT2_ARRAY => list(Type::INT2),
        Type::INT4_ARRAY => list(Type::INT4),
        Type::INT8_ARRAY => list(Type::INT8),
        Type::FLOAT8_ARRAY => list(Type::FLOAT8),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => list(Type::TEXT),
        _ => None,
    }
}

/// The values of a portal's parameters.
pub(super) fn bound<'a>(portal: &'a Portal<Prepared>) -> PgWireResult<ParamValues> {
    let types: Vec<_> = portal.statement.statement.parameters.iter().collect();
    let (wanted, given) = (types.len(), portal.parameter_len());
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
    intervals::check_all(portal)?;
    // Numbers are texts by now: see `write_out`.
    let read = |ty: &&'a DataType| if **ty == NUMERIC { &DataType::Utf8 } else { *ty };
    let read: Vec<_> = types.iter().map(|ty| Some(read(ty))).collect();
    let values = arrow_pg::datatypes::df::deserialize_parameters(portal, &read);
    let values = values.map_err(|error| {
        if let PgWireError::FailedToParseParameter(what) = &error
            && what.to_string().contains(NO_TIME)
        {
            return SqlError::new("22007", format!("invalid value for a parameter: {what}")).into();
        }
        error
    })?;
    let ParamValues::List(values) = values else { return Ok(values) };
    let values = values.into_iter().zip(types).map(|(value, ty)| {
        let ScalarValue::Utf8(number) = &value.value else { return Ok(value) };
        if *ty != NUMERIC {
            return Ok(value);
        }
        let number = number.as_deref().map(numeric::parse).transpose()?;
        let number = ScalarValue::Decimal128(number, numeric::PRECISION, numeric::SCALE);
        Ok(ScalarAndMetadata::from(number))
    });
    Ok(ParamValues::List(values.collect::<Result<_, SqlError>>()?))
}

/// The same statement, of which the library is told that numbers are texts.
pub(super) fn with_texts(
    statement: Arc<StoredStatement<Prepared>>,
) -> Arc<StoredStatement<Prepared>> {
    let is_number = |ty: &Option<Type>| *ty == Some(Type::NUMERIC);
    if !statement.parameter_types.iter().any(is_number) {
        return statement;
    }
    let types = statement.parameter_types.iter().cloned();
    let types = types.map(|ty| if is_number(&ty) { Some(Type::TEXT) } else { ty });
    let (name, prepared) = (statement.id.clone(), statement.statement.clone());
    Arc::new(StoredStatement::new(name, prepared, types.collect()))
}

/// Writes times that are sent as texts, and numbers that are not, as the library reads them.
pub(super) fn write_out(message: &mut Bind, types: &[DataType]) {
    let formats = message.parameter_format_codes.clone();
    let is_text = |at: usize| match &formats[..] {
        [] => true,
        [all] => *all == 0,
        each => each.get(at).is_some_and(|format| *format == 0),
    };
    let numbers = || types.iter().enumerate().filter(|(at, ty)| **ty == NUMERIC && !is_text(*at));
    // Any other number of formats is refused.
    let is_told = formats.len() < 2 || formats.len() == message.parameters.len();
    if is_told && numbers().next().is_some() {
        let each = (0..message.parameters.len()).map(|at| i16::from(!is_text(at)));
        message.parameter_format_codes = each.collect();
        for (at, _) in numbers() {
            let Some(value) = message.parameters.get_mut(at) else { continue };
            if let Some(text) = value.as_deref().map(numeric::text_of) {
                // What is no number is none as a text, either.
                *value = Some(text.unwrap_or_default().into());
            }
            message.parameter_format_codes[at] = 0;
        }
    }
    for (at, (value, ty)) in message.parameters.iter_mut().zip(types).enumerate() {
        if is_text(at)
            && matches!(ty, DataType::Timestamp(..) | DataType::Date32)
            && let Some(text) = value.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok())
            && let Some(written) = written_out(text, ty)
        {
            *value = Some(written.into());
        }
    }
}

/// What the library says of a text that is no time. It has one SQLSTATE for all bad values.
const NO_TIME: &str = "Unable to parse datetime";
