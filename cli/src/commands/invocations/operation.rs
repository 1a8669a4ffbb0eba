//! What can be done to invocations.

use super::filter::{COMPLETED, UNFINISHED};

/// An operation of the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Cancel,
    Kill,
    Pause,
    Resume,
    Purge,
    PurgeJournal,
}

impl Operation {
    /// Its name in the admin API and on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Purge => "purge",
            Self::PurgeJournal => "purge-journal",
        }
    }

    /// Whether it takes something away that no other operation brings back.
    pub(super) fn is_destructive(self) -> bool {
        match self {
            Self::Cancel | Self::Kill | Self::Purge | Self::PurgeJournal => true,
            Self::Pause | Self::Resume => false,
        }
    }

    /// The statuses in which it is of use. A filter selects no others, unless it names them. What is
    /// suspended can be resumed too, but would find nothing new to do.
    pub(super) fn usual_statuses(self) -> &'static [&'static str] {
        match self {
            Self::Cancel | Self::Kill => &UNFINISHED,
            Self::Pause => &["running", "backing-off", "suspended"],
            Self::Resume => &["paused", "backing-off"],
            Self::Purge | Self::PurgeJournal => &[COMPLETED],
        }
    }
}
