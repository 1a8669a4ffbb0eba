//! `abide invocations`: what runs, waits, failed and has ended, and what can be done to it.

mod batch;
mod bulk;
mod change;
mod describe;
mod filter;
mod ids;
mod list;
mod operation;
mod preview;
mod report;

use clap::Subcommand;

use self::{
    change::{Change, Restart, Resume},
    operation::Operation,
};
use crate::error::{EXIT_CODES, Error};

/// What can be done with invocations.
#[derive(Debug, Subcommand)]
pub enum Invocations {
    /// List invocations, newest first: those that have not completed, unless --status says otherwise.
    List(list::List),

    /// Show an invocation: what it does, what it waits for, why it failed and its newest entries.
    Describe(describe::Describe),

    /// Ask invocations to end, running their compensations.
    #[command(after_help = EXIT_CODES)]
    Cancel(Change),

    /// End invocations and everything that they have called, without compensations.
    #[command(after_help = EXIT_CODES)]
    Kill(Change),

    /// Pause invocations: none of their code runs until they are resumed.
    #[command(after_help = EXIT_CODES)]
    Pause(Change),

    /// Run invocations now that are paused or wait for their next attempt, perhaps on another
    /// deployment.
    #[command(after_help = EXIT_CODES)]
    Resume(Resume),

    /// Run invocations again that have completed, as new ones: those that failed and were not
    /// restarted yet, unless ids or --status say otherwise.
    #[command(after_help = EXIT_CODES, visible_alias = "restart-as-new")]
    Restart(Restart),

    /// Remove invocations that have completed, and their results.
    #[command(after_help = EXIT_CODES)]
    Purge(Change),

    /// Remove the journals of invocations that have completed, and keep their results.
    #[command(after_help = EXIT_CODES)]
    PurgeJournal(Change),
}

pub(super) async fn run(invocations: &Invocations) -> Result<(), Error> {
    match invocations {
        Invocations::List(flags) => list::list(flags).await,
        Invocations::Describe(flags) => describe::describe(flags).await,
        Invocations::Cancel(flags) => bulk::run(flags.of(Operation::Cancel)).await,
        Invocations::Kill(flags) => bulk::run(flags.of(Operation::Kill)).await,
        Invocations::Pause(flags) => bulk::run(flags.of(Operation::Pause)).await,
        Invocations::Resume(flags) => bulk::run(flags.work()).await,
        Invocations::Restart(flags) => bulk::run(flags.work()).await,
        Invocations::Purge(flags) => bulk::run(flags.of(Operation::Purge)).await,
        Invocations::PurgeJournal(flags) => bulk::run(flags.of(Operation::PurgeJournal)).await,
    }
}
