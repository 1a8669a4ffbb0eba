//! Invocations submitted by producers: applied once per position, however often they are submitted.

use crate::{
    context::Context,
    effect::{Answer, Effect},
    invocation,
    model::{
        ids::RequestId,
        invocation::{Invoke, Source},
    },
};

/// A producer submits an invocation, possibly for the second time.
pub(crate) fn produced(cx: &mut Context<'_, '_>, request: RequestId, invoke: &Invoke) {
    let Source::Producer { name, position } = &invoke.source else {
        panic!(
            "{:?}: {} comes from {:?}, which is not a producer",
            cx.lsn, invoke.id, invoke.source
        )
    };
    let is_new = cx.tables.position(name).is_none_or(|last| last < *position);
    if is_new {
        cx.tables.put_position(name, *position);
        invocation::invoke::apply(cx, invoke);
    }
    cx.emit(Effect::Answer { request, answer: Answer::Produced { is_new } });
}
