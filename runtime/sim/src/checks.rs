//! What must hold when everything has come to its end.

use std::collections::BTreeMap;

use protocol::PartitionKey;
use runtime_core::{
    Lsn, Partition,
    tables::{Row, Snapshot, Table, Tables, invocation::StatusKind},
};

use crate::{
    node::SimNode,
    program::{OBJECT, OBJECTS, Place, Step},
    world::Operation,
};

const LIVE: [StatusKind; 6] = [
    StatusKind::Scheduled,
    StatusKind::Inboxed,
    StatusKind::Running,
    StatusKind::BackingOff,
    StatusKind::Suspended,
    StatusKind::Paused,
];

/// Whether nothing is left to do in a partition.
pub fn is_all_done(tables: &Tables<'_>) -> bool {
    LIVE.iter().all(|kind| tables.by_status(*kind, Lsn(0), 1).is_empty())
        && rows(tables, Table::Outbox).is_empty()
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

/// Nothing is left over: no lock, nobody in an inbox, no timer, no message, no pending completion,
/// and every index row has its invocation in that status.
///
/// # Errors
/// What is left over.
pub fn is_consistent(tables: &Tables<'_>) -> Result<(), String> {
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
    for lsn in tables.by_status(StatusKind::Completed, Lsn(0), usize::MAX) {
        match tables.invocation(lsn) {
            Some(row) if row.status.kind() == StatusKind::Completed => {
                if tables.invocation_lsn(row.id) != Some(lsn) {
                    return Err(format!("{lsn:?} is not found by its id"));
                }
            }
            other => return Err(format!("{lsn:?} is indexed as completed but is {other:?}")),
        }
    }
    Ok(())
}

fn rows(tables: &Tables<'_>, table: Table) -> Vec<(Vec<u8>, Row)> {
    let prefix = table.key().done();
    let (mut rows, mut from) = (Vec::new(), prefix.clone());
    while let Some((key, row)) = Snapshot::seek(tables, &prefix, &from) {
        from = key.clone();
        from.push(0);
        rows.push((key.to_vec(), row));
    }
    rows
}

/// Every tag of every program stands exactly once in its object's list, and messages of one chain of
/// causes came to each object in the order in which they were sent.
///
/// # Errors
/// What is missing, doubled or out of order.
pub fn tags(node: &mut SimNode, operations: &[Operation]) -> Result<(), String> {
    let lists: BTreeMap<String, Vec<u32>> = (0..OBJECTS)
        .map(|n| format!("o{n}"))
        .map(|key| {
            let list = list(node, &key);
            (key, list)
        })
        .collect();
    let mut expected: Vec<(String, u32)> = Vec::new();
    for operation in operations {
        collect(&operation.place, &operation.steps, &mut expected);
    }
    let mut found: Vec<(String, u32)> = Vec::new();
    for (key, list) in &lists {
        found.extend(list.iter().map(|tag| (key.clone(), *tag)));
    }
    expected.sort();
    found.sort();
    if expected != found {
        let missing: Vec<_> = expected.iter().filter(|tag| !found.contains(tag)).collect();
        let doubled: Vec<_> = found.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        return Err(format!("not exactly once: missing {missing:?}, doubled {doubled:?}"));
    }
    for operation in operations.iter().filter(|operation| operation.place == Place::Service) {
        let mut chain = Vec::new();
        causes(&operation.steps, &mut chain);
        for (key, list) in &lists {
            let sent = chain.iter().filter(|(to, _)| to == key).map(|(_, tag)| *tag);
            let places: Vec<Option<usize>> =
                sent.map(|tag| list.iter().position(|known| *known == tag)).collect();
            if !places.is_sorted() {
                return Err(format!("{key}: {chain:?} came as {list:?}"));
            }
        }
    }
    Ok(())
}

fn list(node: &mut SimNode, key: &str) -> Vec<u32> {
    let count = u16::try_from(node.count()).unwrap_or(1);
    let owner = usize::from(Partition::owner(count, PartitionKey::of_key(key)).0);
    let bytes = node.tables(owner, |tables| tables.state(OBJECT, key, b"list"));
    let bytes = bytes.unwrap_or_default();
    bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_be_bytes(*chunk)).collect()
}

/// All tags of a program and of those it starts.
fn collect(place: &Place, steps: &[Step], tags: &mut Vec<(String, u32)>) {
    for step in steps {
        match step {
            Step::Append(tag) => {
                if let Place::Object(key) = place {
                    tags.push((key.clone(), *tag));
                }
            }
            Step::Call(place, steps) | Step::Send(place, steps, _) => collect(place, steps, tags),
            Step::CallBoth(one, other) => {
                collect(&one.0, &one.1, tags);
                collect(&other.0, &other.1, tags);
            }
            Step::Run
            | Step::Sleep(_)
            | Step::Awakeable
            | Step::Complete(_)
            | Step::Timeout(_)
            | Step::Flaky(_)
            | Step::Fail => (),
        }
    }
}

/// Messages to objects, each of which was sent after the one before had been: by the program itself
/// and by those it called and waited for. A message is known by the first tag it appends.
fn causes(steps: &[Step], chain: &mut Vec<(String, u32)>) {
    for step in steps {
        match step {
            Step::Call(Place::Object(key), its) => {
                message(key, its, chain);
                for step in its {
                    if let Step::Send(Place::Object(to), sent, 0) = step {
                        message(to, sent, chain);
                    }
                }
            }
            Step::Send(Place::Object(key), its, 0) => message(key, its, chain),
            Step::Call(Place::Service, its) => causes(its, chain),
            Step::CallBoth((Place::Object(key), its), _) => message(key, its, chain),
            Step::CallBoth(..)
            | Step::Send(..)
            | Step::Append(_)
            | Step::Run
            | Step::Sleep(_)
            | Step::Awakeable
            | Step::Complete(_)
            | Step::Timeout(_)
            | Step::Flaky(_)
            | Step::Fail => (),
        }
    }
}

fn message(key: &str, steps: &[Step], chain: &mut Vec<(String, u32)>) {
    if let Some(Step::Append(tag)) = steps.first() {
        chain.push((key.to_owned(), *tag));
    }
}
