//! An operator resumes an invocation: it runs now, whatever it waits for.

use protocol::DeploymentId;

use super::{pin, start_attempt};
use crate::{
    context::Context,
    model::{
        ids::Lsn,
        incident::Happened,
        invocation::{Pin, Status, WaitingFor},
        operation::Outcome,
        operator::Operator,
        timer::TimerKey,
    },
};

/// Nothing is lost if there is nothing to do yet: the attempt suspends again, on the same.
pub(crate) fn of(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    operator: &Operator,
    onto: Option<DeploymentId>,
) -> Outcome {
    let invocation = super::expect(cx.tables, lsn);
    let (kind, pinned) = (invocation.status.kind(), invocation.pin);
    let timer = match invocation.status {
        Status::Running { .. } if onto.is_none() => {
            // A pause that was asked for is not wanted any more.
            invocation.pause = None;
            return Outcome::Done;
        }
        Status::Running { .. }
        | Status::Waiting(WaitingFor::Start { .. } | WaitingFor::Object { .. })
        | Status::Completed { .. } => return Outcome::Refused(kind),
        Status::Waiting(WaitingFor::Retry { at }) => Some(at),
        Status::Waiting(WaitingFor::Notification { .. }) | Status::Paused => None,
    };
    if let Some(deployment) = onto {
        let Some(Pin { protocol, .. }) = pinned else { return Outcome::NotPinned };
        pin::set(cx, lsn, Pin { deployment, protocol });
    }
    if let Some(at) = timer {
        cx.tables.delete_timer(&TimerKey { at, invocation: lsn, completion: 0 });
    }
    let invocation = super::expect(cx.tables, lsn);
    invocation.policy_attempts = 0;
    invocation.unsent = 0;
    super::incident::keep(cx, lsn, Happened::Resumed { by: operator.clone(), onto });
    start_attempt(cx, lsn);
    Outcome::Done
}
