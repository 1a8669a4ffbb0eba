//! A timer is due.

use protocol::journal::{NotificationId, NotificationKind, NotificationResult};

use crate::{
    context::Context,
    invocation::{self, notify::notify},
    model::{
        invocation::{Status, WaitingFor},
        timer::{Timer, TimerKey},
    },
};

pub(crate) fn fired(cx: &mut Context<'_, '_>, timer: &TimerKey) {
    let Some(kind) = cx.tables.timer(timer) else { return }; // The invocation has since ended.
    if timer.at > cx.at {
        return; // Never early, whatever the shell's clock says.
    }
    cx.tables.delete_timer(timer);
    let Some(row) = cx.tables.invocation_mut(timer.invocation) else { return };
    match kind {
        Timer::Sleep => notify(
            cx,
            timer.invocation,
            NotificationKind::Sleep,
            NotificationId::Completion(timer.completion),
            NotificationResult::Void,
        ),
        Timer::Start => match row.status {
            Status::Waiting(WaitingFor::Start { .. }) => {
                invocation::invoke::admit(cx, timer.invocation);
            }
            Status::Waiting(_)
            | Status::Running { .. }
            | Status::Paused
            | Status::Completed { .. } => (),
        },
        Timer::Retry => match row.status {
            Status::Waiting(WaitingFor::Retry { .. }) => {
                invocation::start_attempt(cx, timer.invocation);
            }
            Status::Waiting(_)
            | Status::Running { .. }
            | Status::Paused
            | Status::Completed { .. } => (),
        },
    }
}
