//! An invocation is requested: run it, queue it, or recognise it as a duplicate.

use protocol::{
    HandlerKind, TerminalFailure,
    journal::{NotificationKind, NotificationResult},
};

use super::{attach, purge, set_waiting, start_attempt};
use crate::{
    context::Context,
    effect::{Answer, Effect},
    model::{
        ids::Lsn,
        invocation::{Invocation, Invoke, Source, Status, WaitingFor},
        timer::{Timer, TimerKey},
    },
    object::{self, Acquired},
    outbox,
    tables::journal::JournalEntry,
    time::Timestamp,
};

pub(crate) fn apply(cx: &mut Context<'_, '_>, invoke: &Invoke) {
    let id = invoke.id;
    assert!(cx.owns(id), "{:?}: {id} is invoked here, but another partition owns it", cx.lsn);
    if let Some(existing) = cx.tables.invocation_lsn(invoke.id)
        && !purge::if_expired(cx, existing)
    {
        return duplicate(cx, existing, invoke);
    }
    let start_at = invoke.start_at.filter(|at| *at > cx.at);
    create(cx, invoke, start_at);
    if let Source::IngressSend { request } = invoke.source {
        let answer = Answer::Accepted { id: invoke.id, duplicate: false, start_at };
        cx.emit(Effect::Answer { request, answer });
    }
    match start_at {
        Some(at) => {
            let timer = TimerKey { at, invocation: cx.lsn, completion: 0 };
            cx.tables.put_timer(&timer, Timer::Start);
            cx.emit(Effect::ArmTimer { at });
        }
        None => admit(cx, cx.lsn),
    }
}

/// Starts an invocation, unless its object is busy.
pub(crate) fn admit(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let invocation = super::expect(cx.tables, lsn);
    let acquired = match invocation.handler_kind {
        HandlerKind::Exclusive => {
            let target = invocation.target.clone();
            object::acquire(cx, &target, lsn)
        }
        HandlerKind::Service | HandlerKind::Shared | HandlerKind::Workflow => Acquired::Lock,
    };
    match acquired {
        Acquired::Lock => start_attempt(cx, lsn),
        Acquired::Place(place) => set_waiting(cx, lsn, WaitingFor::Object { place }),
    }
}

/// Creates an invocation whose journal has only its input. Its id must not be taken.
pub(super) fn create(cx: &mut Context<'_, '_>, invoke: &Invoke, start_at: Option<Timestamp>) {
    let lsn = cx.lsn;
    // Until `admit` decides, it counts as waiting for its start time, which may be now.
    let status = Status::Waiting(WaitingFor::Start { at: start_at.unwrap_or(cx.at) });
    cx.tables.index_status(status.kind(), lsn);
    cx.tables.tally(&invoke.target.service, None, None, Some(status.kind()));
    cx.tables.index_target(&invoke.target, lsn);
    cx.tables.append_journal(lsn, 0, JournalEntry { at: cx.at, entry: invoke.input.clone() });
    cx.tables.create_invocation(
        lsn,
        Invocation {
            id: invoke.id,
            target: invoke.target.clone(),
            service_kind: invoke.service_kind,
            handler_kind: invoke.handler_kind,
            source: invoke.source.clone(),
            status,
            pin: None,
            idempotency_key: invoke.idempotency_key.clone(),
            scope: invoke.scope.clone(),
            limit_key: invoke.limit_key.clone(),
            retention: invoke.retention,
            random_seed: invoke.random_seed,
            created_at: cx.at,
            modified_at: cx.at,
            start_at,
            running_at: None,
            journal_len: 1,
            commands: 1,
            journal_bytes: invoke.input.body.len() as u64,
            last_entry_at: cx.at,
            output: None,
            has_notifications: false,
            has_waiters: false,
            retry_count: 0,
            policy_attempts: 0,
            unsent: 0,
            cancel_pending: false,
            last_failure: None,
            incidents: 0,
            incident_bytes: 0,
            pause: None,
        },
    );
}

/// The id already exists: it was derived from an idempotency or workflow key, or a request arrived
/// twice.
fn duplicate(cx: &mut Context<'_, '_>, existing: Lsn, invoke: &Invoke) {
    let invocation = super::expect(cx.tables, existing);
    let (id, start_at) = (invocation.id, invocation.start_at);
    let completion = invocation.status.completion().cloned();
    let is_workflow_run = invoke.handler_kind == HandlerKind::Workflow;
    match &invoke.source {
        Source::IngressSend { request } => {
            let answer = Answer::Accepted { id, duplicate: true, start_at };
            cx.emit(Effect::Answer { request: *request, answer });
        }
        Source::IngressCall { request } => {
            let answer = match completion {
                _ if is_workflow_run => Answer::AlreadyInvoked { id },
                Some(completion) => Answer::Completed { id, completion },
                None => return, // It gets the completion when the first caller does.
            };
            cx.emit(Effect::Answer { request: *request, answer });
        }
        Source::Call { caller, .. } if is_workflow_run => {
            let failure = TerminalFailure::workflow_already_invoked();
            outbox::answer(cx, *caller, NotificationResult::Failure(failure));
        }
        Source::Call { caller, .. } => {
            assert!(
                caller.kind == NotificationKind::Call,
                "{:?}: {caller:?} is not a call",
                cx.lsn
            );
            let row = super::read(cx.tables, existing);
            attach::wait_for(cx, existing, &row, *caller);
        }
        Source::OneWayCall { .. }
        | Source::Sent { .. }
        | Source::Producer { .. }
        | Source::Restarted { .. } => (),
    }
}
