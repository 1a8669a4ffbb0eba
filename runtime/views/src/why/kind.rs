//! What can be waited for. The names are part of the API: they may be added to, and never changed.

/// What something waits for, or what keeps it from going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Its attempt is under way.
    Running,
    /// A step (`run`) that its handler carries out now.
    Step,
    /// A step of its own, while no attempt is running that could carry it out.
    StepLost,
    /// Its attempt is about to start.
    Starting,
    /// A permit, or a connection, for its attempt.
    NoPermit,
    /// Memory for its journal or for a message.
    NoMemory,
    /// Space on the disk for what its attempt stores.
    NoDisk,
    /// Its start time.
    Scheduled,
    /// The end of a sleep.
    Timer,
    /// The next attempt, after one that failed.
    Retry,
    /// The next attempt, after a request that could not be sent.
    Unreachable,
    /// The deployment that it is pinned to is no longer registered.
    DeploymentGone,
    /// No deployment offers its handler.
    NotOffered,
    /// The lock of its object.
    Lock,
    /// An invocation holds the key.
    Held,
    /// No invocation holds the key.
    Free,
    /// Edits of state that wait for the key.
    Edit,
    /// The result of a call.
    Call,
    /// The result of an invocation that it has attached to.
    Attach,
    /// A message between partitions.
    InTransit,
    /// An awakeable.
    Awakeable,
    /// A signal.
    Signal,
    /// Nothing but its cancellation.
    Cancellation,
    /// A promise of a workflow.
    Promise,
    /// Any other answer of the server.
    Result,
    /// An operator, who has paused it.
    Paused,
    /// An operator, since a failure has paused it.
    PausedByFailure,
    /// Nothing: it has ended.
    Completed,
    /// More things than are shown.
    More,
    /// As a cause: invocations wait for each other, and none of them can go on.
    Deadlock,
    /// As a cause: an invocation waits for a lock that it holds itself.
    SelfDeadlock,
    /// As a cause: invocations have asked for each other's results, and may wait for them.
    Cycle,
}

/// Whether something goes on by itself. The later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It runs, is about to, or has ended.
    Moving,
    /// It waits for a time or for something from outside, as it was written to do.
    Waiting,
    /// Somebody should look at it: it fails, or nothing will move it.
    Stuck,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::Running,
        Self::Step,
        Self::StepLost,
        Self::Starting,
        Self::NoPermit,
        Self::NoMemory,
        Self::NoDisk,
        Self::Scheduled,
        Self::Timer,
        Self::Retry,
        Self::Unreachable,
        Self::DeploymentGone,
        Self::NotOffered,
        Self::Lock,
        Self::Held,
        Self::Free,
        Self::Edit,
        Self::Call,
        Self::Attach,
        Self::InTransit,
        Self::Awakeable,
        Self::Signal,
        Self::Cancellation,
        Self::Promise,
        Self::Result,
        Self::Paused,
        Self::PausedByFailure,
        Self::Completed,
        Self::More,
        Self::Deadlock,
        Self::SelfDeadlock,
        Self::Cycle,
    ];

    /// Its name in the APIs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Step => "step",
            Self::StepLost => "step_lost",
            Self::Starting => "starting",
            Self::NoPermit => "no_permit",
            Self::NoMemory => "no_memory",
            Self::NoDisk => "no_disk",
            Self::Scheduled => "scheduled",
            Self::Timer => "timer",
            Self::Retry => "retry",
            Self::Unreachable => "unreachable",
            Self::DeploymentGone => "deployment_gone",
            Self::NotOffered => "not_offered",
            Self::Lock => "lock",
            Self::Held => "held",
            Self::Free => "free",
            Self::Edit => "edit",
            Self::Call => "call",
            Self::Attach => "attach",
            Self::InTransit => "in_transit",
            Self::Awakeable => "awakeable",
            Self::Signal => "signal",
            Self::Cancellation => "cancellation",
            Self::Promise => "promise",
            Self::Result => "result",
            Self::Paused => "paused",
            Self::PausedByFailure => "paused_by_failure",
            Self::Completed => "completed",
            Self::More => "more",
            Self::Deadlock => "deadlock",
            Self::SelfDeadlock => "self_deadlock",
            Self::Cycle => "cycle",
        }
    }

    /// What it says, as a cause, about what waits for it.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Running
            | Self::Step
            | Self::Starting
            | Self::Free
            | Self::InTransit
            | Self::Completed => Verdict::Moving,
            Self::Scheduled
            | Self::Timer
            | Self::Lock
            | Self::Held
            | Self::Edit
            | Self::Call
            | Self::Attach
            | Self::Awakeable
            | Self::Signal
            | Self::Cancellation
            | Self::Promise
            | Self::Result
            | Self::More => Verdict::Waiting,
            Self::StepLost
            | Self::NoPermit
            | Self::NoMemory
            | Self::NoDisk
            | Self::Retry
            | Self::Unreachable
            | Self::DeploymentGone
            | Self::NotOffered
            | Self::Paused
            | Self::PausedByFailure
            | Self::Deadlock
            | Self::SelfDeadlock
            | Self::Cycle => Verdict::Stuck,
        }
    }
}

impl Verdict {
    /// Its name in the APIs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Moving => "moving",
            Self::Waiting => "waiting",
            Self::Stuck => "stuck",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        let is_plain = |name: &&str| name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        assert!(names.iter().all(is_plain), "{names:?}");
    }
}
