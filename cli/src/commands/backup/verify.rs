//! Whether a backup is complete and unchanged.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use backup::Unpacker;

use super::shown::Shown;
use crate::{
    args::LayoutFlags,
    error::{BackupError, Error},
};

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// Which backup.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The backup; - reads standard input.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,

    #[command(flatten)]
    layout: LayoutFlags,
}

pub(super) fn run(flags: &Verify) -> Result<(), Error> {
    let path = flags.backup.display().to_string();
    let unreadable = |cause| BackupError::Read { path: path.clone(), cause };
    let mut input: Box<dyn Read> = if path == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&flags.backup).map_err(unreadable)?)
    };
    let unusable = |cause| BackupError::Unusable { path: path.clone(), cause };
    let mut unpacker = Unpacker::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error).into()),
        };
        let mut bytes = &buffer[..count];
        while unpacker.next(&mut bytes).map_err(unusable)?.is_some() {}
    }
    let bytes = unpacker.bytes();
    let manifest = unpacker.finish().map_err(unusable)?;
    Shown::of(path.clone(), bytes, &manifest).print(&flags.layout)
}
