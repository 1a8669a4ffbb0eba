//! The lifecycle of an invocation, one transition per module.
//!
//! ```text
//!                 +--> Waiting(Start) --timer--+
//!                 |                            v
//!  (none) --invoke+----------------------> [admit] --object busy--> Waiting(Object)
//!                                              |                        | lock released to it
//!                                              v                        v
//!        +------------------------------->  Running  <------------------+
//!        |            suspend                  |  |  |
//!        +-- Waiting(Notification) <-----------+  |  +--fail--> Waiting(Retry) --timer--> Running
//!        |       (notify: resolved)               |  |
//!        +-- Paused <----fail, out of attempts----+--+
//!          (resume, cancel)                       |
//!                                                 +--end, kill--> Completed --retention--> (none)
//! ```
//!
//! Every status change goes through [`set_status`] or `start_attempt`, which keep the index up to
//! date.

pub(crate) mod append;
pub(crate) mod attach;
pub(crate) mod cancel;
pub(crate) mod complete;
pub(crate) mod edit_state;
pub(crate) mod fail;
pub(crate) mod incident;
pub(crate) mod invoke;
pub(crate) mod kill;
pub(crate) mod notify;
pub(crate) mod operate;
mod pause;
pub(crate) mod pin;
pub(crate) mod purge;
pub(crate) mod restart;
mod resume;
pub(crate) mod signal;
mod signal_room;
mod state_change;
pub(crate) mod suspend;
mod withdraw;

use protocol::{Target, wire::MessageType};

use crate::{
    context::Context,
    effect::{Effect, StartAttempt},
    model::{
        ids::{AttemptRef, Lsn},
        invocation::{Invocation, Status, StatusKind, WaitingFor},
    },
    tables::Tables,
    time::Timestamp,
};

/// A journal of more bytes than this is read only once there is memory for it: many attempts may
/// wait, and some are started again and again.
const JOURNAL_BYTES_MAX: u64 = 16 * 1024;

/// How much state is sent with an attempt, in bytes; the SDK requests the rest lazily. The Restate
/// server allows the 32 MiB of a whole message; this leaves space for the journal.
const EAGER_STATE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The invocation, if `attempt` is its current attempt: proposals from a stale attempt are ignored.
pub(crate) fn running<'t>(
    tables: &'t mut Tables<'_>,
    attempt: AttemptRef,
) -> Option<&'t mut Invocation> {
    let invocation = tables.invocation_mut(attempt.invocation)?;
    match invocation.status {
        Status::Running { attempt: current } if current == attempt.attempt => {
            assert!(
                current >= attempt.invocation,
                "{attempt:?} started before its invocation was created"
            );
            Some(invocation)
        }
        Status::Running { .. } | Status::Waiting(_) | Status::Paused | Status::Completed { .. } => {
            None
        }
    }
}

/// An attempt has made progress: it stored something, or suspended on something it has not seen. So
/// the endpoint was reached, and whatever was stored before had its chance to take effect.
pub(crate) fn got_further(invocation: &mut Invocation) {
    invocation.unsent = 0;
    invocation.cancel_pending = false;
}

/// The row of an invocation that must exist.
///
/// # Panics
/// Panics if there is no such row.
pub(crate) fn expect<'t>(tables: &'t mut Tables<'_>, lsn: Lsn) -> &'t mut Invocation {
    match tables.invocation_mut(lsn) {
        Some(invocation) => invocation,
        None => panic!("invocation {lsn:?} is referred to but has no row"),
    }
}

/// The same for reading only: the row does not count as written.
///
/// # Panics
/// Panics if there is no such row.
pub(crate) fn read(tables: &Tables<'_>, lsn: Lsn) -> Box<Invocation> {
    match tables.invocation(lsn) {
        Some(invocation) => invocation,
        None => panic!("invocation {lsn:?} is referred to but has no row"),
    }
}

/// Changes the status and updates the index.
pub(crate) fn set_status(cx: &mut Context<'_, '_>, lsn: Lsn, status: Status) {
    change_status(cx, lsn, status, |_| ());
}

