//! Invocations.

use std::collections::BTreeSet;

use protocol::{
    DeploymentId, InvocationId, ServiceKind,
    journal::{
        Awaiting, NotificationId,
        notification::{CANCEL_SIGNAL, SignalId},
    },
    wire::MessageType,
};
use runtime_core::{
    effect,
    model::invocation::{
        AttemptFailure, Invocation as Row, Pause as RowPause, Source, Status as RowStatus,
        StatusKind, WaitingFor,
    },
    time::Timestamp,
};
use runtime_views::{
    invocation::{Detail, Filter, Select, Selected},
    page::Within,
    rfc3339,
};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::{Failure, Invocation, InvocationFilter, InvokedBy, Pause, Status, invocation::Part},
};

use super::{Snapshot, budget, cursor, nothing, page, within};

impl Scan<Invocation> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Invocation>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Invocation>, Unavailable> {
        let Some(filter) = self.select(partition, &wanted.filter) else { return Ok(nothing()) };
        let counted = |parts: [Part; 2]| {
            wanted.is_counted && wanted.parts.iter().all(|wanted| parts.contains(wanted))
        };
        let detail = if counted([Part::Service, Part::Status]) {
            Detail::Tally
        } else if counted([Part::Service, Part::Key]) {
            Detail::Object
        } else {
            Detail::Row
        };
        let order = wanted.order.map(super::order);
        let select = Select { filter, detail, order, after: cursor(after), budget: budget(limit) };
        let found = self.read(partition, select)?;
        let count = |found: &Selected| match found {
            Selected::Tally(_, _, count) | Selected::Object(_, _, count) => Some(*count),
            Selected::Row(..) => None,
        };
        let counts = found.rows.iter().map(count).collect();
        Ok(Page { counts, ..page(found, |found| self.invocation(partition, found)) })
    }
}

impl Snapshot {
    /// What to select in a partition; `None` if nothing of it can match.
    fn select(&self, partition: u16, filter: &InvocationFilter) -> Option<Filter> {
        let ids = self.ids(partition, filter.ids.as_ref());
        if ids.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let kinds = |wanted: &Vec<Status>| {
            let kinds = StatusKind::ALL.into_iter();
            kinds.filter(|kind| wanted.contains(&status(*kind))).collect::<Vec<_>>()
        };
        let statuses = filter.statuses.as_ref().map(kinds);
        if statuses.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let deployment = match filter.deployments.as_deref() {
            Some([]) => return None,
            Some([one]) => Some(one.parse::<DeploymentId>().ok()?),
            Some(_) | None => None,
        };
        let within = match &ids {
            Some(_) => Within::All,
            None => within(filter.services.as_deref(), filter.keys.as_deref())?,
        };
        Some(Filter {
            ids,
            within,
            statuses,
            deployment,
            created_from: Timestamp(filter.created_at.from),
            created_until: Timestamp(filter.created_at.until),
        })
    }

    fn invocation(&self, partition: u16, found: Selected) -> Invocation {
        match found {
            Selected::Tally(service, kind, _) => Invocation {
                alias: self.alias(&service),
                service,
                status: status(kind),
                ..Invocation::default()
            },
            Selected::Object(service, key, _) => Invocation {
                alias: self.alias(&service),
                key: (!key.is_empty()).then_some(key),
                service,
                ..Invocation::default()
            },
            Selected::Row(created, row) => {
                let last_deployment = self.last_deployment(partition, created, &row);
                self.of_row(*row, last_deployment)
            }
        }
    }

    fn of_row(&self, row: Row, last_deployment: Option<String>) -> Invocation {
        let kind = row.status.kind();
        let failures =
            u64::from(effect::failures(row.retry_count, row.policy_attempts, row.unsent));
        let retry_count = match kind {
            StatusKind::Running => Some(failures + 1),
            StatusKind::BackingOff | StatusKind::Paused => Some(failures),
            StatusKind::Scheduled
            | StatusKind::Inboxed
            | StatusKind::Suspended
            | StatusKind::Completed => None,
        };
        let next_retry_at = match &row.status {
            RowStatus::Waiting(WaitingFor::Retry { at }) => Some(at.0),
            RowStatus::Waiting(
                WaitingFor::Start { .. }
                | WaitingFor::Object { .. }
                | WaitingFor::Notification { .. },
            )
            | RowStatus::Running { .. }
            | RowStatus::Paused
            | RowStatus::Completed { .. } => None,
        };
        let (awaited_completions, awaited_signals) = awaited(&row.status);
        let completion = row.status.completion();
        let completed_at = match &row.status {
            RowStatus::Completed { at, .. } => Some(at.0),
            RowStatus::Waiting(_) | RowStatus::Running { .. } | RowStatus::Paused => None,
        };
        Invocation {
            partition_key: row.id.partition_key.0,
            id: row.id.to_string(),
            status: status(kind),
            alias: self.alias(&row.target.service),
            service_kind: service_kind(row.service_kind),
            invoked_by: invoked_by(row.source),
            pinned_deployment: row.pin.map(|pin| pin.deployment.to_string()),
            pinned_protocol_version: row.pin.map(|pin| pin.protocol.number()),
            journal_size: row.journal_len,
            journal_commands: row.commands,
            journal_bytes: row.journal_bytes,
            created_at: row.created_at.0,
            modified_at: row.modified_at.0,
            scheduled_start_at: row.start_at.map(|at| at.0),
            running_at: row.running_at.map(|at| at.0),
            completed_at,
            expires_at: completion.and_then(|end| end.expires_at).map(|at| at.0),
            completion_retention_ms: row.retention.completion_ms,
            journal_retention_ms: row.retention.journal_ms,
            awaited_completions,
            awaited_signals,
            last_deployment,
            retry_count,
            last_start_at: (kind == StatusKind::Running).then_some(row.modified_at.0),
            next_retry_at,
            last_failure: row.last_failure.map(|failure| last_failure(*failure)),
            pause: row.pause.map(|it| pause(*it)),
            completion: completion.map(|end| match &end.result {
                Ok(_) => Ok(()),
                Err(failure) => Err(failure.to_string()),
            }),
            result_bytes: completion
                .and_then(|end| end.result.as_ref().ok())
                .map(|value| value.len() as u64),
            key: (!row.target.key.is_empty()).then_some(row.target.key),
            service: row.target.service,
            handler: row.target.handler,
            scope: row.scope,
            limit_key: row.limit_key,
            idempotency_key: row.idempotency_key,
        }
    }
}

