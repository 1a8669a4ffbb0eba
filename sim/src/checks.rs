//! What must hold: of the rows at any moment, and of everything when it has come to its end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::PartitionKey;
use runtime_core::{
    Lsn, Partition, invariants,
    model::invocation::StatusKind,
    tables::{Key, Row, Snapshot, Table, Tables},
    time::Timestamp,
};
use runtime_embedded::VirtualClock;

use crate::{
    clients::Operation,
    node::SimNode,
    program::{OBJECT, OBJECTS, Place, Program, Step},
};

const LIVE: [StatusKind; 6] = [
    StatusKind::Scheduled,
    StatusKind::Inboxed,
    StatusKind::Running,
    StatusKind::BackingOff,
    StatusKind::Suspended,
    StatusKind::Paused,
];

/// What holds of whatever a turn has touched.
///
/// # Errors
/// What does not.
pub fn of_turn(tables: &Tables<'_>, since: Timestamp) -> Result<(), String> {
    invariants::check_since(tables, since)
}

/// What holds of all rows.
///
/// # Errors
/// What does not.
pub fn of_all(tables: &Tables<'_>) -> Result<(), String> {
    invariants::check(tables)
}

/// Whether nothing is left to do in a partition.
pub fn is_all_done(tables: &Tables<'_>) -> bool {
    LIVE.iter().all(|kind| tables.by_status(*kind, Lsn(0), 1).is_empty())
        && rows(tables, Table::Outbox).is_empty()
}

/// When the first timer is due at or after `from_ms`.
pub fn next_timer_ms(tables: &Tables<'_>, from_ms: u64) -> Option<u64> {
    let (prefix, from) = (Table::Timer.key().done(), Table::Timer.key().u64(from_ms).done());
    let (key, _) = Snapshot::seek(tables, &prefix, &from)?;
    let at = key[prefix.len()..].first_chunk()?;
    Some(u64::from_be_bytes(*at))
}

/// Invocations that have not ended, for people.
pub fn unfinished(tables: &Tables<'_>) -> Vec<String> {
    let mut unfinished = Vec::new();
    for kind in LIVE {
        for lsn in tables.by_status(kind, Lsn(0), 5) {
            let row = tables.invocation(lsn);
            unfinished
                .push(format!("{kind:?} {lsn:?} {:?}", row.map(|row| (row.target, row.status))));
        }
    }
    unfinished
}

/// Nothing is left over: no lock, nobody in an inbox, no timer, no message, no pending completion.
///
/// # Errors
/// What is left over.
pub fn is_nothing_left(tables: &Tables<'_>) -> Result<(), String> {
    for table in [
        Table::Object,
        Table::Inbox,
        Table::Timer,
        Table::Outbox,
        Table::Waiter,
        Table::Completion,
        Table::Signal,
    ] {
        if let Some((key, row)) = rows(tables, table).first() {
            return Err(format!("{table:?} has a row left: {key:?} {row:?}"));
        }
    }
    Ok(())
}

/// No world has to do for longer than this, in milliseconds. Who takes an hour that somebody sets the
/// wall clock by for one that has passed, or waits for one, takes much longer.
const WORLD_MS_MAX: u64 = 15 * 60_000;

/// Nothing has waited for a clock that was set.
///
/// # Errors
/// How long everything took.
pub fn is_in_time(clock: &VirtualClock) -> Result<(), String> {
    match clock.elapsed_ms() {
        0..=WORLD_MS_MAX => Ok(()),
        took_ms => Err(format!("everything took {took_ms} ms")),
    }
}

/// All rows of a table.
fn rows(tables: &Tables<'_>, table: Table) -> Vec<(Key, Row)> {
    rows_with(tables, &table.key().done())
}

/// All rows whose key starts so.
pub(crate) fn rows_with(tables: &Tables<'_>, prefix: &[u8]) -> Vec<(Key, Row)> {
    let (mut rows, mut from) = (Vec::new(), Key::from_slice(prefix));
    while let Some((key, row)) = Snapshot::seek(tables, prefix, &from) {
        from = key.clone();
        from.push(0);
        rows.push((key, row));
    }
    rows
}

/// What objects' lists are to hold.
#[derive(Default)]
struct Expected {
    /// These, once.
    must: BTreeSet<(String, u32)>,
    /// These, at most once: what an operator has ended got as far as it got.
    may: BTreeSet<(String, u32)>,
    /// The tags of each program, in its order.
    programs: Vec<(String, Vec<u32>)>,
}

impl Expected {
    fn collect(&mut self, program: &Program, is_doomed: bool, doomed: &BTreeSet<u32>) {
        let is_doomed = is_doomed || doomed.contains(&program.number);
        if let Place::Object(key) = &program.place {
            let tags = program.tags();
            let into = if is_doomed { &mut self.may } else { &mut self.must };
            into.extend(tags.iter().map(|tag| (key.clone(), *tag)));
            self.programs.push((key.clone(), tags));
        }
        for child in program.children() {
            self.collect(child, is_doomed, doomed);
        }
        // One that is cancelled undoes what it would have let stand.
        for step in &program.steps {
            if let Step::Saga { undo, fails: false, .. } = step
                && is_doomed
            {
                self.collect(undo, true, doomed);
            }
        }
    }
}

