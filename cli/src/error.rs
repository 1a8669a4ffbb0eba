//! Why a command failed, and with which exit code it ends.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use backup::ArchiveError;
use rustyline::error::ReadlineError;

use crate::{
    client::ClientError,
    interval::BadInterval,
    output::{OutputError, text::printable},
};

/// The exit codes after a failure. clap ends the process with 2 as well.
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;
const INCOMPLETE: u8 = 4;
const STUCK: u8 = 5;
/// As shells show a process that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// The same for users, in the help of every noun.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  it is done, or the reader of the output has gone
  1  it failed: the server refuses it or does not have what was named, or you said no
  2  the command line is wrong, or asks for something that has to be confirmed with --yes
  3  the admin API cannot be reached
  4  it was done to some of the invocations only, or to none; the output says why
Ctrl-C ends it with 130.";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server could not be asked, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The answer could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// What was typed can't be carried out.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// There is no backup, or it cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A service cannot be tried.
    #[error(transparent)]
    Dev(#[from] DevError),
    /// The terminal can't be read.
    #[error("cannot read from the terminal: {0}")]
    Prompt(#[from] ReadlineError),
    /// What was named does not exist.
    #[error("there is no {what} '{name}'; {whereabouts}")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// What was typed.
        name: String,
        /// What to do about it.
        whereabouts: &'static str,
    },
    /// Invocations need the deployment that is to be removed.
    #[error(
        "{deployment} is still needed: there are unfinished invocations on it ({count}); abide \
         invocations list --deployment {deployment} shows them, and --force removes it nevertheless, \
         after which they wait until they are moved: abide invocations resume --from {deployment} \
         --deployment latest"
    )]
    StillNeeded {
        /// The deployment.
        deployment: String,
        /// How many invocations.
        count: u64,
    },
    /// The editor could not be used.
    #[error("the editor '{command}' {what}; $VISUAL or $EDITOR says which one to use")]
    Editor {
        /// The command line.
        command: String,
        /// What it has done.
        what: String,
    },
    /// A file could not be written or read.
    #[error("the file to edit cannot be used: {0}")]
    File(#[source] io::Error),
    /// What was written in the editor is not a state.
    #[error("what was written is not a state: {0}")]
    NotState(String),
    /// The user was asked, and did not say yes.
    #[error("nothing was done")]
    Declined,
    /// Something was not done to all invocations; the output has the reasons.
    #[error("it was not done to {not_done} of {tried} invocations")]
    Incomplete {
        /// To how many not.
        not_done: u64,
        /// How many there were.
        tried: u64,
    },
    /// What was asked about is stuck, as the output says.
    #[error("it is stuck")]
    Stuck,
    /// Ctrl-C, while there was more to do.
    #[error("interrupted; the rest was not tried")]
    Interrupted,
    /// The system has no thread or descriptor left.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}

/// What was typed can't be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    /// Neither an argument nor a file nor standard input has a query.
    #[error("there is no query; type one, as in abide sql 'select * from sys_service'")]
    NoQuery,
    /// The queries can't be read.
    #[error("{what} cannot be read: {cause}")]
    Unreadable {
        /// A file, or standard input.
        what: String,
        /// Why.
        cause: io::Error,
    },
    /// The seconds of `--watch` are taken for the query.
    #[error("the seconds belong to --watch after an equal sign: --watch={0}")]
    LooseSeconds(String),
    /// There are several arguments.
    #[error(
        "'{0}' comes after the query; several queries are one argument, with semicolons between"
    )]
    Superfluous(String),
    /// There are several queries to watch.
    #[error("--watch repeats a single query, not {0}")]
    NotOne(usize),
    /// The command does not exist.
    #[error("there is no command {0}; \\? lists those that there are")]
    NoCommand(String),
    /// `\watch` comes before any query.
    #[error("there is no query to repeat; \\watch comes after one")]
    NothingToWatch,
    /// Invocations are named, and selected as well.
    #[error("there are both ids and a filter; give one of them")]
    IdsAndFilter,
    /// No invocations are named or selected.
    #[error(
        "say which invocations: their ids, or a filter such as --service NAME; --where true selects \
         all that it can be done to"
    )]
    NoInvocations,
    /// A value is not JSON.
    #[error(
        "the value is not JSON ({0}): a text is written with quotes, as in '\"paid\"', and --raw-file \
         takes bytes as they are"
    )]
    NotJson(String),
    /// Nobody can be asked whether to go on.
    #[error("{0} This has to be confirmed, and there is no terminal to ask at; --yes confirms it")]
    Unconfirmed(String),
    /// Not a number of seconds.
    #[error(transparent)]
    Interval(#[from] BadInterval),
}

