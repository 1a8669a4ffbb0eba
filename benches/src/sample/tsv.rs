//! The file format of a run: facts as comment lines, then one tab-separated sample per line.

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;

use super::{Metric, Part, Sample, Subject};

/// All data that a report is derived from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFile {
    /// Facts about the machine and the run, by name.
    pub facts: Vec<(String, String)>,
    /// The samples, in the order in which they were taken.
    pub samples: Vec<Sample>,
}

/// Parses the file of a run.
pub fn parse_file(text: &str) -> anyhow::Result<RunFile> {
    let mut file = RunFile::default();
    for line in text.lines() {
        if let Some(fact) = line.strip_prefix("# ") {
            let (name, value) = fact.split_once('\t').context("a fact without a value")?;
            file.facts.push((name.to_owned(), value.to_owned()));
        } else {
            file.samples.push(parse_sample(line).with_context(|| format!("in {line:?}"))?);
        }
    }
    Ok(file)
}

pub(super) fn fact_line(name: &str, value: &str) -> String {
    format!("# {name}\t{value}\n")
}

pub(super) fn sample_line(sample: &Sample) -> String {
    let Sample { subject, round, metric, value } = sample;
    let Subject { part, server, case, concurrency } = subject;
    let (part, metric) = (part.name(), metric.name());
    format!("{part}\t{server}\t{case}\t{concurrency}\t{round}\t{metric}\t{value}\n")
}

fn parse_sample(line: &str) -> anyhow::Result<Sample> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [part, server, case, concurrency, round, metric, value] = fields[..] else {
        bail!("a sample has seven fields");
    };
    let unknown = |message: String| anyhow::anyhow!(message);
    Ok(Sample {
        subject: Subject {
            part: Part::from_str(part, false).map_err(unknown)?,
            server: server.to_owned(),
            case: case.to_owned(),
            concurrency: concurrency.parse()?,
        },
        round: round.parse()?,
        metric: Metric::from_str(metric, false).map_err(unknown)?,
        value: value.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let subject = Subject {
            part: Part::Load,
            server: "abide".into(),
            case: "run10-0".into(),
            concurrency: 64,
        };
        let sample = Sample { subject, round: 2, metric: Metric::P99Ms, value: 1.25 };
        let text = fact_line("cores", "2") + &sample_line(&sample);
        let file = parse_file(&text).unwrap();
        assert_eq!(file.facts, [("cores".to_owned(), "2".to_owned())]);
        assert_eq!(file.samples, [sample]);
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = parse_file("load\tabide\n").unwrap_err();
        assert!(format!("{error:#}").contains("load"));
    }
}
