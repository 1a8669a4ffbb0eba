//! A Markdown table, and numbers with a meaningful number of digits.

use super::figures::Summary;

/// Shown where nothing was measured.
const NOTHING: &str = "–";

pub(super) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.to_vec());
    text.push_str(&line(vec!["---"; columns.len()]));
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

/// Formats a number with three significant digits; without decimals from 100 on and for whole
/// numbers.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        None => NOTHING.to_owned(),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) if value >= 99.95 => format!("{value:.0}"),
        Some(value) if value >= 9.995 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// Formats the median, followed by the range if there are several rounds.
pub(super) fn with_span(summary: Option<Summary>) -> String {
    let shown = number(summary.map(|summary| summary.median));
    match summary {
        Some(Summary { min, max, rounds, .. }) if rounds > 1 => {
            format!("{shown} ({}–{})", number(Some(min)), number(Some(max)))
        }
        Some(_) | None => shown,
    }
}
