//! The recorder: keeps facts and samples in memory for the report, and writes each to the run's
//! file immediately, so that an aborted run can still be reported.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::tsv::{fact_line, sample_line};
use super::{Metric, RunFile, Sample, Subject};

/// Records one run, in memory and in a file.
pub struct Recorder {
    path: PathBuf,
    file: File,
    run: RunFile,
}

impl Recorder {
    /// Creates a file named after the current time in seconds.
    pub fn create(directory: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let second = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let path = directory.join(format!("run-{second}.tsv"));
        let file = File::create(&path).with_context(|| format!("cannot create {path:?}"))?;
        Ok(Self { path, file, run: RunFile::default() })
    }

    /// The path of the run's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything recorded so far.
    pub fn run(&self) -> &RunFile {
        &self.run
    }

    /// Records a fact about the run.
    pub fn fact(&mut self, name: &str, value: impl ToString) -> anyhow::Result<()> {
        let value = value.to_string();
        self.file.write_all(fact_line(name, &value).as_bytes())?;
        self.run.facts.push((name.to_owned(), value));
        Ok(())
    }

    /// Records the values of one repetition.
    pub fn samples(
        &mut self,
        subject: &Subject,
        round: u64,
        values: &[(Metric, f64)],
    ) -> anyhow::Result<()> {
        for &(metric, value) in values {
            let sample = Sample { subject: subject.clone(), round, metric, value };
            self.file.write_all(sample_line(&sample).as_bytes())?;
            self.run.samples.push(sample);
        }
        Ok(())
    }
}
