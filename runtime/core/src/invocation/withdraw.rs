//! An invocation ends: everything it left elsewhere is withdrawn. Its open requests are abandoned,
//! and the invocations that would have answered them are told to forget it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    InvocationId, Target,
    journal::{Command, CompletionId, Entry, NotificationKind, NotificationResult},
    wire::{self, MessageType},
};

use crate::{
    admission,
    context::Context,
    event::Rules,
    model::{
        ids::Lsn,
        invocation::{CallRef, Status, WaitingFor},
        message::Message,
        timer::TimerKey,
    },
    object, outbox,
    tables::promise::Promise,
};

/// Removes what the invocation left elsewhere: its timers, its position in an inbox, its
/// notification rows, and its entries among the waiters for results and promises.
pub(super) fn apply(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let invocation = super::expect(cx.tables, lsn);
    let has_notifications = invocation.has_notifications;
    let (id, journal_len) = (invocation.id, invocation.journal_len);
    let target = invocation.target.clone();
    match invocation.status {
        Status::Waiting(WaitingFor::Start { at } | WaitingFor::Retry { at }) => {
            cx.tables.delete_timer(&TimerKey { at, invocation: lsn, completion: 0 });
        }
        Status::Waiting(WaitingFor::Object { place }) => object::leave_inbox(cx, &target, place),
        Status::Waiting(WaitingFor::Notification { .. })
        | Status::Running { .. }
        | Status::Paused => (),
        Status::Completed { .. } => panic!("{:?}: {lsn:?} ends twice", cx.lsn),
    }
    if !has_notifications {
        return;
    }
    let mut open = BTreeMap::new();
    for (completion, kind, timer) in cx.tables.delete_notifications(lsn) {
        if let Some(at) = timer {
            cx.tables.delete_timer(&TimerKey { at, invocation: lsn, completion });
        }
        match kind {
            NotificationKind::Call
            | NotificationKind::AttachInvocation
            | NotificationKind::GetPromise => _ = open.insert(completion, kind),
            // Nothing elsewhere keeps track of these.
            NotificationKind::GetLazyState
            | NotificationKind::GetLazyStateKeys
            | NotificationKind::PeekPromise
            | NotificationKind::CompletePromise
            | NotificationKind::Sleep
            | NotificationKind::CallInvocationId
            | NotificationKind::Run
            | NotificationKind::GetInvocationOutput
            | NotificationKind::Signal => (),
        }
    }
    if !open.is_empty() && cx.follows(Rules::V2) {
        let journal = cx.tables.journal(lsn, journal_len);
        take_back(cx, (id, lsn), &target, &journal, &open);
    }
}

/// Withdraws the open requests; the journal tells where they went.
fn take_back(
    cx: &mut Context<'_, '_>,
    (id, lsn): (InvocationId, Lsn),
    target: &Target,
    journal: &[Entry],
    open: &BTreeMap<CompletionId, NotificationKind>,
) {
    let callees: BTreeMap<CompletionId, InvocationId> = journal
        .iter()
        .filter(|entry| entry.ty == MessageType::CALL_INVOCATION_ID_COMPLETION)
        .filter_map(|entry| {
            let completion = wire::notification::completion_id(entry)?;
            match wire::notification::decode(entry).ok()?.result {
                NotificationResult::InvocationId(id) => Some((completion, id.parse().ok()?)),
                NotificationResult::Void
                | NotificationResult::Value(_)
                | NotificationResult::Failure(_)
                | NotificationResult::StateKeys(_) => None,
            }
        })
        .collect();
    let mut promises = BTreeSet::new();
    for entry in journal {
        let [_, Some(completion)] = wire::command::completions(entry) else { continue };
        let Some(kind) = open.get(&completion).copied() else { continue };
        let from = CallRef { id, invocation: lsn, completion, kind };
        match wire::command::decode(entry).map(|named| named.command) {
            // Only a call with an idempotency key can have become a waiter of an existing
            // invocation.
            Ok(Command::Call { request, invocation_id_completion, .. })
                if request.idempotency_key.is_some() =>
            {
                let callee = callees.get(&invocation_id_completion);
                callee.into_iter().for_each(|target| detach(cx, from, *target));
            }
            Ok(Command::AttachInvocation { target, .. }) => {
                let target = admission::named(cx.partition.derivation, &target);
                target.into_iter().for_each(|target| detach(cx, from, target));
            }
            Ok(Command::GetPromise { key, .. }) => _ = promises.insert(key),
            Ok(_) | Err(_) => (),
        }
    }
    for name in promises {
        let promise = cx.tables.promise_mut(&target.service, &target.key, &name);
        if let Some(Promise::Pending(waiting)) = promise {
            waiting.retain(|(waiter, _)| *waiter != lsn);
        }
    }
}

fn detach(cx: &mut Context<'_, '_>, from: CallRef, target: InvocationId) {
    outbox::send(cx, Message::Detach { from, target });
}
