//! Operators edit the state of objects and workflows while programs use it: an entry that no
//! program writes. In the end, each edit has been applied once, or not at all, as its answer and
//! the audit say.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{HandlerKind, PartitionKey, StateVersion};
use runtime_core::{
    Lsn, Partition,
    model::{
        invocation::StatusKind,
        operator::Operator,
        state_edit::{AuditedEdit, EditOutcome, Sample, StateChange, StateEdit},
    },
    tables::{Order, Tables, audit::AuditEntry, walk::Budget},
};
use runtime_partition::RequestError;

use crate::{
    clients::{Waiting, answered},
    program::{OBJECT, OBJECTS},
    stats::Fault,
    world::World,
};

/// The state key that is edited.
pub(crate) const EDITED: &str = "edited";

/// A service and a key of it.
type Place = (String, String);

/// An edit, and what the operator knows of it.
struct Asked {
    place: Place,
    /// The entry afterwards; `None` if it is removed.
    value: Option<Bytes>,
    expects: Expects,
    heard: Heard,
}

/// Which version of the state an edit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Any,
    /// The one that it had when the edit was asked for.
    Known,
    /// One that it never has.
    Wrong,
}

/// What an operator has heard of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Outcome(EditOutcome),
    DiskFull,
}

/// The edits so far. Each is known by its number, which is its reason in the audit.
#[derive(Default)]
pub(crate) struct Editors {
    asked: Vec<Asked>,
    /// The edits that have not been answered yet, by their numbers.
    requests: Vec<(usize, Waiting<EditOutcome>)>,
}

impl Editors {
    /// Drops the connections to the node.
    pub(crate) fn cut_off(&mut self) {
        self.requests.clear();
    }
}

impl World {
    /// Edits the state of an object, or of a workflow that is running.
    pub(crate) fn edit_state(&mut self) -> Result<(), String> {
        let place @ (service, key) = &self.editable()?;
        let number = self.editors.asked.len();
        let at = self.owner(key)?;
        let state = self.node()?.tables(at, |tables| tables.all_state(service, key, usize::MAX).0);
        let known = StateVersion::of(state.iter().map(|(key, value)| (key, value)));
        let wrong = StateVersion::of([("no", "such state")]);
        let entry = (Bytes::from(EDITED), Bytes::copy_from_slice(&number.to_be_bytes()));
        let mut value = Some(entry.1.clone());
        let set = StateChange::Patch { set: vec![entry.clone()], clear: Vec::new() };
        let (change, expects) = match self.random.below(5) {
            0 => (set, Expects::Any),
            1 => (set, Expects::Known),
            2 => (set, Expects::Wrong),
            3 => {
                value = None;
                let clear = vec![Bytes::from(EDITED)];
                (StateChange::Patch { set: Vec::new(), clear }, Expects::Any)
            }
            _ => {
                let others = state.into_iter().filter(|(key, _)| key != EDITED);
                (StateChange::Replace(others.chain([entry]).collect()), Expects::Known)
            }
        };
        let expected = match expects {
            Expects::Any => None,
            Expects::Known => Some(known),
            Expects::Wrong => Some(wrong),
        };
        let edit = StateEdit { service: service.clone(), key: key.clone(), change, expected };
        let operator = Operator { name: "editor".to_owned(), reason: Some(number.to_string()) };
        let partitions = self.node()?.partitions().clone();
        let asking = Box::pin(async move {
            let answer = partitions.edit_state((), operator, Box::new(edit)).await;
            answer.map(|(outcome, _)| outcome)
        });
        self.stats.inject(Fault::Edited);
        let place = place.clone();
        self.editors.asked.push(Asked { place, value, expects, heard: Heard::Nothing });
        self.editors.requests.push((number, asking));
        Ok(())
    }

    fn editable(&mut self) -> Result<Place, String> {
        let object = (OBJECT.to_owned(), format!("o{}", self.random.below(OBJECTS)));
        if self.random.chance(750) {
            return Ok(object);
        }
        let at = self.any_partition()?;
        let kinds = [StatusKind::Running, StatusKind::Suspended, StatusKind::BackingOff];
        let kind = kinds[self.random.index(kinds.len())];
        let runs = self.node()?.tables(at, |tables| runs(tables, kind));
        Ok(runs.into_iter().next().unwrap_or(object))
    }

    /// The partition of a key.
    fn owner(&mut self, key: &str) -> Result<usize, String> {
        let count = u16::try_from(self.node()?.count()).unwrap_or(1);
        Ok(usize::from(Partition::owner(count, PartitionKey::of_key(key)).0))
    }

    /// Polls the pending edits; returns whether any was answered.
    pub(crate) fn listen_to_editors(&mut self) -> bool {
        let answered = answered(&mut self.editors.requests);
        let has_heard = !answered.is_empty();
        for (number, answer) in answered {
            self.editors.asked[number].heard = match answer {
                Ok(outcome) => Heard::Outcome(outcome),
                Err(RequestError::DiskFull) => Heard::DiskFull,
                Err(RequestError::Stopped(_)) => Heard::Nothing,
            };
        }
        has_heard
    }

