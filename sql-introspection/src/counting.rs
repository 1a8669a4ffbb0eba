//! Counts without a row for each of what is counted: an aggregate that only counts reads records
//! that stand for many rows, and adds up how many.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::{
    catalog::{TableProvider, default_table_source::source_as_provider},
    common::{DFSchema, DataFusionError, Result, tree_node::Transformed},
    datasource::provider_as_source,
    functions_aggregate::{
        count::count_udaf,
        min_max::{max_udaf, min_udaf},
        sum::{sum, sum_udaf},
    },
    logical_expr::{
        Aggregate, Expr, ExprFunctionExt, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder,
        Projection, SubqueryAlias, TableScanBuilder, cast,
        expr::{AggregateFunction, AggregateFunctionParams},
        lit, when,
    },
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
    prelude::coalesce,
};

use crate::{
    dialect::SUMMED,
    scan::{ROWS, TableSource},
    tables::Invocation,
};

/// Turns counts of rows into sums over records.
#[derive(Debug)]
pub(crate) struct Counting;

impl OptimizerRule for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        Ok(match counted(aggregate)? {
            Some(counted) => Transformed::yes(counted),
            None => Transformed::no(plan),
        })
    }
}

/// The same aggregate over records; `None` if it has to see each row.
fn counted(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let folds: Option<Vec<_>> =
        aggr_expr.iter().map(|expr| Fold::of(expr, input.schema())).collect();
    let Some(folds) = folds else { return Ok(None) };
    if group_expr.iter().chain(aggr_expr).any(Expr::is_volatile) {
        return Ok(None);
    }
    let Some(records) = with_rows(input)? else { return Ok(None) };
    let rows = rows_of(&records)?;
    // Groups come first, then what is computed of each.
    let mut groups = schema.columns();
    let computed = groups.split_off(groups.len() - folds.len());
    let folded = folds.iter().zip(&computed);
    let folded = folded.map(|(fold, column)| fold.over(&rows).map(|it| it.alias(&column.name)));
    let folded = folded.collect::<Result<Vec<_>>>()?;
    let aggregate = Aggregate::try_new(Arc::new(records), group_expr.clone(), folded)?;
    let columns = folds.iter().zip(computed).map(|(fold, column)| match fold {
        // The sum of nothing is null, and the count of nothing zero.
        Fold::Count(..) => {
            let name = column.name.clone();
            coalesce(vec![Expr::Column(column), lit(0_i64)]).alias(name)
        }
        Fold::Same(_) | Fold::Sum(..) => Expr::Column(column),
    });
    let columns: Vec<_> = groups.into_iter().map(Expr::Column).chain(columns).collect();
    // Computed columns may be called like others, which only an aggregate can tell apart.
    let names = columns.iter().map(|column| column.schema_name().to_string());
    if names.collect::<HashSet<_>>().len() < columns.len() {
        return Ok(None);
    }
    let plan = LogicalPlanBuilder::from(LogicalPlan::Aggregate(aggregate)).project(columns)?;
    Ok(Some(plan.build()?))
}

/// What is computed of a group of rows, where equal rows need not be told apart.
enum Fold<'e> {
    /// What is the same however often a row is there.
    Same(&'e Expr),
    /// The number of rows where this is not null.
    Count(&'e Expr, Option<&'e Expr>),
    /// The sum of this, a whole number, over the rows.
    Sum(&'e Expr, Option<&'e Expr>),
}

impl<'e> Fold<'e> {
    fn of(expr: &'e Expr, input: &DFSchema) -> Option<Self> {
        let mut function = expr;
        while let Expr::Alias(alias) = function {
            function = &alias.expr;
        }
        let Expr::AggregateFunction(AggregateFunction { func, params }) = function else {
            return None;
        };
        let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
        let ([of], [], None) = (&args[..], &order_by[..], null_treatment) else { return None };
        let filter = filter.as_deref();
        if *distinct || *func == max_udaf() || *func == min_udaf() {
            Some(Self::Same(expr))
        } else if *func == count_udaf() {
            Some(Self::Count(of, filter))
        } else if func.name() == sum_udaf().name() {
            (of.get_type(input).ok()? == SUMMED).then_some(Self::Sum(of, filter))
        } else {
            None
        }
    }

    /// The same over records, each of which stands for as many rows as this column says.
    fn over(&self, rows: &Expr) -> Result<Expr> {
        let (number, filter) = match *self {
            Self::Same(expr) => return Ok(expr.clone()),
            Self::Count(of, filter) if is_never_null(of) => (rows.clone(), filter),
            Self::Count(of, filter) => {
                (when(of.clone().is_not_null(), rows.clone()).end()?, filter)
            }
            Self::Sum(of, filter) => (of.clone() * cast(rows.clone(), SUMMED), filter),
        };
        match filter {
            Some(filter) => sum(number).filter(filter.clone()).build(),
            None => Ok(sum(number)),
        }
    }
}

/// Whether this is the `1` of `count(1)`, as which the engine knows `count(*)`.
fn is_never_null(expr: &Expr) -> bool {
    if let Expr::Literal(value, _) = expr { !value.is_null() } else { false }
}

/// The last column of a plan.
fn rows_of(plan: &LogicalPlan) -> Result<Expr> {
    let last = plan.schema().columns().pop();
    last.map(Expr::Column)
        .ok_or_else(|| DataFusionError::Internal("no rows are counted".to_owned()))
}

/// The same plan over records that stand for many rows, with another column, the last, that says how
/// many; `None` if it does more than to select and compute, the same for equal rows.
fn with_rows(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    if plan.schema().fields().iter().any(|field| field.name() == ROWS) {
        return Ok(None);
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "anything else may need each row")]
    Ok(match plan {
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
            let provider = source_as_provider(&scan.source)?;
            let counted = provider.downcast_ref::<TableSource<Invocation>>();
            let Some(counted) = counted.and_then(TableSource::counted) else { return Ok(None) };
            let rows = counted.schema().fields().len() - 1;
            let projection = scan.projection.clone().map(|mut columns| {
                columns.push(rows);
                columns
            });
            let source = provider_as_source(Arc::new(counted));
            let scan = TableScanBuilder::new(scan.table_name.clone(), source)
                .with_projection(projection)
                .with_filters(scan.filters.clone())
                .build()?;
            Some(LogicalPlan::TableScan(scan))
        }
        LogicalPlan::Filter(filter) if !filter.predicate.is_volatile() => {
            let Some(input) = with_rows(&filter.input)? else { return Ok(None) };
            let filter = Filter::try_new(filter.predicate.clone(), Arc::new(input))?;
            Some(LogicalPlan::Filter(filter))
        }
        LogicalPlan::Projection(projection) if !projection.expr.iter().any(Expr::is_volatile) => {
            let Some(input) = with_rows(&projection.input)? else { return Ok(None) };
            let columns = projection.expr.iter().cloned().chain([rows_of(&input)?]).collect();
            let projection = Projection::try_new(columns, Arc::new(input))?;
            Some(LogicalPlan::Projection(projection))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let Some(input) = with_rows(&alias.input)? else { return Ok(None) };
            let alias = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
            Some(LogicalPlan::SubqueryAlias(alias))
        }
        _ => None,
    })
}
