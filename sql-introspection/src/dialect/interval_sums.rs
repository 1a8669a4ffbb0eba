//! The sum of intervals, which is an error where it does not fit. The engine's begins anew.

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray},
        datatypes::{IntervalMonthDayNano, IntervalMonthDayNanoType},
    },
    common::{Result, ScalarValue, exec_err},
    logical_expr::Accumulator,
};

use crate::interval::out_of_range;

/// A sum of intervals; `None` if there were none.
#[derive(Debug, Default)]
pub(super) struct IntervalSum {
    sum: Option<IntervalMonthDayNano>,
    count: u64,
}

impl IntervalSum {
    fn add(&mut self, intervals: &[ArrayRef], sign: i8) -> Result<()> {
        let [intervals] = intervals else { return exec_err!("sum takes one argument") };
        for of in intervals.as_primitive::<IntervalMonthDayNanoType>().iter().flatten() {
            let sum = self.sum.unwrap_or(IntervalMonthDayNano::ZERO);
            self.sum = Some(added(sum, of, sign).ok_or_else(out_of_range)?);
        }
        Ok(())
    }
}

fn added(
    sum: IntervalMonthDayNano,
    of: IntervalMonthDayNano,
    sign: i8,
) -> Option<IntervalMonthDayNano> {
    Some(IntervalMonthDayNano::new(
        sum.months.checked_add(of.months.checked_mul(sign.into())?)?,
        sum.days.checked_add(of.days.checked_mul(sign.into())?)?,
        sum.nanoseconds.checked_add(of.nanoseconds.checked_mul(sign.into())?)?,
    ))
}

impl Accumulator for IntervalSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count += values.iter().map(|it| (it.len() - it.null_count()) as u64).sum::<u64>();
        self.add(values, 1)
    }

    /// Of a window, which has moved on.
    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count -= values.iter().map(|it| (it.len() - it.null_count()) as u64).sum::<u64>();
        self.add(values, -1)?;
        if self.count == 0 {
            self.sum = None;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add(states, 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::IntervalMonthDayNano(self.sum))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
