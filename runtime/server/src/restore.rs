//! `abide restore`: makes a data directory of a backup. Nothing that a start would accept exists
//! before everything has been checked and is durable.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use backup::{About, Items, Manifest, Part, PartitionCut, UnpackError, unpack};
use bytes::Bytes;
use runtime_core::Lsn;
use runtime_log::{Batch, Log, LogOptions, ManualLog, Owner, PartitionId, disk::RealDisk};
use runtime_partition::node::store_file;
use runtime_store::{StoreFill, StoreName};

use crate::{
    data_dir::restored::{Origin, Restored},
    formats, telemetry,
};

/// Bytes of records that are written in one batch.
const BATCH_BYTES: u64 = 4 << 20;

/// The longest `LAYOUT` or `SECRET`, in bytes.
const IDENTITY_BYTES_MAX: usize = 4096;

/// The flags of `abide restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup, as `abide backup` has written it; - reads standard input.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,

    /// Where to put the data: a directory that is empty or does not exist.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

pub(crate) fn run(flags: &Restore) -> Result<()> {
    let name = flags.backup.display();
    let mut input: Box<dyn Read> = if flags.backup.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&flags.backup);
        Box::new(file.with_context(|| format!("the backup {name} cannot be opened"))?)
    };
    let manifest = restore(&mut *input, &flags.data_dir)
        .with_context(|| format!("the backup {name} cannot be restored"))?;
    telemetry::print(format_args!(
        "restored {} from a backup of {}: {} partitions, {} bytes\n\
         a node that starts on it continues from then: docs/operations.md says what that means",
        flags.data_dir.display(),
        manifest.about.taken_at,
        manifest.about.partitions.len(),
        manifest.bytes(),
    ));
    Ok(())
}

/// Restores an archive into a directory.
fn restore(input: &mut dyn Read, data_dir: &Path) -> Result<Manifest> {
    let mut target = None;
    let unpacked = unpack(input, |about, part, piece| {
        let target = match &mut target {
            Some(target) => target,
            None => target.insert(Target::begin(data_dir, about)?),
        };
        target.take(part, piece).with_context(|| part.to_string())
    });
    let (manifest, _) = unpacked.map_err(|error| match error {
        UnpackError::Read(error) => anyhow::Error::new(error).context("it cannot be read"),
        UnpackError::Archive(error) => error.into(),
        UnpackError::Take(error) => error,
    })?;
    let Some(target) = target else { bail!("there is nothing in it") };
    target.finish()?;
    Ok(manifest)
}

/// What the parts of a backup are written to, in their order.
struct Target {
    // Before the directory: they have files in it.
    writing: Writing,
    log: Option<ManualLog<RealDisk>>,
    dir: Restored,
    cuts: Vec<PartitionCut>,
    layout: Vec<u8>,
    secret: Option<Vec<u8>>,
    origin: Option<Origin>,
    /// The number of partitions whose tables are complete.
    filled: u16,
}

/// The part that is being written.
enum Writing {
    Nothing,
    Records(RecordsOf),
    Rows(RowsOf),
}

/// Records on their way to the log.
struct RecordsOf {
    partition: u16,
    items: Items,
    batch: Batch,
    bytes: u64,
    last: u64,
}

/// Rows on their way to a partition's tables.
struct RowsOf {
    partition: u16,
    items: Items,
    fill: StoreFill,
    applied: Lsn,
}

impl Target {
    fn begin(data_dir: &Path, about: Option<&About>) -> Result<Self> {
        let Some(about) = about else { unreachable!("a part precedes what the backup is") };
        formats::check(&about.writer)?;
        Ok(Self {
            writing: Writing::Nothing,
            log: None,
            dir: Restored::begin(data_dir)?,
            cuts: about.partitions.clone(),
            layout: Vec::new(),
            secret: None,
            origin: None,
            filled: 0,
        })
    }

    fn take(&mut self, part: Part, piece: &[u8]) -> Result<()> {
        match part {
            Part::Layout => self.identify(piece, |target| &mut target.layout),
            Part::Secret => self.identify(piece, |target| target.secret.get_or_insert_default()),
            Part::Records(partition) => {
                self.begin_log()?;
                if !matches!(&self.writing, Writing::Records(of) if of.partition == partition) {
                    self.end_part()?;
                    self.writing =
                        Writing::Records(RecordsOf::new(partition, self.cut(partition)?));
                }
                let (Writing::Records(of), Some(log)) = (&mut self.writing, &self.log) else {
                    unreachable!("the records of partition {partition} have nowhere to go");
                };
                of.take(piece, log)
            }
            Part::Rows(partition) => {
                if !matches!(&self.writing, Writing::Rows(of) if of.partition == partition) {
                    self.end_part()?;
                    self.cut(partition)?;
                    self.fill_before(partition)?;
                    self.writing = Writing::Rows(self.rows_of(partition)?);
                }
                let Writing::Rows(of) = &mut self.writing else {
                    unreachable!("the rows of partition {partition} have nowhere to go");
                };
                of.take(piece)
            }
        }
    }

    fn identify(&mut self, piece: &[u8], of: fn(&mut Self) -> &mut Vec<u8>) -> Result<()> {
        ensure!(self.origin.is_none(), "it comes too late");
        let text = of(self);
        text.extend_from_slice(piece);
        ensure!(text.len() <= IDENTITY_BYTES_MAX, "it is too long");
        Ok(())
    }

