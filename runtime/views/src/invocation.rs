//! Invocations, one or many. Their texts come from clients and handlers and may be as large as a
//! message, so the query says how much of each to return.

mod select;

use protocol::{DeploymentId, InvocationId, Target};
use runtime_core::{
    Lsn, effect,
    model::invocation::{
        AttemptFailure, Invocation as Row, Pin, RelatedCommand, Source, Status, StatusKind,
        WaitingFor,
    },
    tables::{Order, Tables, walk::Walk},
    time::Timestamp,
};

use crate::{
    View,
    page::{Budget, Page},
    text,
};

pub use select::{Detail, Filter, Select, Selected};

/// An invocation, without its journal and result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Its id.
    pub id: InvocationId,
    /// The handler that it runs, as `service/key/handler`.
    pub target: String,
    /// Its current status.
    pub status: StatusKind,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub modified_at: Timestamp,
    /// When its next attempt starts, if known.
    pub next_attempt_at: Option<Timestamp>,
    /// The deployment that it is pinned to.
    pub deployment: Option<DeploymentId>,
    /// Failed attempts since it last made progress.
    pub failures: u32,
    /// Number of entries in its journal.
    pub journal_len: u32,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// Why the last attempt failed.
    pub last_failure: Option<AttemptFailure>,
    /// Its failure, if it ended with one, as `[code] message`.
    pub completion_failure: Option<String>,
    /// The invocation that it is a restart of.
    pub restarted_from: Option<InvocationId>,
}

impl Invocation {
    /// Converts a row, with up to `text_bytes_max` bytes of each text.
    fn of(row: &Row, text_bytes_max: usize) -> Self {
        let cut = |text: &str| text::cut(text, text_bytes_max);
        let next_attempt_at = match row.status {
            Status::Waiting(WaitingFor::Start { at } | WaitingFor::Retry { at }) => Some(at),
            Status::Waiting(WaitingFor::Object { .. } | WaitingFor::Notification { .. })
            | Status::Running { .. }
            | Status::Paused
            | Status::Completed { .. } => None,
        };
        let failure =
            row.status.completion().and_then(|completion| completion.result.as_ref().err());
        let restarted_from = match row.source {
            Source::Restarted { from } => Some(from),
            Source::IngressCall { .. }
            | Source::IngressSend { .. }
            | Source::Call { .. }
            | Source::OneWayCall { .. }
            | Source::Sent { .. }
            | Source::Producer { .. } => None,
        };
        let last_failure = row.last_failure.as_deref().map(|failure| AttemptFailure {
            code: failure.code,
            error_code: failure.error_code.clone(),
            message: cut(&failure.message),
            stacktrace: cut(&failure.stacktrace),
            related_command: failure.related_command.as_ref().map(|command| RelatedCommand {
                name: command.name.as_deref().map(cut),
                ..*command
            }),
        });
        Self {
            id: row.id,
            target: cut(&row.target.to_string()),
            status: row.status.kind(),
            created_at: row.created_at,
            modified_at: row.modified_at,
            next_attempt_at,
            deployment: row.pin.map(|pin| pin.deployment),
            failures: effect::failures(row.retry_count, row.policy_attempts, row.unsent),
            journal_len: row.journal_len,
            idempotency_key: row.idempotency_key.as_deref().map(cut),
            last_failure,
            completion_failure: failure.map(|failure| cut(&failure.to_string())),
            restarted_from,
        }
    }
}

/// Reads one invocation.
#[derive(Debug, Clone, Copy)]
pub struct One {
    /// Its id.
    pub id: InvocationId,
    /// How many bytes of each text to return.
    pub text_bytes_max: usize,
}

impl View for One {
    type Output = Option<Invocation>;

    fn read(self, tables: &Tables<'_>) -> Option<Invocation> {
        let row = tables.invocation(tables.invocation_lsn(self.id)?)?;
        Some(Invocation::of(&row, self.text_bytes_max))
    }
}

/// Reads what an invocation runs, where it is pinned, and how it stands.
#[derive(Debug, Clone, Copy)]
pub struct Pinned(pub InvocationId);

impl View for Pinned {
    type Output = Option<(Target, Option<Pin>, StatusKind)>;

    fn read(self, tables: &Tables<'_>) -> Self::Output {
        let row = tables.invocation(tables.invocation_lsn(self.0)?)?;
        Some((row.target, row.pin, row.status.kind()))
    }
}

