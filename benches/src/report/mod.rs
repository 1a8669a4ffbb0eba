//! Renders samples as a Markdown report.

mod comparison;
mod figures;
mod load;
mod other_cores;
mod states;
mod table;

use std::fmt::Write as _;

use crate::sample::RunFile;

use figures::Figures;

/// Renders everything that a run recorded.
pub fn render(run: &RunFile) -> String {
    let figures = Figures::of(&run.samples);
    let mut text = String::from("# Benchmark report\n\n");
    for (name, value) in &run.facts {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- {name}: {value}");
    }
    text.push_str(&other_cores::render(&figures));
    text.push_str(&comparison::render(&figures));
    text.push_str(&load::render(&figures));
    text.push_str(&states::render(&figures));
    text
}

#[cfg(test)]
mod tests;
