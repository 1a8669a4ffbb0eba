//! An operator asks something of an invocation: it is done or refused, and kept in the audit.

use protocol::{InvocationId, TerminalFailure};

use super::{cancel, kill, pause, purge, resume};
use crate::{
    context::Context,
    effect::{Answer, Effect},
    model::{
        ids::{Lsn, RequestId},
        invocation::StatusKind,
        operation::{Audited, Operation, Outcome},
        operator::Operator,
    },
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
    let outcome = match existing.zip(before.as_ref()) {
        None => Outcome::NotFound,
        Some((lsn, (_, status))) => apply(cx, lsn, *status, operator, operation),
    };
    let (of, status) = before.unzip();
    cx.tables.audit(Audited {
        at: cx.at,
        operator: operator.clone(),
        operation,
        invocation: target,
        target: of,
        status,
        outcome,
    });
    cx.emit(Effect::Answer { request, answer: Answer::Operated(outcome) });
}

fn apply(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    status: StatusKind,
    operator: &Operator,
    operation: Operation,
) -> Outcome {
    let has_ended = status == StatusKind::Completed;
    match operation {
        Operation::Cancel if !has_ended => cancel::of(cx, lsn),
        Operation::Kill if !has_ended => {
            kill::with(cx, lsn, TerminalFailure::killed());
            Outcome::Done
        }
        Operation::Purge if has_ended => {
            purge::remove(cx, lsn);
            Outcome::Done
        }
        Operation::PurgeJournal if has_ended => {
            purge::journal_if_kept(cx, lsn);
            Outcome::Done
        }
        Operation::Pause => pause::requested(cx, lsn, operator),
        Operation::Resume { onto } => resume::requested(cx, lsn, operator, onto),
        Operation::Cancel | Operation::Kill | Operation::Purge | Operation::PurgeJournal => {
            Outcome::Refused(status)
        }
    }
}
