//! What the handler of an invocation has asked for and not got.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{
    AwakeableId, InvocationId,
    ids::Derivation,
    journal::{
        Awaiting, CompletionId, NotificationId, NotificationKind,
        awaiting::Outcome,
        notification::{CANCEL_SIGNAL, FIRST_AWAKEABLE_SIGNAL, SignalId},
    },
    wire,
};
use runtime_core::{
    Lsn,
    model::invocation::Invocation,
    tables::{Tables, completion::CompletionState},
    time::Timestamp,
};

use super::{Need, link::TEXT_BYTES_MAX};
use crate::{
    origin::{self, Origin},
    text,
};

/// How many of the things that a handler waits for are looked at one by one.
pub const SHOWN_MAX: usize = 8;
/// How many notifications of a wait are looked up: one may have any number.
const LEAVES_MAX: usize = 4096;
/// The size of the largest tree for which it is worked out what it needs, in leaves and nodes.
const TREE_MAX: usize = 4096;
/// How many of the newest entries of a journal are searched for what a running handler has asked
/// for.
const OPEN_ENTRIES_MAX: u32 = 512;

const CANCELLATION: NotificationId = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));

/// What a handler waits for, as far as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waits {
    /// Up to [`SHOWN_MAX`] of them, of each kind if possible.
    pub shown: Vec<Wait>,
    /// How many there are beyond these, by kind.
    pub more: BTreeMap<&'static str, usize>,
    /// Whether there may be still others, which were not looked up.
    pub is_cut: bool,
}

/// One of these things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What it is.
    pub what: Awaited,
    /// Whether the handler can go on without.
    pub need: Need,
}

/// What a handler waits for. Texts are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Awaited {
    /// The result of a call.
    Call { target: Option<String>, callee: Option<InvocationId> },
    /// The result of another invocation.
    Attach { name: Option<String>, invocation: Option<InvocationId> },
    /// The end of a sleep.
    Timer { name: Option<String>, at: Option<Timestamp> },
    /// An awakeable.
    Awakeable(AwakeableId),
    /// A signal, by its number or its name.
    Signal(String),
    /// Its cancellation, and nothing else.
    Cancellation,
    /// A promise of its workflow.
    Promise { name: Option<String> },
    /// A step that it carries out itself.
    Step { name: Option<String> },
    /// Any other answer of the server.
    Result { kind: NotificationKind, name: Option<String> },
}

/// A result that has not arrived.
struct Pending {
    id: NotificationId,
    kind: NotificationKind,
    at: Option<Timestamp>,
}

/// What a suspended invocation waits for.
pub(super) fn suspended(
    tables: &Tables<'_>,
    derivation: Derivation,
    (lsn, row): (Lsn, &Invocation),
    awaiting: &Awaiting,
) -> Waits {
    let (pending, is_cut) = pending(tables, lsn, awaiting);
    let (shown, more) = some_of_each(pending, |it| it.kind);
    let ids: Vec<CompletionId> = shown.iter().filter_map(|it| completion(&it.id)).collect();
    let mut origins = origin::of(tables, lsn, row.journal_len, &ids, Some(derivation));
    let is_alone = shown.len() == 1 && more.is_empty() && !is_cut;
    let shown = shown.into_iter().map(|Pending { id, kind, at }| {
        let origin = completion(&id).and_then(|id| origins.remove(&id)).unwrap_or_default();
        let is_required = is_alone || is_required(awaiting, &id);
        Wait {
            what: awaited(row.id, &id, kind, at, origin),
            need: if is_required { Need::Required } else { Need::Alternative },
        }
    });
    Waits { shown: shown.collect(), more, is_cut }
}

/// What a running handler has asked for and not got, the latest first. Whether it waits for any of
/// it is not known.
pub(super) fn open(
    tables: &Tables<'_>,
    derivation: Derivation,
    (lsn, row): (Lsn, &Invocation),
) -> Waits {
    let mut pending = Vec::new();
    let searched = origin::latest(tables, lsn, row.journal_len, OPEN_ENTRIES_MAX, |entry| {
        for id in wire::command::completions(entry).into_iter().flatten() {
            if let Some(CompletionState::Pending { kind, timer }) = tables.completion(lsn, id) {
                let command = origin::of_command(tables, lsn, Some(derivation), entry);
                let origin = command.filter(|(of, _)| *of == id).map(|(_, origin)| origin);
                let id = NotificationId::Completion(id);
                pending.push((id, kind, timer, origin.unwrap_or_default()));
            }
        }
        None::<()>
    });
    let (shown, more) = some_of_each(pending, |(_, kind, _, _)| *kind);
    let shown = shown.into_iter().map(|(id, kind, at, origin)| Wait {
        what: awaited(row.id, &id, kind, at, origin),
        need: Need::Possible,
    });
    Waits { shown: shown.collect(), more, is_cut: searched.is_err() }
}

/// The kinds of what a suspended invocation waits for, without looking at its journal.
pub(super) fn kinds(tables: &Tables<'_>, lsn: Lsn, awaiting: &Awaiting) -> BTreeSet<Awaits> {
    // A few are enough to tell whether there are several kinds.
    let few = awaiting.all_leaves().take(SHOWN_MAX);
    let pending = few.filter_map(|id| look_up(tables, lsn, id));
    let mut kinds: BTreeSet<Awaits> = pending.map(|it| Awaits::of(&it.id, it.kind)).collect();
    if kinds.len() > 1 {
        kinds.remove(&Awaits::Cancellation);
    }
    kinds
}

