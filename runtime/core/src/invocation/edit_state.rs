//! An operator edits the state of a virtual object or workflow key, and the audit keeps it.
//!
//! No handler sees its state change under it. While an invocation holds the key, which is the one
//! that has the object's lock or the run of the workflow, edits wait in one order with the inbox:
//! each is applied when the lock is passed on to an invocation that came after it, or to none.

use protocol::Target;

use super::{incident, purge, state_change};
use crate::{
    context::Context,
    effect::{Answer, Effect},
    model::{
        ids::{Lsn, RequestId},
        incident::Happened,
        invocation::StatusKind,
        operator::Operator,
        state_edit::{AuditedEdit, EditOutcome, StateChange, StateEdit, StateSummary, WaitingEdit},
    },
    size,
    tables::{
        audit::AuditEntry,
        waiting_edit::{WAITING_BYTES_MAX, WAITING_MAX},
        walk::{Budget, Within},
    },
};

const ALL: Budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };

pub(crate) fn requested(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    operator: &Operator,
    edit: &StateEdit,
) {
    let asked = WaitingEdit { asked_at: cx.at, operator: operator.clone(), edit: edit.clone() };
    let (outcome, state) = match holder(cx, &edit.service, &edit.key) {
        None => {
            let before = cx.tables.state_summary(&edit.service, &edit.key);
            let (outcome, after) = apply(cx, &asked, before);
            (outcome, Some(after))
        }
        Some(holder) => (queue(cx, holder, asked), None),
    };
    cx.emit(Effect::Answer { request, answer: Answer::StateEdited { outcome, state } });
}

/// The invocation that holds the key, under which no state may change.
fn holder(cx: &mut Context<'_, '_>, service: &str, key: &str) -> Option<Lsn> {
    if let Some(object) = cx.tables.object(service, key) {
        return Some(object.holder);
    }
    let run = cx.partition.derivation.workflow(None, service, key);
    let run = cx.tables.invocation_lsn(run)?;
    if purge::if_expired(cx, run) {
        return None;
    }
    let row = super::read(cx.tables, run);
    let is_under_way = row.running_at.is_some() && row.status.kind() != StatusKind::Completed;
    is_under_way.then_some(run)
}

fn queue(cx: &mut Context<'_, '_>, holder: Lsn, asked: WaitingEdit) -> EditOutcome {
    let behind = super::read(cx.tables, holder).id;
    let (mut count, mut bytes) = (1, size::of_state_edit(&asked.edit));
    let within = within(&asked.edit.service, &asked.edit.key);
    for (_, waiting) in cx.tables.walk_waiting_edits(&within, None, ALL) {
        count += 1;
        bytes += size::of_state_edit(&waiting.edit);
    }
    let outcome = if count > WAITING_MAX || bytes > WAITING_BYTES_MAX {
        EditOutcome::TooMany
    } else {
        EditOutcome::Queued { behind }
    };
    audit(cx, &asked, |audited| AuditedEdit { outcome, ..audited });
    if outcome != EditOutcome::TooMany {
        let happened = Happened::StateEditQueued { by: asked.operator.clone() };
        incident::keep(cx, holder, happened);
        let place = cx.lsn;
        cx.tables.push_waiting_edit(place, asked);
    }
    outcome
}

/// An invocation that held the key has ended: applies the edits that waited for it, but only those
/// from before the place of the invocation that comes next. That one has the lock, and starts
/// afterwards.
pub(super) fn apply_waiting(cx: &mut Context<'_, '_>, target: &Target, next: Option<Lsn>) {
    if !cx.tables.has_waiting_edits() {
        return;
    }
    let (service, key) = (&target.service, &target.key);
    let waiting: Vec<_> = cx.tables.walk_waiting_edits(&within(service, key), None, ALL).collect();
    let is_in_inbox = waiting.iter().any(|(place, _)| next == Some(*place));
    assert!(!is_in_inbox, "{:?}: an edit of {target} has the place {next:?}", cx.lsn);
    let due = waiting.into_iter().take_while(|(place, _)| next.is_none_or(|next| *place < next));
    let mut state = None;
    for (place, waiting) in due {
        cx.tables.delete_waiting_edit(service, key, place);
        let before = state.unwrap_or_else(|| cx.tables.state_summary(service, key));
        state = Some(apply(cx, &waiting, before).1);
    }
}

/// Applies an edit, unless the state is another than the expected one; returns the state after it.
fn apply(
    cx: &mut Context<'_, '_>,
    asked: &WaitingEdit,
    before: StateSummary,
) -> (EditOutcome, StateSummary) {
    let edit = &asked.edit;
    if edit.expected.is_some_and(|expected| expected != before.version) {
        let outcome = EditOutcome::Conflict;
        audit(cx, asked, |audited| AuditedEdit { outcome, before: Some(before), ..audited });
        return (outcome, before);
    }
    let changes = state_change::make(cx, edit);
    let after =
        if changes.is_empty() { before } else { cx.tables.state_summary(&edit.service, &edit.key) };
    audit(cx, asked, |audited| AuditedEdit {
        before: Some(before),
        after: Some(after),
        changes: changes.entries,
        changes_omitted: changes.omitted,
        ..audited
    });
    (EditOutcome::Done, after)
}

/// Keeps an edit in the audit; `with` adds to it what has become of it.
fn audit(
    cx: &mut Context<'_, '_>,
    asked: &WaitingEdit,
    with: impl FnOnce(AuditedEdit) -> AuditedEdit,
) {
    let audited = with(AuditedEdit {
        at: cx.at,
        asked_at: asked.asked_at,
        operator: asked.operator.clone(),
        service: asked.edit.service.clone(),
        key: asked.edit.key.clone(),
        is_replacement: matches!(asked.edit.change, StateChange::Replace(_)),
        outcome: EditOutcome::Done,
        before: None,
        after: None,
        changes: Vec::new(),
        changes_omitted: 0,
    });
    cx.tables.audit(AuditEntry::StateEdit(Box::new(audited)));
}

fn within(service: &str, key: &str) -> Within {
    Within::Key { service: service.to_owned(), key: key.to_owned() }
}
