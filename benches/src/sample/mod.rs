//! Samples: single measured numbers, each with its subject. A report is derived from nothing else,
//! so it can be reproduced from the file that stores them.

mod recorder;
mod tsv;

use clap::ValueEnum;

pub use recorder::Recorder;
pub use tsv::{RunFile, parse_file};

/// One measured number.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was measured on.
    pub subject: Subject,
    /// The repetition it comes from, starting at zero.
    pub round: u64,
    /// What was measured.
    pub metric: Metric,
    /// The value, in the metric's unit.
    pub value: f64,
}

/// The subject of a measurement; samples with the same subject are repetitions of each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The part of the run.
    pub part: Part,
    /// The server's name.
    pub server: String,
    /// The workload, or the state that the server was in.
    pub case: String,
    /// Number of connections; zero if not applicable.
    pub concurrency: u64,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Part {
    /// A fresh, idle server.
    Idle,
    /// The workloads at each concurrency.
    Load,
    /// The same workloads in a short run, with fsyncs counted.
    Fsyncs,
    /// A kill with many invocations suspended.
    Restart,
    /// An empty store compared with a large one.
    Rows,
    /// SQL queries on many retained invocations.
    Sql,
    /// The workloads with and without dashboards that poll in SQL.
    Dashboards,
    /// The workloads with and without a cancellation of many invocations.
    Bulk,
}

/// A metric and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
#[expect(missing_docs, reason = "the names are self-explanatory, and the report spells them out")]
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
    Queries,
    QueryErrors,
    BulkSeconds,
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
