//! `Run`: a side effect is about to happen; its result comes as a proposal of the SDK.

use protocol::journal::{CompletionId, NotificationKind};

use super::answer::expect_completion;
use crate::{context::Context, model::ids::Lsn};

pub(crate) fn apply(cx: &mut Context<'_, '_>, lsn: Lsn, completion: CompletionId) {
    expect_completion(cx, lsn, completion, NotificationKind::Run, None);
}
