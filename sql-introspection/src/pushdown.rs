//! What a query's conditions say about single columns, as far as a source may use it. Conditions
//! are checked again above the scan, so whatever is not understood here costs time only.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::{
    common::ScalarValue,
    logical_expr::{BinaryExpr, Expr, Operator},
};

/// What is known about the columns of the wanted rows.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Constraints {
    texts: BTreeMap<String, BTreeSet<String>>,
    times: BTreeMap<String, TimeRange>,
}

/// From one time to another, inclusive, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first.
    pub from: u64,
    /// The last.
    pub until: u64,
}

impl TimeRange {
    /// Any time.
    pub const ALL: Self = Self { from: 0, until: u64::MAX };

    fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

impl Constraints {
    /// Collects what conditions, all of which hold, say about columns.
    pub(crate) fn of<'e>(conditions: impl IntoIterator<Item = &'e Expr>) -> Self {
        let mut all = Self::default();
        for condition in conditions {
            all.add(condition);
        }
        all
    }

    /// The texts that a column may have; `None` for any.
    pub(crate) fn texts(&self, column: &str) -> Option<Vec<String>> {
        self.texts.get(column).map(|texts| texts.iter().cloned().collect())
    }

    /// The times that a column may have.
    pub(crate) fn times(&self, column: &str) -> TimeRange {
        self.times.get(column).copied().unwrap_or(TimeRange::ALL)
    }

    /// The columns that a condition says something about.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().chain(self.times.keys()).map(String::as_str)
    }

    fn add(&mut self, condition: &Expr) {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) = condition {
            self.add(left);
            self.add(right);
        } else if let Some((column, texts)) = one_of(condition) {
            let known = self.texts.entry(column).or_insert_with(|| texts.clone());
            *known = known.intersection(&texts).cloned().collect();
        } else if let Some((column, range)) = during(condition) {
            let known = self.times.entry(column).or_insert(TimeRange::ALL);
            *known = known.and(range);
        }
    }
}

/// A column that has to be one of some texts.
fn one_of(condition: &Expr) -> Option<(String, BTreeSet<String>)> {
    if let Expr::InList(list) = condition {
        let texts = list.list.iter().map(text).collect::<Option<_>>()?;
        return (!list.negated).then_some((column(&list.expr)?, texts));
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    if *op == Operator::Or {
        let ((column, mut texts), (other, others)) = (one_of(left)?, one_of(right)?);
        texts.extend(others);
        return (column == other).then_some((column, texts));
    }
    if *op != Operator::Eq {
        return None;
    }
    match (column(left), column(right)) {
        (Some(column), None) => Some((column, BTreeSet::from([text(right)?]))),
        (None, Some(column)) => Some((column, BTreeSet::from([text(left)?]))),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// A column that has to be in some time.
fn during(condition: &Expr) -> Option<(String, TimeRange)> {
    if let Expr::Between(between) = condition
        && !between.negated
    {
        let range = TimeRange { from: time(&between.low)?, until: time(&between.high)? };
        return Some((column(&between.expr)?, range));
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    let (column, op, at) = match (column(left), column(right)) {
        (Some(column), None) => (column, *op, time(right)?),
        (None, Some(column)) => (column, op.swap()?, time(left)?),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    // Times are rounded to milliseconds, so that the bounds themselves belong to the range.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other comparison bounds a range")]
    let range = match op {
        Operator::Eq => TimeRange { from: at, until: at },
        Operator::Gt | Operator::GtEq => TimeRange { from: at, ..TimeRange::ALL },
        Operator::Lt | Operator::LtEq => TimeRange { until: at, ..TimeRange::ALL },
        _ => return None,
    };
    Some((column, range))
}

/// Only plain columns are understood.
fn column(expr: &Expr) -> Option<String> {
    let Expr::Column(column) = expr else { return None };
    Some(column.name.clone())
}

fn text(expr: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = expr else { return None };
    value.try_as_str().flatten().map(str::to_owned)
}

/// A literal time, rounded down to milliseconds.
fn time(expr: &Expr) -> Option<u64> {
    let Expr::Literal(value, _) = expr else { return None };
    #[expect(clippy::wildcard_enum_match_arm, reason = "only times are understood")]
    let millis = match value {
        ScalarValue::TimestampSecond(at, _) => at.as_ref()?.checked_mul(1000)?,
        ScalarValue::TimestampMillisecond(at, _) => (*at)?,
        ScalarValue::TimestampMicrosecond(at, _) => at.as_ref()?.div_euclid(1000),
        ScalarValue::TimestampNanosecond(at, _) => at.as_ref()?.div_euclid(1_000_000),
        _ => return None,
    };
    Some(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn at(ms: i64) -> Expr {
        Expr::Literal(ScalarValue::TimestampMillisecond(Some(ms), Some("+00:00".into())), None)
    }

    #[test]
    fn conditions_on_single_columns_are_understood_and_the_rest_is_left() {
        let known = Constraints::of(&[
            col("id").eq(lit("a")).or(lit("b").eq(col("id"))).and(col("status").eq(lit("running"))),
            col("id").in_list(vec![lit("b"), lit("c")], false),
            col("key").in_list(vec![lit("x")], true),
            col("key").not_eq(lit("y")),
            col("service").eq(lit("s")).or(col("key").eq(lit("k"))),
            col("size").gt(lit(3)),
            col("created_at").gt(at(5)).and(at(90).gt_eq(col("created_at"))),
            col("created_at").between(at(7), at(100)),
        ]);
        assert_eq!(known.texts("id"), Some(vec!["b".to_owned()]));
        assert_eq!(known.texts("status"), Some(vec!["running".to_owned()]));
        assert_eq!(known.times("created_at"), TimeRange { from: 7, until: 90 });
        assert_eq!(known.columns().collect::<Vec<_>>(), ["id", "status", "created_at"]);
        assert_eq!((known.texts("key"), known.times("key")), (None, TimeRange::ALL));
    }

    #[test]
    fn contradictions_leave_nothing() {
        let known = Constraints::of(&[col("id").eq(lit("a")), col("id").eq(lit("b"))]);
        assert_eq!(known.texts("id"), Some(Vec::new()));
    }
}
