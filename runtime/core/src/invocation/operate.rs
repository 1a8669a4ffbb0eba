//! An operator asks something of an invocation: it is done or refused, and kept in the audit.

use protocol::InvocationId;

use super::{cancel, incident, kill, pause, purge, restart, resume};
use crate::{
    context::Context,
    effect::{Answer, Effect},
    model::{
        ids::{Lsn, RequestId},
        incident::Happened,
        invocation::StatusKind,
        operation::{Audited, Operation, Outcome},
        operator::Operator,
    },
    tables::audit::AuditEntry,
};

pub(crate) fn requested(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    operator: &Operator,
    target: InvocationId,
    operation: Operation,
) {
    let existing = cx.tables.invocation_lsn(target);
    let existing = existing.filter(|lsn| !purge::if_expired(cx, *lsn));
    let before = existing.map(|lsn| {
        let invocation = super::read(cx.tables, lsn);
        (invocation.target.clone(), invocation.status.kind())
    });
    let outcome = existing.map_or(Outcome::NotFound, |lsn| apply(cx, lsn, operator, operation));
    let (of, status) = before.unzip();
    cx.tables.audit(AuditEntry::Operation(Box::new(Audited {
        at: cx.at,
        operator: operator.clone(),
        operation,
        invocation: target,
        target: of,
        status,
        outcome,
    })));
    cx.emit(Effect::Answer { request, answer: Answer::Operated(outcome) });
}

/// The same under an older format, which keeps no audit.
pub(crate) fn unaudited(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    target: InvocationId,
    operation: fn(&mut Context<'_, '_>, Lsn) -> Outcome,
) {
    let existing = cx.tables.invocation_lsn(target);
    let outcome = existing.map_or(Outcome::NotFound, |lsn| operation(cx, lsn));
    cx.emit(Effect::Answer { request, answer: Answer::Operated(outcome) });
}

fn apply(cx: &mut Context<'_, '_>, lsn: Lsn, operator: &Operator, operation: Operation) -> Outcome {
    match operation {
        Operation::Cancel => {
            note(cx, lsn, Happened::CancelRequested { by: operator.clone() });
            cancel::of(cx, lsn)
        }
        Operation::Kill => {
            note(cx, lsn, Happened::Killed { by: operator.clone() });
            kill::of(cx, lsn)
        }
        Operation::Purge => purge::of(cx, lsn),
        Operation::PurgeJournal => purge::of_journal(cx, lsn),
        Operation::Pause => pause::of(cx, lsn, operator),
        Operation::Resume { onto } => resume::of(cx, lsn, operator, onto),
        Operation::RestartAsNew(restart) => restart::of(cx, lsn, operator, &restart),
    }
}

/// Keeps what is about to happen to an invocation, unless that has ended.
fn note(cx: &mut Context<'_, '_>, lsn: Lsn, what: Happened) {
    if super::read(cx.tables, lsn).status.kind() != StatusKind::Completed {
        incident::keep(cx, lsn, what);
    }
}