    /// Checks, once everything has completed, that each edit was audited as it was answered, and
    /// that the entry has had exactly the values that the audit says, one after the other.
    pub(crate) fn check_edits(&mut self) -> Result<(), String> {
        let mut kept: BTreeMap<usize, Vec<EditOutcome>> = BTreeMap::new();
        let mut values: BTreeMap<Place, Option<Bytes>> = BTreeMap::new();
        for at in 0..self.node()?.count() {
            for edit in self.node()?.tables(at, audited) {
                let reason = edit.operator.reason.as_deref().and_then(|it| it.parse().ok());
                let number: usize = reason.ok_or("an edit has no number")?;
                kept.entry(number).or_default().push(edit.outcome);
                let asked = self.editors.asked.get(number).ok_or("nobody asked for an edit")?;
                let value = values.entry(asked.place.clone()).or_default();
                *value = asked.follow(value.take(), &edit)?;
            }
        }
        for ((service, key), expected) in values {
            let at = self.owner(&key)?;
            let found =
                self.node()?.tables(at, |tables| tables.state(&service, &key, EDITED.as_bytes()));
            if found != expected {
                return Err(format!("{service}/{key} has {found:?} after edits to {expected:?}"));
            }
        }
        for (number, asked) in self.editors.asked.iter().enumerate() {
            let kept = kept.remove(&number).unwrap_or_default();
            if !asked.allows(&kept) {
                let Asked { expects, heard, .. } = asked;
                return Err(format!("edit {number} of {expects:?}: {heard:?}, but kept {kept:?}"));
            }
            let (is_done, has_waited) = (kept.contains(&EditOutcome::Done), kept.len() > 1);
            self.stats.bite(Fault::Edited, is_done);
            if has_waited {
                self.stats.add(Fault::EditQueued, is_done);
            }
            if asked.expects == Expects::Known {
                self.stats.add(Fault::EditConflict, kept.contains(&EditOutcome::Conflict));
            }
        }
        Ok(())
    }
}

impl Asked {
    /// Whether the audit may have kept this of the edit.
    fn allows(&self, kept: &[EditOutcome]) -> bool {
        use EditOutcome::{Conflict, Done, Queued, TooMany};
        let is_whole = match kept {
            [] | [Done | Conflict | TooMany] | [Queued { .. }, Done | Conflict] => true,
            [Queued { .. }] | [_, _, ..] => false,
        };
        let is_as_heard = match self.heard {
            Heard::Nothing => true,
            Heard::Outcome(outcome) => kept.first() == Some(&outcome),
            Heard::DiskFull => kept.is_empty(),
        };
        let is_of_version = match self.expects {
            Expects::Any => !kept.contains(&Conflict),
            Expects::Known => true,
            Expects::Wrong => !kept.contains(&Done),
        };
        is_whole && is_as_heard && is_of_version
    }

    /// The value of the entry after an edit that the audit has kept, which must have found `value`.
    fn follow(&self, value: Option<Bytes>, edit: &AuditedEdit) -> Result<Option<Bytes>, String> {
        if edit.outcome != EditOutcome::Done {
            return Ok(value);
        }
        let whole = |bytes: &Bytes| Sample::Whole(bytes.clone());
        let of_entry =
            edit.changes.iter().filter(|change| change.key == whole(&Bytes::from(EDITED)));
        let found: Vec<_> = of_entry.map(|change| (&change.before, &change.after)).collect();
        let (before, after) = (value.as_ref().map(whole), self.value.as_ref().map(whole));
        let expected = if before == after { Vec::new() } else { vec![(&before, &after)] };
        if found != expected || edit.changes.len() != found.len() {
            return Err(format!("an edit was to change {expected:?}: {edit:?}"));
        }
        Ok(self.value.clone())
    }
}

fn audited(tables: &Tables<'_>) -> Vec<AuditedEdit> {
    let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
    let kept = tables.walk_audit((None, Order::Ascending), all).map(|(_, entry)| entry);
    let edits = kept.filter_map(|entry| match entry {
        AuditEntry::StateEdit(edit) => Some(*edit),
        AuditEntry::Operation(_) | AuditEntry::Change(_) => None,
    });
    edits.collect()
}

/// Some workflow keys whose run has this status.
fn runs(tables: &Tables<'_>, kind: StatusKind) -> Vec<Place> {
    let rows = tables.by_status(kind, Lsn(0), 64).into_iter();
    let rows = rows.filter_map(|lsn| tables.invocation(lsn));
    let runs = rows.filter(|row| row.handler_kind == HandlerKind::Workflow);
    runs.map(|row| (row.target.service, row.target.key)).collect()
}