/// What an invocation waits for, without any detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaits {
    /// The result of an operation.
    Result(NotificationKind),
    /// An awakeable.
    Awakeable,
    /// Another signal.
    Signal,
    /// Its cancellation.
    Cancellation,
}

impl Awaits {
    fn of(id: &NotificationId, kind: NotificationKind) -> Self {
        match id {
            NotificationId::Completion(_) => Self::Result(kind),
            NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL)) => Self::Cancellation,
            NotificationId::Signal(SignalId::Index(FIRST_AWAKEABLE_SIGNAL..)) => Self::Awakeable,
            NotificationId::Signal(_) => Self::Signal,
        }
    }
}

/// What a tree waits for and has not got, each once, and whether not all of it was looked up.
fn pending(tables: &Tables<'_>, lsn: Lsn, awaiting: &Awaiting) -> (Vec<Pending>, bool) {
    let mut leaves = awaiting.all_leaves();
    let mut known = BTreeSet::new();
    let looked_up = leaves.by_ref().take(LEAVES_MAX).filter(|id| known.insert(*id));
    let mut pending: Vec<Pending> = looked_up.filter_map(|id| look_up(tables, lsn, id)).collect();
    // Handlers also wait for their cancellation, which says nothing about this wait.
    if pending.len() > 1 {
        pending.retain(|it| it.id != CANCELLATION);
    }
    (pending, leaves.next().is_some())
}

/// Returns `None` if it has arrived.
fn look_up(tables: &Tables<'_>, lsn: Lsn, id: &NotificationId) -> Option<Pending> {
    let (kind, at) = match id {
        NotificationId::Completion(completion) => match tables.completion(lsn, *completion)? {
            CompletionState::Pending { kind, timer } => (kind, timer),
            CompletionState::Done(_) => return None,
        },
        // There may be any number of signals: that one has arrived does not mean that none is
        // awaited.
        NotificationId::Signal(_) => (NotificationKind::Signal, None),
    };
    Some(Pending { id: id.clone(), kind, at })
}

/// Whether nothing else can end the wait: it lasts if all but this arrives, whether well or not.
fn is_required(awaiting: &Awaiting, wanted: &NotificationId) -> bool {
    let lasts = |others: Outcome| {
        !awaiting.is_resolved(&mut |id| {
            if id == wanted || *id == CANCELLATION { Outcome::Pending } else { others }
        })
    };
    awaiting.size() <= TREE_MAX && lasts(Outcome::Success) && lasts(Outcome::Failure)
}

fn completion(id: &NotificationId) -> Option<CompletionId> {
    match id {
        NotificationId::Completion(id) => Some(*id),
        NotificationId::Signal(_) => None,
    }
}

/// Up to [`SHOWN_MAX`] things, of each kind in turn, and how many are left of each.
fn some_of_each<T>(
    things: Vec<T>,
    kind: impl Fn(&T) -> NotificationKind,
) -> (Vec<T>, BTreeMap<&'static str, usize>) {
    let mut by_kind: BTreeMap<NotificationKind, VecDeque<T>> = BTreeMap::new();
    for thing in things {
        by_kind.entry(kind(&thing)).or_default().push_back(thing);
    }
    let mut shown = Vec::new();
    while shown.len() < SHOWN_MAX && by_kind.values().any(|things| !things.is_empty()) {
        let next = by_kind.values_mut().filter_map(VecDeque::pop_front);
        shown.extend(next.take(SHOWN_MAX - shown.len()));
    }
    let left = by_kind.into_iter().map(|(kind, things)| (kind.name(), things.len()));
    (shown, left.filter(|(_, count)| *count > 0).collect())
}

fn awaited(
    invocation: InvocationId,
    id: &NotificationId,
    kind: NotificationKind,
    at: Option<Timestamp>,
    Origin { name, invocation: of }: Origin,
) -> Awaited {
    let name = name.map(|name| text::cut(&name, TEXT_BYTES_MAX));
    let signal = match id {
        NotificationId::Signal(signal) => Some(signal),
        NotificationId::Completion(_) => None,
    };
    match (signal, kind) {
        (Some(SignalId::Index(CANCEL_SIGNAL)), _) => Awaited::Cancellation,
        (Some(SignalId::Index(signal @ FIRST_AWAKEABLE_SIGNAL..)), _) => {
            Awaited::Awakeable(AwakeableId { invocation, signal: *signal })
        }
        (Some(SignalId::Index(number)), _) => Awaited::Signal(number.to_string()),
        (Some(SignalId::Name(name)), _) => Awaited::Signal(text::cut(name, TEXT_BYTES_MAX)),
        (None, NotificationKind::Call) => Awaited::Call { target: name, callee: of },
        (None, NotificationKind::AttachInvocation) => Awaited::Attach { name, invocation: of },
        (None, NotificationKind::Sleep) => Awaited::Timer { name, at },
        (None, NotificationKind::GetPromise) => Awaited::Promise { name },
        (None, NotificationKind::Run) => Awaited::Step { name },
        (
            None,
            NotificationKind::GetLazyState
            | NotificationKind::GetLazyStateKeys
            | NotificationKind::PeekPromise
            | NotificationKind::CompletePromise
            | NotificationKind::CallInvocationId
            | NotificationKind::GetInvocationOutput
            | NotificationKind::Signal,
        ) => Awaited::Result { kind, name },
    }
}
