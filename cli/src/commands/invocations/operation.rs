//! What can be done to invocations.

use super::filter::{COMPLETED, Selection, UNFINISHED};

/// The idempotency key of restarts that are meant to be the first one. All command lines have the
/// same.
const FIRST_RESTART: &str = "abide: first restart";

/// An operation of the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Cancel,
    Kill,
    Pause,
    Resume,
    Restart,
    Purge,
    PurgeJournal,
}

impl Operation {
    /// Its name in the admin API.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Restart => "restart-as-new",
            Self::Cancel
            | Self::Kill
            | Self::Pause
            | Self::Resume
            | Self::Purge
            | Self::PurgeJournal => self.name(),
        }
    }

    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Restart => "restart",
            Self::Purge => "purge",
            Self::PurgeJournal => "purge-journal",
        }
    }

    /// Whether it takes something away that no other operation brings back.
    pub(super) fn is_destructive(self) -> bool {
        match self {
            Self::Cancel | Self::Kill | Self::Purge | Self::PurgeJournal => true,
            Self::Pause | Self::Resume | Self::Restart => false,
        }
    }

    /// The statuses in which it is of use. A filter selects no others, unless it names them. What is
    /// suspended can be resumed too, but would find nothing new to do, unless it moves.
    pub(super) fn usual_statuses(self, is_moving: bool) -> &'static [&'static str] {
        match self {
            Self::Cancel | Self::Kill => &UNFINISHED,
            Self::Pause => &["running", "backing-off", "suspended"],
            Self::Resume if is_moving => &["paused", "backing-off", "suspended"],
            Self::Resume => &["paused", "backing-off"],
            Self::Restart | Self::Purge | Self::PurgeJournal => &[COMPLETED],
        }
    }

    /// What else has to hold for what a filter selects, unless it names statuses. What has been
    /// restarted is left out, so that the same command goes on where it was interrupted.
    pub(super) fn usual_condition(self) -> Option<&'static str> {
        match self {
            Self::Restart => Some(
                "completion_result = 'failure' and id not in \
                 (select restarted_from from sys_invocation where restarted_from is not null)",
            ),
            Self::Cancel
            | Self::Kill
            | Self::Pause
            | Self::Resume
            | Self::Purge
            | Self::PurgeJournal => None,
        }
    }

    /// The idempotency key for what is selected. What is selected for not having been restarted may
    /// be restarted meanwhile, by the same command somewhere else: the key lets the server notice,
    /// which then answers with the invocation that there is already.
    pub(super) fn key(self, selection: &Selection<'_>) -> Option<&'static str> {
        (self == Self::Restart && selection.is_usual()).then_some(FIRST_RESTART)
    }
}
