//! `OneWayCall`: invoke another handler, now or later, without waiting for its answer.

use protocol::journal::{CallRequest, CompletionId};

use super::call;
use crate::{
    context::Context,
    event::Rules,
    invocation,
    model::{
        ids::Lsn,
        invocation::{Callee, Source},
    },
    time::Timestamp,
};

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    request: &CallRequest,
    start_at: Timestamp,
    id_completion: CompletionId,
    callee: Option<&Callee>,
) {
    let caller = invocation::expect(cx.tables, lsn);
    let (caller, caller_target) = (caller.id, caller.target.clone());
    let source = if cx.follows(Rules::V2) {
        Source::Sent { caller, invocation: lsn, caller_target }
    } else {
        Source::OneWayCall { caller, caller_target }
    };
    call::start(cx, lsn, request, id_completion, callee, source, Some(start_at));
}
