//! `abide backup`: a copy of a running node in one file, and whether such a file is intact.

mod shown;
mod take;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;

use crate::{
    args::{LayoutFlags, ServerFlags},
    client::Client,
    error::Error,
};

/// The flags of `abide backup`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Backup {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// Where to put it: a new file, a directory in which it gets a name with its date, or - for
    /// standard output.
    #[arg(long, value_name = "PATH", required = true)]
    to: Option<PathBuf>,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check that a backup is complete and unchanged.
    Verify(verify::Verify),
}

/// What is said below the flags.
pub(crate) const HELP: &str = "\
Everything that was acknowledged before it began is in the backup, which is complete once the
command ends with 0. The node goes on meanwhile. abide restore makes a data directory of it.

The backup contains the secret of the data directory and what clients have sent: keep it as safe.

";

pub(super) async fn run(flags: &Backup) -> Result<(), Error> {
    match (&flags.verb, &flags.to) {
        (Some(Verb::Verify(flags)), _) => verify::run(flags),
        (None, Some(to)) => {
            take::run(&Client::new(flags.server.admin.clone()), to, &flags.layout).await
        }
        (None, None) => unreachable!("the command line requires a path"),
    }
}
