//! The nouns of the command line: one module for each, with its flags and what it does.

mod audit;
pub(crate) mod backup;
mod completions;
mod deployments;
mod dev;
pub mod doctor;
mod invocations;
mod moments;
mod services;
mod sql;
mod state;
mod tally;
mod why;

use clap::Subcommand;
use tokio::runtime::Builder;

use crate::error::{EXIT_CODES, Error};

/// What can be asked of a server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Query invocations, journals and state in SQL. Without a query, opens a prompt.
    #[command(after_help = sql::HELP.to_owned() + EXIT_CODES)]
    Sql(sql::Sql),

    /// List, describe, register and remove deployments: the endpoints that offer services.
    #[command(subcommand, after_help = EXIT_CODES)]
    Deployments(deployments::Deployments),

    /// List and describe services, and show their settings.
    #[command(subcommand, after_help = EXIT_CODES)]
    Services(services::Services),

    /// List, describe, cancel, kill, pause, resume and remove invocations.
    #[command(subcommand, after_help = EXIT_CODES)]
    Invocations(invocations::Invocations),

    /// Show and change the state of virtual objects and workflows.
    #[command(subcommand, after_help = EXIT_CODES)]
    State(state::State),

    /// Say why something does not go on: what it waits for, up to the causes, and what would help.
    #[command(after_help = why::HELP.to_owned() + EXIT_CODES)]
    Why(why::Why),

    /// Show what operators have asked for, newest first.
    #[command(after_help = EXIT_CODES)]
    Audit(audit::Audit),

    /// Copy a running node into a file, from which it can be restored.
    #[command(after_help = backup::HELP.to_owned() + EXIT_CODES)]
    Backup(backup::Backup),

    /// Try a service: run it with a server, and again whenever its files change.
    #[command(after_help = dev::HELP.to_owned() + EXIT_CODES)]
    Dev(dev::Dev),

    /// Print what makes a shell complete this command line.
    #[command(after_help = completions::HELP)]
    Completions(completions::Completions),
}

/// Carries a command out. `whole` is the command line that it is a part of.
pub(crate) fn run(command: &Command, whole: clap::Command) -> Result<(), Error> {
    match command {
        Command::Sql(sql) => sql::run(sql),
        Command::Deployments(deployments) => wait_for(deployments::run(deployments)),
        Command::Services(services) => wait_for(services::run(services)),
        Command::Invocations(invocations) => wait_for(invocations::run(invocations)),
        Command::State(state) => wait_for(state::run(state)),
        Command::Why(why) => wait_for(why::run(why)),
        Command::Audit(audit) => wait_for(audit::run(audit)),
        Command::Backup(backup) => wait_for(backup::run(backup)),
        Command::Dev(dev) => wait_for(dev::run(dev)),
        Command::Completions(completions) => completions::run(completions, whole),
    }
}

fn wait_for(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    runtime.block_on(work)
}
