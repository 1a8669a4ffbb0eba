//! Intervals as PostgreSQL finds, groups and sorts them: by their length, whatever they are written
//! as. The engine takes a day and twenty-four hours for different intervals.

use std::sync::{Arc, LazyLock};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, Decimal128Array},
        compute::cast,
        datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit},
    },
    common::{
        Column, Result,
        config::ConfigOptions,
        exec_err,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    functions_aggregate::first_last::first_value_udaf,
    logical_expr::{
        Aggregate, ColumnarValue, Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder,
        ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Sort, Volatility,
        expr::AggregateFunction,
    },
    optimizer::AnalyzerRule,
};

use crate::interval::{nanoseconds, unit_nanoseconds};

/// The length of an interval or a duration.
pub(super) fn length(interval: Expr) -> Expr {
    static LENGTH: LazyLock<ScalarUDF> = LazyLock::new(|| {
        ScalarUDF::new_from_impl(Length(Signature::any(1, Volatility::Immutable)))
    });
    LENGTH.call(vec![interval])
}

/// Sorts, groups and aggregates by the length of intervals.
#[derive(Debug)]
pub(super) struct Lengths;

impl AnalyzerRule for Lengths {
    fn name(&self) -> &'static str {
        "lengths"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut is_changed = false;
        let plan = plan.transform_up_with_subqueries(|node| {
            // What is below it may be null where it was not.
            let node = if is_changed { node.recompute_schema()? } else { node };
            #[expect(clippy::wildcard_enum_match_arm, reason = "others neither sort nor group")]
            let changed = match &node {
                LogicalPlan::Sort(sort) => sorted(sort),
                LogicalPlan::Aggregate(aggregate) => match compared(aggregate)? {
                    Some(aggregate) => {
                        let grouped = grouped(&aggregate)?;
                        Some(grouped.unwrap_or(LogicalPlan::Aggregate(aggregate)))
                    }
                    None => grouped(aggregate)?,
                },
                LogicalPlan::Distinct(Distinct::All(input)) => {
                    let columns = input.schema().columns().into_iter().map(Expr::Column);
                    if columns.clone().any(|column| is_interval(&column, input)) {
                        let input = Arc::clone(input);
                        grouped(&Aggregate::try_new(input, columns.collect(), Vec::new())?)?
                    } else {
                        None
                    }
                }
                _ => None,
            };
            is_changed |= changed.is_some();
            Ok(changed.map_or_else(|| Transformed::no(node), Transformed::yes))
        });
        plan.data()
    }
}

fn is_interval(expr: &Expr, of: &LogicalPlan) -> bool {
    matches!(expr.get_type(of.schema()), Ok(DataType::Interval(_)))
}

fn sorted(sort: &Sort) -> Option<LogicalPlan> {
    if !sort.expr.iter().any(|by| is_interval(&by.expr, &sort.input)) {
        return None;
    }
    let Sort { mut expr, input, fetch } = sort.clone();
    for by in &mut expr {
        if is_interval(&by.expr, &input) {
            by.expr = length(by.expr.clone());
        }
    }
    Some(LogicalPlan::Sort(Sort { expr, input, fetch }))
}

/// Finds the longest and the shortest, and tells different ones apart, by their lengths.
fn compared(aggregate: &Aggregate) -> Result<Option<Aggregate>> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let mut is_changed = false;
    let changed = aggr_expr.iter().map(|computed| {
        let changed = computed.clone().transform_up(|expr| Ok(compared_call(expr, input)))?;
        is_changed |= changed.transformed;
        Ok(changed.data)
    });
    let changed = changed.collect::<Result<Vec<_>>>()?;
    if !is_changed {
        return Ok(None);
    }
    // They are called as before.
    let names = schema.iter().skip(schema.fields().len() - changed.len());
    let changed = changed.into_iter().zip(names).map(|(changed, (_, field))| {
        if changed.schema_name().to_string() == *field.name() {
            changed
        } else {
            changed.alias(field.name())
        }
    });
    let (input, groups) = (Arc::clone(input), group_expr.clone());
    Aggregate::try_new(input, groups, changed.collect()).map(Some)
}

fn compared_call(expr: Expr, input: &LogicalPlan) -> Transformed<Expr> {
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = expr else {
        return Transformed::no(expr);
    };
    let unchanged =
        |func, params| Transformed::no(Expr::AggregateFunction(AggregateFunction { func, params }));
    let [of] = &params.args[..] else { return unchanged(func, params) };
    if !is_interval(of, input) {
        return unchanged(func, params);
    }
    let of = of.clone();
    let func = match func.name() {
        name @ ("max" | "min") => {
            params.order_by = vec![length(of).sort(name == "min", false)];
            params.distinct = false;
            first_value_udaf()
        }
        "count" if params.distinct => {
            params.args = vec![length(of)];
            func
        }
        _ => return unchanged(func, params),
    };
    Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params }))
}

/// Groups by lengths. A group shows the first interval of that length, as it is written.
fn grouped(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let is_set = group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_)));
    if is_set || !group_expr.iter().any(|group| is_interval(group, input)) {
        return Ok(None);
    }
    let (mut groups, mut computed) = (Vec::new(), aggr_expr.clone());
    // Where each column of the aggregate is now.
    let mut places: Vec<usize> = (0..group_expr.len() + aggr_expr.len()).collect();
    for (group, place) in group_expr.iter().zip(&mut places) {
        if is_interval(group, input) {
            *place = group_expr.len() + computed.len();
            let first = first_value_udaf().call(vec![group.clone()]);
            computed.push(first.alias(format!("first_{place}")));
            groups.push(length(group.clone()));
        } else {
            groups.push(group.clone());
        }
    }
    let by_length = Aggregate::try_new(Arc::clone(input), groups, computed)?;
    let columns = by_length.schema.columns();
    let shown = places.iter().zip(schema.iter()).map(|(place, (table, field))| {
        let column: &Column = &columns[*place];
        Expr::Column(column.clone()).alias_qualified(table.cloned(), field.name())
    });
    let shown: Vec<_> = shown.collect();
    let plan = LogicalPlanBuilder::from(LogicalPlan::Aggregate(by_length)).project(shown)?;
    Ok(Some(plan.build()?))
}

/// In nanoseconds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Length(Signature);

impl ScalarUDFImpl for Length {
    fn name(&self) -> &'static str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(38, 0))
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&called.args)?;
        let [intervals] = &arrays[..] else {
            return exec_err!("{} is of one interval", self.name());
        };
        let lengths: Decimal128Array = if let DataType::Duration(unit) = intervals.data_type() {
            let counts = cast(intervals, &DataType::Int64)?;
            let counts = counts.as_primitive::<Int64Type>().iter();
            counts.map(|count| Some(i128::from(count?) * unit_nanoseconds(*unit))).collect()
        } else {
            let intervals = cast(intervals, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
            intervals.iter().map(|interval| interval.map(nanoseconds)).collect()
        };
        let lengths = lengths.with_precision_and_scale(38, 0)?;
        Ok(ColumnarValue::Array(Arc::new(lengths) as ArrayRef))
    }
}
