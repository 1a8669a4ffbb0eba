//! The flags of whatever changes a state.

use crate::args::{LayoutFlags, ReasonFlag, ServerFlags};

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
    #[command(flatten)]
    pub(super) why: ReasonFlag,

    #[command(flatten)]
    pub(super) layout: LayoutFlags,

    #[command(flatten)]
    pub(super) server: ServerFlags,
}
