//! Many invocations at once: how many wait for what themselves, and the one of each kind that has
//! done so for longest. What those wait for, a [`Chain`](super::Chain) says.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{DeploymentId, InvocationId, Target, journal::NotificationKind};
use runtime_core::{
    Lsn, effect,
    model::{
        ids::AttemptRef,
        invocation::{Invocation as Row, Pin, Status, WaitingFor},
    },
    registry::RegistrySnapshot,
    tables::Tables,
    time::Timestamp,
};

use super::{
    Attempt, AttemptState, Kind,
    attempt::Resource,
    facts::{FAILING_MIN, attempt_of},
    waits::{self, Awaits},
    words::{self, Unplaced},
};
use crate::{
    View,
    invocation::{Select, Selected},
    page::{Page, Within},
};

/// Which invocations are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of a service, or of one key of it.
    Within(Within),
    /// Those that are pinned to a deployment, or will run on it.
    Deployment(DeploymentId),
}

/// Selects invocations that have not ended, and says what each waits for itself.
#[derive(Debug, Clone)]
pub struct Glance {
    /// Which ones to read.
    pub select: Select,
}

/// An invocation, at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: InvocationId,
    /// What it runs.
    pub target: Target,
    /// Since when it has its status.
    pub since: Timestamp,
    pin: Option<Pin>,
    is_unsent: bool,
    failures: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Scheduled,
    Queued,
    Running(Attempt),
    BackingOff,
    Suspended(BTreeSet<Awaits>),
    Paused { by_operator: bool },
}

/// Returns also how many invocations were looked at, those that have ended included.
impl View for Glance {
    type Output = (Page<Seen>, usize);

    fn read(self, tables: &Tables<'_>) -> Self::Output {
        let Page { rows, rest_after } = self.select.read(tables);
        let read = rows.len();
        let seen = rows.into_iter().filter_map(|selected| match selected {
            Selected::Row(lsn, row) => Seen::of(tables, lsn, *row),
            Selected::Tally(..) | Selected::Object(..) => None,
        });
        (Page { rows: seen.collect(), rest_after }, read)
    }
}

impl Seen {
    /// `None` if it has ended.
    fn of(tables: &Tables<'_>, lsn: Lsn, row: Row) -> Option<Self> {
        let state = match &row.status {
            Status::Waiting(WaitingFor::Start { .. }) => State::Scheduled,
            Status::Waiting(WaitingFor::Object { .. }) => State::Queued,
            Status::Waiting(WaitingFor::Retry { .. }) => State::BackingOff,
            Status::Waiting(WaitingFor::Notification { awaiting, .. }) => {
                State::Suspended(waits::kinds(tables, lsn, awaiting))
            }
            Status::Running { attempt } => {
                State::Running(attempt_of(&row, AttemptRef { invocation: lsn, attempt: *attempt }))
            }
            Status::Paused => {
                let by_operator = row.pause.as_ref().is_some_and(|pause| pause.operator.is_some());
                State::Paused { by_operator }
            }
            Status::Completed { .. } => return None,
        };
        Some(Self {
            id: row.id,
            since: row.modified_at,
            pin: row.pin,
            is_unsent: row.unsent > 0,
            failures: effect::failures(row.retry_count, row.policy_attempts, row.unsent),
            state,
            target: row.target,
        })
    }

    /// The attempt that its row calls running.
    pub fn attempt(&self) -> Option<&Attempt> {
        match &self.state {
            State::Running(attempt) => Some(attempt),
            State::Scheduled
            | State::Queued
            | State::BackingOff
            | State::Suspended(_)
            | State::Paused { .. } => None,
        }
    }

    /// Whether it is pinned to a deployment.
    pub fn is_pinned(&self) -> bool {
        self.pin.is_some()
    }

    /// Whether it is one of those that are asked about.
    pub fn is_in(&self, scope: &Scope, registry: &RegistrySnapshot) -> bool {
        let Target { service, key, .. } = &self.target;
        match scope {
            Scope::Within(Within::All) => true,
            Scope::Within(Within::Service(wanted)) => service == wanted,
            Scope::Within(Within::Key { service: wanted, key: wanted_key }) => {
                service == wanted && key == wanted_key
            }
            Scope::Deployment(wanted) => match self.pin {
                Some(pin) => pin.deployment == *wanted,
                // Others may still run anywhere.
                None => {
                    let has_tried = matches!(self.state, State::Running(_) | State::BackingOff);
                    let latest = registry.latest_deployment(service);
                    has_tried && latest.is_some_and(|it| it.deployment.id == *wanted)
                }
            },
        }
    }

