//! Aggregation: the samples of all rounds, reduced to one summary per subject and metric.

use std::collections::HashMap;

use crate::sample::{Metric, Part, Sample, Subject};

/// Several rounds of the same measurement, summarised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) rounds: usize,
}

/// All values, and their subjects in order of first appearance.
pub(super) struct Figures {
    subjects: Vec<Subject>,
    values: HashMap<(Subject, Metric), Vec<f64>>,
}

impl Figures {
    pub(super) fn of(samples: &[Sample]) -> Self {
        let mut figures = Self { subjects: vec![], values: HashMap::new() };
        for sample in samples {
            if !figures.subjects.contains(&sample.subject) {
                figures.subjects.push(sample.subject.clone());
            }
            let key = (sample.subject.clone(), sample.metric);
            figures.values.entry(key).or_default().push(sample.value);
        }
        figures
    }

    /// The subjects of one part.
    pub(super) fn subjects(&self, part: Part) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().filter(move |subject| subject.part == part)
    }

    /// The distinct cases of one part.
    pub(super) fn cases(&self, part: Part) -> Vec<&str> {
        unique(self.subjects(part).map(|subject| subject.case.as_str()))
    }

    /// The distinct servers of one part.
    pub(super) fn servers(&self, part: Part) -> Vec<&str> {
        unique(self.subjects(part).map(|subject| subject.server.as_str()))
    }

    pub(super) fn summary(&self, subject: &Subject, metric: Metric) -> Option<Summary> {
        let mut values = self.values.get(&(subject.clone(), metric))?.clone();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            (values[middle - 1] + values[middle]) / 2.0
        };
        Some(Summary { median, min, max, rounds: values.len() })
    }

    pub(super) fn median(&self, subject: &Subject, metric: Metric) -> Option<f64> {
        self.summary(subject, metric).map(|summary| summary.median)
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = vec![];
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