/// Every tag of every program stands exactly once in its object's list, those of each program in its
/// order, those of an ended one up to where it got; messages of one chain of causes came to each object
/// in the order in which they were sent, if the world `is_causal`; and readers saw what was there at some moment.
///
/// # Errors
/// What is missing, doubled or out of order.
pub fn tags(
    node: &mut SimNode,
    operations: &[Operation],
    doomed: &BTreeSet<u32>,
    looks: &BTreeMap<String, BTreeSet<Bytes>>,
    is_causal: bool,
) -> Result<(), String> {
    let mut expected = Expected::default();
    for operation in operations {
        expected.collect(&operation.program, false, doomed);
    }
    let mut lists = BTreeMap::new();
    for key in (0..OBJECTS).map(|n| format!("o{n}")) {
        let bytes = list(node, &key);
        let unknown =
            looks.get(&key).and_then(|looks| looks.iter().find(|look| !bytes.starts_with(look)));
        if let Some(look) = unknown {
            return Err(format!("{key}: a reader saw {look:?}, but the list is {bytes:?}"));
        }
        let tags = bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_be_bytes(*chunk));
        lists.insert(key, tags.collect::<Vec<u32>>());
    }
    once(&expected, &lists)?;
    if !is_causal {
        return Ok(());
    }
    for operation in operations.iter().filter(|one| one.program.place == Place::Service) {
        let mut chain = Vec::new();
        causes(&operation.program, doomed, &mut chain);
        for (key, list) in &lists {
            let sent = chain.iter().filter(|(to, _)| to == key).map(|(_, tag)| *tag);
            // Those that were ended before they began came never.
            let places: Vec<usize> =
                sent.filter_map(|tag| list.iter().position(|known| *known == tag)).collect();
            if !places.is_sorted() {
                let steps = &operation.program.steps;
                return Err(format!("{key}: {chain:?} of {steps:?} came as {list:?}"));
            }
        }
    }
    Ok(())
}

fn once(expected: &Expected, lists: &BTreeMap<String, Vec<u32>>) -> Result<(), String> {
    let mut missing = expected.must.clone();
    let mut found = BTreeSet::new();
    for (key, tag) in lists.iter().flat_map(|(key, tags)| tags.iter().map(move |tag| (key, *tag))) {
        let name = (key.clone(), tag);
        if !missing.remove(&name) && !expected.may.contains(&name) {
            return Err(format!("not exactly once: {name:?} is there again, or for no reason"));
        }
        if !found.insert(name.clone()) {
            return Err(format!("not exactly once: {name:?} is doubled"));
        }
    }
    if !missing.is_empty() {
        return Err(format!("not exactly once: missing {missing:?}"));
    }
    for (key, tags) in &expected.programs {
        let list = lists.get(key).map_or(&[][..], Vec::as_slice);
        let places: Vec<Option<usize>> =
            tags.iter().map(|tag| list.iter().position(|known| known == tag)).collect();
        let done = places.iter().take_while(|place| place.is_some()).count();
        let is_prefix = places[done..].iter().all(Option::is_none);
        if !is_prefix || !places[..done].is_sorted() {
            return Err(format!("{key}: {tags:?} of one program came as {list:?}"));
        }
    }
    Ok(())
}

fn list(node: &mut SimNode, key: &str) -> Bytes {
    let count = u16::try_from(node.count()).unwrap_or(1);
    let owner = usize::from(Partition::owner(count, PartitionKey::of_key(key)).0);
    node.tables(owner, |tables| tables.state(OBJECT, key, b"list")).unwrap_or_default()
}

/// Messages to objects, each of which was sent after the one before had been: by the program itself
/// and by those it called and waited for. A message is known by the first tag it appends.
///
/// Of one that an operator has ended it counts only what it sent itself: its callers hear of its end at
/// once, while those it has called hear that they are to end, too, and may get on until then.
fn causes(program: &Program, doomed: &BTreeSet<u32>, chain: &mut Vec<(String, u32)>) {
    let is_waited_for = |program: &Program| !doomed.contains(&program.number);
    for step in &program.steps {
        match step {
            Step::Call(callee) | Step::Attach(callee) | Step::Idempotent(callee)
                if callee.place != Place::Service =>
            {
                message(callee, chain);
                if is_waited_for(program) && is_waited_for(callee) {
                    for step in &callee.steps {
                        if let Step::Send(sent, 0) = step {
                            message(sent, chain);
                        }
                    }
                }
            }
            Step::Call(callee) => {
                if is_waited_for(program) && is_waited_for(callee) {
                    causes(callee, doomed, chain);
                }
            }
            Step::Send(program, 0) | Step::CallBoth(program, _) => message(program, chain),
            Step::Saga { step, undo, fails } => {
                message(step, chain);
                if *fails {
                    message(undo, chain);
                }
            }
            Step::Attach(_)
            | Step::Idempotent(_)
            | Step::Workflow(_)
            | Step::Send(..)
            | Step::Append(_)
            | Step::Busy(_)
            | Step::Run
            | Step::Sleep(_)
            | Step::Promise
            | Step::Look(_)
            | Step::Awakeable
            | Step::Outside
            | Step::Complete(_)
            | Step::Signal { .. }
            | Step::SendSignals(..)
            | Step::Timeout(_)
            | Step::Flaky(_)
            | Step::Fail => (),
        }
    }
}

fn message(program: &Program, chain: &mut Vec<(String, u32)>) {
    if let (Place::Object(key), Some(tag)) = (&program.place, program.tags().first()) {
        chain.push((key.clone(), *tag));
    }
}
