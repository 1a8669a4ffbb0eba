//! Changing the state of a key as an operator asks, and noting for the audit what was different.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::{
    context::Context,
    kept::Kept,
    model::state_edit::{ChangedEntry, Sample, StateChange, StateEdit},
};

/// What was changed, as much as the audit keeps.
pub(super) type Changes = Kept<ChangedEntry>;

/// Carries out the change. Entries that already are as they should be are not written.
pub(super) fn make(cx: &mut Context<'_, '_>, edit: &StateEdit) -> Changes {
    let mut changes = Changes::default();
    let mut change = |state_key: &Bytes, value: Option<&Bytes>| {
        set(cx, &mut changes, edit, state_key, value);
    };
    match &edit.change {
        StateChange::Replace(entries) => {
            entries.iter().for_each(|(state_key, value)| change(state_key, Some(value)));
            let wanted: BTreeSet<_> = entries.iter().map(|(state_key, _)| state_key).collect();
            let present = cx.tables.state_keys(&edit.service, &edit.key).into_iter();
            for state_key in present.filter(|state_key| !wanted.contains(state_key)) {
                set(cx, &mut changes, edit, &state_key, None);
            }
        }
        StateChange::Patch { set, clear } => {
            set.iter().for_each(|(state_key, value)| change(state_key, Some(value)));
            clear.iter().for_each(|state_key| change(state_key, None));
        }
    }
    changes
}

fn set(
    cx: &mut Context<'_, '_>,
    changes: &mut Changes,
    edit: &StateEdit,
    state_key: &Bytes,
    value: Option<&Bytes>,
) {
    let (service, key) = (&edit.service, &edit.key);
    let before = cx.tables.state(service, key, state_key);
    if before.as_ref() == value {
        return;
    }
    match value {
        Some(value) => cx.tables.set_state(service, key, state_key, value.clone()),
        None => cx.tables.clear_state(service, key, state_key),
    }
    note(changes, state_key, before.as_ref(), value);
}

fn note(changes: &mut Changes, state_key: &Bytes, before: Option<&Bytes>, after: Option<&Bytes>) {
    let before = before.map(Sample::of);
    let entry = ChangedEntry { key: Sample::of(state_key), before, after: after.map(Sample::of) };
    let samples = [Some(&entry.key), entry.before.as_ref(), entry.after.as_ref()];
    let bytes = samples.into_iter().flatten().map(Sample::kept_bytes).sum::<usize>();
    changes.note(entry, bytes);
}
