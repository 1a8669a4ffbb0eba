//! An attempt chose the deployment and protocol version that the invocation is pinned to.

use super::running;
use crate::{
    context::Context,
    model::{ids::AttemptRef, invocation::Pin},
};

pub(crate) fn apply(cx: &mut Context<'_, '_>, attempt: AttemptRef, pin: Pin) {
    let Some(invocation) = running(cx.tables, attempt) else { return };
    let old = invocation.pin.replace(pin);
    if old.map(|old| old.deployment) != Some(pin.deployment) {
        if let Some(old) = old {
            cx.tables.unindex_deployment(old.deployment, attempt.invocation);
        }
        cx.tables.index_deployment(pin.deployment, attempt.invocation);
    }
}
