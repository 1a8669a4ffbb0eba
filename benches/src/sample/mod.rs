//! Samples: one measured number each, with what it was measured on; the report is made of nothing
//! else, so it can be printed again from the file they are kept in.

mod recorder;
mod tsv;

use clap::ValueEnum;

pub use recorder::Recorder;
pub use tsv::{RunFile, parse_file};

/// One measured number.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it belongs to.
    pub subject: Subject,
    /// Which repetition it comes from, from zero.
    pub round: u64,
    /// What was measured.
    pub metric: Metric,
    /// The number, in the unit the metric names.
    pub value: f64,
}

/// What was measured on: samples with the same subject are repetitions of one another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The part of the run.
    pub part: Part,
    /// The server's name.
    pub server: String,
    /// The workload, or the state the server was in.
    pub case: String,
    /// How many connections there were; zero where it has no meaning.
    pub concurrency: u64,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Part {
    /// A fresh server with nothing to do.
    Idle,
    /// The workloads at each concurrency.
    Load,
    /// The same, short, with fsyncs counted.
    Fsyncs,
    /// A kill with many invocations suspended.
    Restart,
    /// An empty store against a large one.
    Rows,
}

/// What a number says, with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
#[expect(missing_docs, reason = "the names say it, and the report spells them out")]
pub enum Metric {
    RequestsPerSecond,
    P50Ms,
    P99Ms,
    ServerCpuUs,
    ServiceCpuUs,
    ClientCpuUs,
    WrittenBytes,
    Fsyncs,
    RssMb,
    OtherCores,
    Errors,
    Invocations,
    IdleCpuPercent,
    StoreMb,
    FirstAnswerMs,
    RecoveryCpuMs,
    RowsPerSecond,
}

impl Part {
    /// The name used on the command line and in files.
    pub fn name(self) -> String {
        value_name(self)
    }
}

impl Metric {
    /// The name used in files.
    pub fn name(self) -> String {
        value_name(self)
    }
}

fn value_name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |possible| possible.get_name().to_owned())
}
