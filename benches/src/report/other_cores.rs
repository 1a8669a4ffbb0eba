//! Machine noise: the cores kept busy by processes outside the run.

use crate::sample::{Metric, Part};

use super::figures::Figures;
use super::table::number;

pub(super) fn render(figures: &Figures) -> String {
    let mut busy: Vec<f64> = figures
        .subjects(Part::Load)
        .filter_map(|subject| figures.median(subject, Metric::OtherCores))
        .collect();
    busy.sort_by(f64::total_cmp);
    let Some(most) = busy.last() else { return String::new() };
    let median = busy[busy.len() / 2];
    format!(
        "- cores kept busy by other processes: {} (median), {} (most)\n",
        number(Some(median)),
        number(Some(*most))
    )
}