/// Why a service cannot be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevError {
    /// A program cannot be started.
    #[error("'{command}' cannot be started: {cause}")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        cause: io::Error,
    },
    /// No server is reached, and none can be started there.
    #[error(
        "no server answers at {url}, and one of our own can only be started on this machine, as at \
         http://127.0.0.1:9070; start it, or change --admin"
    )]
    Elsewhere {
        /// Where it was looked for.
        url: String,
    },
    /// The server has ended.
    #[error("the server has ended with {0}; what it said is above")]
    Server(String),
    /// Files cannot be watched.
    #[error(
        "changes in {path} cannot be noticed: {cause}; --watch names another directory or file, and \
         --no-watch none"
    )]
    Watch {
        /// The directory or file.
        path: String,
        /// What the system said.
        cause: String,
    },
}

/// Why there is no backup, or why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// There is a file with this name.
    #[error("{0} exists already, and is unchanged; choose another name with --to")]
    Exists(String),
    /// The file cannot be created or written.
    #[error("the backup cannot be written to {path}: {cause}; nothing is left there")]
    Write {
        /// Where it should have gone.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The file cannot be read.
    #[error("the backup {path} cannot be read: {cause}")]
    Read {
        /// Where it is.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// What arrived is not a backup.
    #[error("the backup has failed: {0}; nothing of it is left")]
    Taken(ArchiveError),
    /// The connection has ended.
    #[error("the backup has failed: the server broke off its answer ({0}); its log may say why")]
    BrokenOff(String),
    /// Ctrl-C, before it was complete.
    #[error("interrupted; nothing of the backup is left")]
    Interrupted,
    /// What was to be verified is not a backup.
    #[error("the backup {path} cannot be used: {cause}")]
    Unusable {
        /// Where it is.
        path: String,
        /// What is wrong.
        cause: ArchiveError,
    },
}

impl Error {
    /// Tells the user, and returns the exit code. A reader that has seen enough (`| head`) is not
    /// told anything.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_reader_gone() {
            return ExitCode::SUCCESS;
        }
        // The output says more than that.
        if !matches!(self, Self::Stuck) {
            complain(self);
        }
        ExitCode::from(match self {
            Self::Client(error) if error.is_unreachable() => UNREACHABLE,
            Self::Backup(BackupError::Interrupted) => INTERRUPTED,
            Self::Client(_)
            | Self::Backup(_)
            | Self::Dev(_)
            | Self::Output(_)
            | Self::Prompt(_)
            | Self::Start(_)
            | Self::NotFound { .. }
            | Self::StillNeeded { .. }
            | Self::Editor { .. }
            | Self::File(_)
            | Self::NotState(_)
            | Self::Declined => FAILED,
            Self::Usage(_) => USAGE,
            Self::Incomplete { .. } => INCOMPLETE,
            Self::Stuck => STUCK,
            Self::Interrupted => INTERRUPTED,
        })
    }

    /// Whether nobody reads what is written.
    pub(crate) fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Output(error) if error.is_reader_gone())
    }
}

/// Writes a complaint to standard error. A server may say anything, so control characters do not
/// get through.
pub(crate) fn complain(what: impl fmt::Display) {
    let mut stderr = io::stderr().lock();
    for line in format!("abide: {what}").lines() {
        // There is nobody left to tell that this failed.
        _ = writeln!(stderr, "{}", printable(line));
    }
}
