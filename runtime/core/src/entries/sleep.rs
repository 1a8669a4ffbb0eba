//! `Sleep`: completes once its wake-up time has passed, never before.

use protocol::journal::{CompletionId, NotificationKind};

use super::answer::expect_completion;
use crate::{
    context::Context,
    effect::Effect,
    model::{
        ids::Lsn,
        timer::{Timer, TimerKey},
    },
    time::Timestamp,
};

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    wake_up_time: Timestamp,
    completion: CompletionId,
) {
    expect_completion(cx, lsn, completion, NotificationKind::Sleep, Some(wake_up_time));
    let timer = TimerKey { at: wake_up_time, invocation: lsn, completion };
    cx.tables.put_timer(&timer, Timer::Sleep);
    cx.emit(Effect::ArmTimer { at: wake_up_time });
}