/// Like [`set_status`], and applies `change` to the row at the same time.
fn change_status(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    status: Status,
    change: impl FnOnce(&mut Invocation),
) {
    let (record, at) = (cx.lsn, cx.at);
    let new = status.kind();
    if new != StatusKind::Suspended {
        cx.tables.forget_wait(lsn);
    }
    let invocation = expect(cx.tables, lsn);
    let old = invocation.status.kind();
    assert!(
        old != StatusKind::Completed,
        "{record:?}: {lsn:?} has ended, but is set to {status:?}"
    );
    if let (Status::Running { attempt: before }, Status::Running { attempt }) =
        (&invocation.status, &status)
    {
        assert!(before < attempt, "{record:?}: {lsn:?} is started again as {before:?}");
    }
    if old == StatusKind::Paused || new == StatusKind::Completed {
        invocation.pause = None;
    }
    invocation.status = status;
    invocation.modified_at = at;
    change(invocation);
    if old != new {
        let service = invocation.target.service.clone();
        let pinned_to = invocation.pin.map(|pin| pin.deployment);
        cx.tables.unindex_status(old, lsn);
        cx.tables.index_status(new, lsn);
        cx.tables.tally(&service, pinned_to, Some(old), Some(new));
    }
}

pub(crate) fn target(cx: &mut Context<'_, '_>, lsn: Lsn) -> Target {
    expect(cx.tables, lsn).target.clone()
}

pub(crate) fn set_waiting(cx: &mut Context<'_, '_>, lsn: Lsn, waiting: WaitingFor) {
    set_status(cx, lsn, Status::Waiting(waiting));
}

/// Starts an attempt, identified by the LSN of the record being applied.
pub(crate) fn start_attempt(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let (attempt, at) = (cx.lsn, cx.at);
    change_status(cx, lsn, Status::Running { attempt }, |invocation| {
        invocation.running_at.get_or_insert(at);
    });
    let invocation = read(cx.tables, lsn);
    if invocation.journal_bytes > JOURNAL_BYTES_MAX {
        return cx.emit(Effect::OfferAttempt { attempt: AttemptRef { invocation: lsn, attempt } });
    }
    let start = attempt_input(cx.tables, lsn, *invocation, at);
    cx.emit(Effect::StartAttempt(Box::new(start)));
}

/// Collects everything that a running attempt of `invocation` needs from the rows.
pub(crate) fn attempt_input(
    tables: &Tables<'_>,
    lsn: Lsn,
    invocation: Invocation,
    now: Timestamp,
) -> StartAttempt {
    let Status::Running { attempt } = invocation.status else {
        panic!("invocation {lsn:?} is to start but is {:?}", invocation.status)
    };
    let (state, partial_state) = if invocation.handler_kind.reads_state() {
        let target = &invocation.target;
        tables.all_state(&target.service, &target.key, EAGER_STATE_BYTES_MAX)
    } else {
        (Vec::new(), false)
    };
    let journal = tables.journal(lsn, invocation.journal_len);
    let is_input = journal.first().is_some_and(|entry| entry.ty == MessageType::INPUT_COMMAND);
    assert!(is_input, "the journal of {lsn:?} begins with {:?}", journal.first());
    let commands = journal.iter().filter(|entry| entry.ty.is_command()).count();
    let counted = invocation.commands;
    assert!(
        commands == counted as usize,
        "{lsn:?} has {commands} commands, but its row counts {counted}"
    );
    StartAttempt {
        attempt: AttemptRef { invocation: lsn, attempt },
        id: invocation.id,
        service_kind: invocation.service_kind,
        handler_kind: invocation.handler_kind,
        pin: invocation.pin,
        journal,
        state,
        partial_state,
        random_seed: invocation.random_seed,
        retry_count: invocation.retry_count,
        policy_attempts: invocation.policy_attempts,
        unsent: invocation.unsent,
        last_failure: invocation
            .last_failure
            .as_ref()
            .map(|failure| (failure.code, failure.error_code.clone())),
        last_entry_at: invocation.last_entry_at,
        now,
        target: invocation.target,
        idempotency_key: invocation.idempotency_key,
        scope: invocation.scope,
        limit_key: invocation.limit_key,
        is_pausing: invocation.pause.is_some(),
    }
}
