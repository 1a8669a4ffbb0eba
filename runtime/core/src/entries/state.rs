//! State of a virtual object or workflow. A write takes effect immediately and is kept even if the
//! handler fails.

use bytes::Bytes;
use protocol::journal::{CompletionId, NotificationKind, NotificationResult};

use super::answer::answer_at_once;
use crate::{context::Context, invocation::target, model::ids::Lsn};

pub(crate) fn get(cx: &mut Context<'_, '_>, lsn: Lsn, key: &Bytes, completion: CompletionId) {
    let target = target(cx, lsn);
    let result = match cx.tables.state(&target.service, &target.key, key) {
        Some(value) => NotificationResult::Value(value),
        None => NotificationResult::Void,
    };
    answer_at_once(cx, lsn, completion, NotificationKind::GetLazyState, result);
}

pub(crate) fn keys(cx: &mut Context<'_, '_>, lsn: Lsn, completion: CompletionId) {
    let target = target(cx, lsn);
    let keys = cx.tables.state_keys(&target.service, &target.key);
    let result = NotificationResult::StateKeys(keys);
    answer_at_once(cx, lsn, completion, NotificationKind::GetLazyStateKeys, result);
}

pub(crate) fn set(cx: &mut Context<'_, '_>, lsn: Lsn, key: &Bytes, value: &Bytes) {
    let target = target(cx, lsn);
    cx.tables.set_state(&target.service, &target.key, key, value.clone());
}

pub(crate) fn clear(cx: &mut Context<'_, '_>, lsn: Lsn, key: &Bytes) {
    let target = target(cx, lsn);
    cx.tables.clear_state(&target.service, &target.key, key);
}

pub(crate) fn clear_all(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let target = target(cx, lsn);
    cx.tables.clear_all_state(&target.service, &target.key);
}
