//! Whether a backup is complete and unchanged.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use backup::{UnpackError, unpack};

use super::shown::Shown;
use crate::{
    args::LayoutFlags,
    error::{BackupError, Error},
};

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
    let (manifest, bytes) =
        unpack(&mut *input, |_, _, _| Ok::<_, Infallible>(())).map_err(|error| match error {
            UnpackError::Read(cause) => unreadable(cause),
            UnpackError::Archive(cause) => BackupError::Unusable { path: path.clone(), cause },
            UnpackError::Take(never) => match never {},
        })?;
    Shown::of(path.clone(), bytes, &manifest).print(&flags.layout)
}
