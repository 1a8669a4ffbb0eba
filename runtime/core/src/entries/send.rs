//! `OneWayCall`: invoke another handler, now or later, without waiting for its answer.

use protocol::journal::{CallRequest, CompletionId};

use super::call;
use crate::{
    Lsn,
    context::Context,
    event::{Callee, Source},
    invocation,
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
    let source = Source::OneWayCall { caller: caller.id, caller_target: caller.target.clone() };
    call::start(cx, lsn, request, id_completion, callee, source, Some(start_at));
}