    /// What the directory is, once nothing more can be said about it.
    fn origin(&mut self) -> Result<&Origin> {
        if self.origin.is_none() {
            let origin = Origin::of(&self.layout, self.secret.as_deref())?;
            let (partitions, cuts) = (usize::from(origin.partitions()), self.cuts.len());
            ensure!(
                partitions == cuts,
                "LAYOUT has {partitions} partitions, and the backup {cuts}"
            );
            self.origin = Some(origin);
        }
        self.origin.as_ref().context("the backup does not say what it is of")
    }

    fn cut(&self, partition: u16) -> Result<PartitionCut> {
        let cut = self.cuts.get(usize::from(partition)).copied();
        cut.with_context(|| format!("there is no partition {partition}"))
    }

    /// Creates the log, which begins where the tables end.
    fn begin_log(&mut self) -> Result<()> {
        if self.log.is_some() {
            return Ok(());
        }
        let origin = self.origin()?;
        let owner = Owner {
            directory: origin.derivation.fingerprint().unwrap_or_default(),
            partitions: origin.partitions(),
        };
        let options = LogOptions { owner, ..LogOptions::default() };
        let before = (0..).map(PartitionId).zip(&self.cuts).filter(|(_, cut)| cut.tables_lsn > 0);
        let before = before.map(|(id, cut)| (id, runtime_log::Lsn(cut.tables_lsn))).collect();
        let path = self.dir.log();
        let disk = RealDisk::open(&path)
            .with_context(|| format!("{} cannot be created", path.display()))?;
        self.log = Some(ManualLog::create(disk, options, before)?);
        Ok(())
    }

    fn rows_of(&mut self, partition: u16) -> Result<RowsOf> {
        let origin = self.origin()?;
        let name = StoreName {
            partition,
            partitions: origin.partitions(),
            directory: origin.derivation.fingerprint(),
        };
        let applied = Lsn(self.cut(partition)?.tables_lsn);
        let path = store_file(&self.dir.path, partition);
        let fill = StoreFill::create_file(&path, name)
            .with_context(|| format!("{} cannot be created", path.display()))?;
        Ok(RowsOf { partition, items: Items::default(), fill, applied })
    }

    /// Ends the part that is being written.
    fn end_part(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.writing, Writing::Nothing) {
            Writing::Nothing => Ok(()),
            Writing::Records(of) => match &self.log {
                Some(log) => of.finish(log),
                None => unreachable!("records of partition {} came before a log", of.partition),
            },
            Writing::Rows(of) => {
                self.filled = of.partition + 1;
                of.finish()
            }
        }
    }

    /// Creates the tables of the partitions before this one that have no rows.
    fn fill_before(&mut self, partition: u16) -> Result<()> {
        ensure!(self.filled <= partition, "the rows of partition {partition} come too late");
        while self.filled < partition {
            self.rows_of(self.filled)?.finish()?;
            self.filled += 1;
        }
        Ok(())
    }

    /// Completes the directory. Everything in the backup is known to be right.
    fn finish(mut self) -> Result<()> {
        self.begin_log()?;
        self.end_part()?;
        let partitions = self.origin()?.partitions();
        self.fill_before(partitions)?;
        let Self { log, dir, cuts, origin, .. } = self;
        let (Some(log), Some(origin)) = (log, origin) else {
            unreachable!("a restore ends without a log");
        };
        for (partition, cut) in (0..).map(PartitionId).zip(cuts) {
            let (last, expected) = (log.last_lsn(partition).0, cut.last_lsn);
            ensure!(
                last == expected,
                "records of partition {} end at {last}, and should at {expected}",
                partition.0
            );
        }
        log.seal()?;
        drop(log);
        dir.complete(&origin)
    }
}

impl RecordsOf {
    fn new(partition: u16, cut: PartitionCut) -> Self {
        let first_lsn = runtime_log::Lsn(cut.tables_lsn + 1);
        let batch = Batch { partition: PartitionId(partition), first_lsn, records: Vec::new() };
        Self { partition, items: Items::default(), batch, bytes: 0, last: cut.last_lsn }
    }

    fn take(&mut self, piece: &[u8], log: &ManualLog<RealDisk>) -> Result<()> {
        self.items.push(piece);
        while let Some([record]) = self.items.take::<1>()? {
            let bytes = record.len() as u64;
            ensure!(bytes <= runtime_log::RECORD_BYTES_MAX, "a record has {bytes} bytes");
            self.batch.records.push(Bytes::copy_from_slice(record));
            self.bytes += bytes;
            if self.bytes >= BATCH_BYTES {
                self.write(log)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, log: &ManualLog<RealDisk>) -> Result<()> {
        self.bytes = 0;
        let records = std::mem::take(&mut self.batch.records);
        let count = records.len() as u64;
        let (partition, first_lsn) = (self.batch.partition, self.batch.first_lsn);
        self.batch.first_lsn.0 += count;
        ensure!(first_lsn.0 + count <= self.last + 1, "there are more records than it says");
        let (sender, outcome) = std::sync::mpsc::channel();
        let done = Box::new(move |result| {
            let _ = sender.send(result); // This function waits for it, or has failed.
        });
        log.append(Batch { partition, first_lsn, records }, done);
        ensure!(log.commit(), "the disk is full; free some space, then restore again");
        outcome.recv().map_err(|_| anyhow!("the log has not written it"))??;
        Ok(())
    }

    fn finish(mut self, log: &ManualLog<RealDisk>) -> Result<()> {
        self.items.finish()?;
        if self.batch.records.is_empty() { Ok(()) } else { self.write(log) }
    }
}

impl RowsOf {
    fn take(&mut self, piece: &[u8]) -> Result<()> {
        self.items.push(piece);
        while let Some([key, value]) = self.items.take::<2>()? {
            self.fill.add(key, value)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.items.finish()?;
        Ok(self.fill.finish(self.applied)?)
    }
}
