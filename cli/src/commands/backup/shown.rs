//! A backup, as it is shown.

use backup::Manifest;
use serde::Serialize;

use crate::{
    args::LayoutFlags,
    error::Error,
    output::sheet::{Sheet, grouped},
    printer::print_json,
    terminal::{is_to_terminal, say},
};

/// What is said about a backup.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    path: String,
    bytes: u64,
    taken_at: String,
    version: String,
    needs: String,
    partitions: usize,
    records: u64,
}

impl Shown {
    pub(super) fn of(path: String, bytes: u64, manifest: &Manifest) -> Self {
        let about = &manifest.about;
        let records = about.partitions.iter().map(|cut| cut.last_lsn - cut.tables_lsn).sum();
        Self {
            path,
            bytes,
            taken_at: about.taken_at.clone(),
            version: about.writer.version.clone(),
            needs: about.writer.needs.clone(),
            partitions: about.partitions.len(),
            records,
        }
    }

    pub(super) fn print(&self, layout: &LayoutFlags) -> Result<(), Error> {
        if layout.is_json(is_to_terminal()) {
            return print_json(self);
        }
        let mut sheet = Sheet::about(&self.path);
        sheet.field("bytes", &grouped(self.bytes));
        sheet.field("taken at", &self.taken_at);
        sheet.field("by", &format!("abide {}", self.version));
        sheet.field("restore with", &format!("abide {} or newer", self.needs));
        sheet.field("partitions", &grouped(self.partitions as u64));
        sheet.field("records", &format!("{} besides the tables", grouped(self.records)));
        Ok(say(&sheet.text())?)
    }
}