fn last_failure(failure: AttemptFailure) -> Failure {
    let mut text = failure.to_string();
    if !failure.stacktrace.is_empty() {
        text.push('\n');
        text.push_str(&failure.stacktrace);
    }
    let command = failure.related_command;
    Failure {
        text,
        error_code: failure.error_code,
        command_index: command.as_ref().and_then(|command| command.index).map(u64::from),
        command_type: command.as_ref().and_then(|command| command.ty).map(command_type),
        command_name: command.and_then(|command| command.name),
    }
}

/// The name of a command's type code.
pub(super) fn command_type(ty: u32) -> String {
    u16::try_from(ty).map_or("Unknown", |ty| MessageType(ty).short_name()).to_owned()
}

fn invoked_by(source: Source) -> InvokedBy {
    let invocation = |id: InvocationId, target: protocol::Target| InvokedBy::Invocation {
        id: id.to_string(),
        target: target.to_string(),
        service: target.service,
    };
    match source {
        Source::IngressCall { .. } | Source::IngressSend { .. } => InvokedBy::Ingress,
        Source::Call { caller, caller_target } => invocation(caller.id, caller_target),
        Source::OneWayCall { caller, caller_target }
        | Source::Sent { caller, caller_target, .. } => invocation(caller, caller_target),
        Source::Producer { name, .. } => InvokedBy::Producer(name),
        Source::Restarted { from } => InvokedBy::Restarted(from.to_string()),
    }
}

fn pause(RowPause { at, operator, waited_for }: RowPause) -> Pause {
    let (operator, reason) = operator.map(|it| (it.name, it.reason)).unzip();
    let waited_for = waited_for.as_ref().and_then(in_words);
    Pause { at: at.0, operator, reason: reason.flatten(), waited_for }
}

/// What an invocation waited for when it was paused.
fn in_words(waited_for: &WaitingFor) -> Option<String> {
    match waited_for {
        WaitingFor::Retry { at } => {
            Some(format!("its next attempt at {}", rfc3339::shortest(at.0)))
        }
        WaitingFor::Notification { awaiting, .. } => {
            let (completions, signals) = numbers(awaiting);
            let named = |what: &str, numbers: Vec<u32>| {
                let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
                (!numbers.is_empty()).then(|| format!("{what} {}", numbers.join(", ")))
            };
            let mut names = BTreeSet::new();
            for leaf in awaiting.all_leaves() {
                if let NotificationId::Signal(SignalId::Name(name)) = leaf {
                    names.insert(format!("signal '{name}'"));
                }
            }
            let signals = signals.into_iter().filter(|signal| *signal != CANCEL_SIGNAL).collect();
            let parts = [named("completion", completions), named("signal", signals)];
            Some(parts.into_iter().flatten().chain(names).collect::<Vec<_>>().join("; "))
        }
        // What has not started cannot be paused.
        WaitingFor::Start { .. } | WaitingFor::Object { .. } => None,
    }
}

/// The numbers of the completions and of the signals that it is suspended on.
fn awaited(status: &RowStatus) -> (Vec<u32>, Vec<u32>) {
    match status {
        RowStatus::Waiting(WaitingFor::Notification { awaiting, .. }) => numbers(awaiting),
        RowStatus::Waiting(_)
        | RowStatus::Running { .. }
        | RowStatus::Paused
        | RowStatus::Completed { .. } => (Vec::new(), Vec::new()),
    }
}

/// The numbers of the completions and of the signals in an await tree.
fn numbers(awaiting: &Awaiting) -> (Vec<u32>, Vec<u32>) {
    let (mut completions, mut signals) = (Vec::new(), Vec::new());
    for leaf in awaiting.all_leaves() {
        match leaf {
            NotificationId::Completion(id) => completions.push(*id),
            NotificationId::Signal(SignalId::Index(index)) => signals.push(*index),
            NotificationId::Signal(SignalId::Name(_)) => (),
        }
    }
    for numbers in [&mut completions, &mut signals] {
        numbers.sort_unstable();
        numbers.dedup();
    }
    (completions, signals)
}

pub(super) fn service_kind(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Service => "service",
        ServiceKind::VirtualObject => "virtual_object",
        ServiceKind::Workflow => "workflow",
    }
}

fn status(kind: StatusKind) -> Status {
    match kind {
        StatusKind::Scheduled => Status::Scheduled,
        StatusKind::Inboxed => Status::Pending,
        StatusKind::Running => Status::Running,
        StatusKind::BackingOff => Status::BackingOff,
        StatusKind::Suspended => Status::Suspended,
        StatusKind::Paused => Status::Paused,
        StatusKind::Completed => Status::Completed,
    }
}
