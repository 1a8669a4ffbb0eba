//! An attempt chose the deployment and protocol version that the invocation is pinned to.

use super::running;
use crate::{
    context::Context,
    model::{
        ids::{AttemptRef, Lsn},
        invocation::Pin,
    },
};

pub(crate) fn apply(cx: &mut Context<'_, '_>, attempt: AttemptRef, pin: Pin) {
    if running(cx.tables, attempt).is_some() {
        set(cx, attempt.invocation, pin);
    }
}

/// Pins an invocation, and updates the index and the counts.
pub(super) fn set(cx: &mut Context<'_, '_>, lsn: Lsn, pin: Pin) {
    let invocation = super::expect(cx.tables, lsn);
    let (service, status) = (invocation.target.service.clone(), invocation.status.kind());
    let old = invocation.pin.replace(pin).map(|old| old.deployment);
    if old != Some(pin.deployment) {
        if let Some(old) = old {
            cx.tables.unindex_deployment(old, lsn);
        }
        cx.tables.index_deployment(pin.deployment, lsn);
        cx.tables.tally_pin(&service, status, old, pin.deployment);
    }
}
