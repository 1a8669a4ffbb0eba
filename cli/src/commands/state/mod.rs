//! `abide state`: what virtual objects and workflows have stored, and changing it.

mod change;
mod clear;
mod document;
mod edit;
mod flags;
mod get;
mod set;
mod stored;

use clap::Subcommand;

use crate::error::{EXIT_CODES, Error};

/// What can be done with state.
#[derive(Debug, Subcommand)]
pub enum State {
    /// Show the state of one key of a service, or a single entry of it.
    Get(get::Get),

    /// Edit the state of one key as JSON, in $VISUAL or $EDITOR.
    #[command(after_help = EXIT_CODES)]
    Edit(edit::Edit),

    /// Set one entry of the state of a key.
    #[command(after_help = EXIT_CODES)]
    Set(set::Set),

    /// Remove some entries of the state of a key, or all of them.
    #[command(after_help = EXIT_CODES)]
    Clear(clear::Clear),
}

pub(super) async fn run(state: &State) -> Result<(), Error> {
    match state {
        State::Get(flags) => get::get(flags).await,
        State::Edit(flags) => edit::edit(flags).await,
        State::Set(flags) => set::set(flags).await,
        State::Clear(flags) => clear::clear(flags).await,
    }
}
