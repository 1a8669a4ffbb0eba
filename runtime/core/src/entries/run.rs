//! `Run`: a side effect is about to happen; the SDK proposes its result later.

use protocol::journal::{CompletionId, NotificationKind};

use super::answer::expect_completion;
use crate::{context::Context, model::ids::Lsn};

pub(crate) fn apply(cx: &mut Context<'_, '_>, lsn: Lsn, completion: CompletionId) {
    expect_completion(cx, lsn, completion, NotificationKind::Run, None);
}
