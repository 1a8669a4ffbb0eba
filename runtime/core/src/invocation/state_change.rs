//! Changing the state of a key as an operator asks, and noting for the audit what was different.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::{
    context::Context,
    model::state_edit::{ChangedEntry, Sample, StateChange, StateEdit},
};

/// How many bytes of keys and values the audit keeps of an edit.
const KEPT_BYTES_MAX: usize = 16 << 10;
/// How many entries, since small ones take more than their bytes.
const KEPT_ENTRIES_MAX: usize = 128;

/// What was changed.
#[derive(Default)]
pub(super) struct Changes {
    /// As much as the audit keeps.
    pub(super) kept: Vec<ChangedEntry>,
    /// How many more entries.
    pub(super) omitted: u64,
    kept_bytes: usize,
}

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
    changes.note(state_key, before.as_ref(), value);
}

impl Changes {
    fn note(&mut self, state_key: &Bytes, before: Option<&Bytes>, after: Option<&Bytes>) {
        let before = before.map(Sample::of);
        let entry =
            ChangedEntry { key: Sample::of(state_key), before, after: after.map(Sample::of) };
        let samples = [Some(&entry.key), entry.before.as_ref(), entry.after.as_ref()];
        let bytes = samples.into_iter().flatten().map(Sample::kept_bytes).sum::<usize>();
        if self.kept.len() < KEPT_ENTRIES_MAX && self.kept_bytes + bytes <= KEPT_BYTES_MAX {
            self.kept_bytes += bytes;
            self.kept.push(entry);
        } else {
            self.omitted += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.omitted == 0
    }
}