/// Reads the invocations of one partition in creation order, across all wanted statuses. It reads
/// no unwanted row, and at most `rows_max` entries of each status's index.
#[derive(Debug, Clone)]
pub struct List {
    /// The statuses to include.
    pub statuses: Vec<StatusKind>,
    /// Start after the invocation created at this lsn.
    pub after: Lsn,
    /// Limit on how much to read.
    pub budget: Budget,
    /// How many bytes of each text to return.
    pub text_bytes_max: usize,
}

impl View for List {
    type Output = Page<(Lsn, Invocation), Lsn>;

    fn read(self, tables: &Tables<'_>) -> Self::Output {
        let Self { statuses, after, budget, text_bytes_max } = self;
        let page = in_statuses(tables, &statuses, (Some(after), Order::Ascending), budget);
        let show = |(lsn, row): (Lsn, Box<Row>)| (lsn, Invocation::of(&row, text_bytes_max));
        Page { rows: page.rows.into_iter().map(show).collect(), rest_after: page.rest_after }
    }
}

/// The invocations in some statuses, in order of creation. Reads no other row, and at most
/// `rows_max` entries of each status's index.
fn in_statuses(
    tables: &Tables<'_>,
    kinds: &[StatusKind],
    (after, order): (Option<Lsn>, Order),
    Budget { rows_max, bytes_max }: Budget,
) -> Page<(Lsn, Box<Row>), Lsn> {
    let (mut lsns, mut rest_after): (Vec<Lsn>, Option<Lsn>) = (Vec::new(), None);
    let is_before = |a: Lsn, b: Lsn| match order {
        Order::Ascending => a < b,
        Order::Descending => a > b,
    };
    for kind in kinds {
        let (found, rest) = tables.some_by_status(*kind, after, order, rows_max);
        lsns.extend(found);
        // Beyond the first of these positions, an index has not been read yet.
        rest_after = match (rest_after, rest) {
            (Some(a), Some(b)) => Some(if is_before(a, b) { a } else { b }),
            (known, rest) => known.or(rest),
        };
    }
    lsns.sort_unstable();
    if order == Order::Descending {
        lsns.reverse();
    }
    lsns.retain(|lsn| rest_after.is_none_or(|rest| !is_before(rest, *lsn)));
    let (mut rows, mut bytes, mut last) = (Vec::new(), 0, after);
    for lsn in lsns {
        if rows.len() == rows_max || bytes >= bytes_max {
            rest_after = last;
            break;
        }
        let (row, row_bytes) = row_named(tables, lsn);
        bytes += row_bytes;
        last = Some(lsn);
        rows.push((lsn, row));
    }
    Page { rows, rest_after }
}

/// The row of an invocation that another row refers to, and its size in bytes.
///
/// # Panics
/// Panics if it does not exist: a row that refers to an invocation is removed before it.
pub(crate) fn row_named(tables: &Tables<'_>, lsn: Lsn) -> (Box<Row>, usize) {
    let Some(row) = tables.invocation(lsn) else {
        panic!("a row refers to invocation {lsn:?}, which does not exist")
    };
    let bytes = row_bytes(&row);
    (row, bytes)
}

/// Collects a walk over what belongs to invocations, in their order, and names each of them. `part`
/// says to which invocation a row belongs, and what to show of it.
pub(crate) fn of_invocations<R, T>(
    tables: &Tables<'_>,
    walk: Walk<'_, R>,
    part: impl Fn(R) -> (Lsn, T),
) -> Page<(InvocationId, T)> {
    let mut last: Option<(Lsn, InvocationId)> = None;
    Page::of(walk, |walk, row| {
        let (lsn, shown) = part(row);
        let id = match last {
            Some((known, id)) if known == lsn => id,
            Some(_) | None => {
                let (row, bytes) = row_named(tables, lsn);
                walk.count(bytes);
                row.id
            }
        };
        last = Some((lsn, id));
        (id, shown)
    })
}

/// The size of those parts of a row that may be large, in bytes.
fn row_bytes(row: &Row) -> usize {
    let failure = row.last_failure.as_ref();
    row.status.completion().map_or(0, |completion| completion.result_bytes())
        + row.target.key.len()
        + row.idempotency_key.as_ref().map_or(0, String::len)
        + failure.map_or(0, |failure| failure.message.len() + failure.stacktrace.len())
}
