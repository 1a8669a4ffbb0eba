//! The flags of whatever changes a state.

use crate::args::{LayoutFlags, ServerFlags};

/// Which state is changed.
#[derive(Debug, clap::Args)]
pub(super) struct Of {
    /// Name of the virtual object or workflow.
    pub(super) service: String,

    /// Its key.
    pub(super) key: String,
}

/// How it is changed.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Why it is done. The audit keeps it.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,

    #[command(flatten)]
    pub(super) layout: LayoutFlags,

    #[command(flatten)]
    pub(super) server: ServerFlags,
}