    /// What it waits for itself, given what has become of its attempt.
    pub fn kind(&self, registry: &RegistrySnapshot, attempt: Option<AttemptState>) -> Kind {
        if let Some(unplaced) = words::unplaced(registry, self.pin, &self.target)
            && !matches!(self.state, State::Running(_))
        {
            return match unplaced {
                Unplaced::Gone => Kind::DeploymentGone,
                Unplaced::NotOffered => Kind::NotOffered,
            };
        }
        match &self.state {
            State::Scheduled => Kind::Scheduled,
            State::Queued => Kind::Lock,
            State::BackingOff if self.is_unsent => Kind::Unreachable,
            State::BackingOff => Kind::Retry,
            State::Paused { by_operator: true } => Kind::Paused,
            State::Paused { by_operator: false } => Kind::PausedByFailure,
            State::Running(_) => {
                let kind = of_attempt(attempt);
                let is_failing = kind == Kind::Running && self.failures >= FAILING_MIN;
                if is_failing { Kind::Retry } else { kind }
            }
            State::Suspended(kinds) => match (kinds.first(), kinds.len()) {
                (Some(kind), 1) => of_result(*kind),
                // Several kinds, or one that is not among the first few.
                (Some(_) | None, _) => Kind::Result,
            },
        }
    }
}

fn of_attempt(attempt: Option<AttemptState>) -> Kind {
    match attempt {
        Some(AttemptState::NotStarted { lack: Some(lack), is_certain: true }) => {
            match lack.resource {
                Resource::Permits | Resource::Connections => Kind::NoPermit,
                Resource::Memory => Kind::NoMemory,
            }
        }
        Some(AttemptState::NotStarted { .. }) => Kind::Starting,
        Some(AttemptState::UnderWay { is_held: true, .. }) => Kind::NoDisk,
        Some(AttemptState::UnderWay { memory_bytes: Some(_), .. }) => Kind::NoMemory,
        Some(AttemptState::UnderWay { memory_bytes: None, .. }) | None => Kind::Running,
    }
}

fn of_result(kind: Awaits) -> Kind {
    match kind {
        Awaits::Awakeable => Kind::Awakeable,
        Awaits::Signal => Kind::Signal,
        Awaits::Cancellation => Kind::Cancellation,
        Awaits::Result(NotificationKind::Call) => Kind::Call,
        Awaits::Result(NotificationKind::AttachInvocation) => Kind::Attach,
        Awaits::Result(NotificationKind::Sleep) => Kind::Timer,
        Awaits::Result(NotificationKind::GetPromise) => Kind::Promise,
        Awaits::Result(NotificationKind::Run) => Kind::StepLost,
        Awaits::Result(
            NotificationKind::GetLazyState
            | NotificationKind::GetLazyStateKeys
            | NotificationKind::PeekPromise
            | NotificationKind::CompletePromise
            | NotificationKind::CallInvocationId
            | NotificationKind::GetInvocationOutput
            | NotificationKind::Signal,
        ) => Kind::Result,
    }
}

/// The invocations that wait for the same kind of thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// How many there are.
    pub count: u64,
    /// The one that has done so for longest.
    pub oldest: InvocationId,
    /// Since when it has had its status.
    pub since: Timestamp,
}

/// Invocations by what they wait for.
#[derive(Debug, Clone, Default)]
pub struct Groups(pub BTreeMap<Kind, Group>);

impl Groups {
    /// Adds an invocation.
    pub fn add(&mut self, kind: Kind, seen: &Seen) {
        let first = Group { count: 0, oldest: seen.id, since: seen.since };
        let group = self.0.entry(kind).or_insert(first);
        group.count += 1;
        if seen.since < group.since {
            group.oldest = seen.id;
            group.since = seen.since;
        }
    }
}
