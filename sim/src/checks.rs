//! Invariants: those of the rows at any time, and those of the whole simulation once it has
//! drained.

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
    program::{Destination, OBJECT, OBJECTS, Program, Step},
    restarters::Rerun,
};

/// Checks the invariants of the rows that a turn touched.
///
/// # Errors
/// Returns the first invariant that is violated.
pub fn of_turn(tables: &Tables<'_>, since: Timestamp) -> Result<(), String> {
    invariants::check_since(tables, since)
}

/// Checks the invariants of all rows.
///
/// # Errors
/// Returns the first invariant that is violated.
pub fn of_all(tables: &Tables<'_>) -> Result<(), String> {
    invariants::check(tables)
}

/// Whether a partition has no work left.
pub fn is_all_done(tables: &Tables<'_>) -> bool {
    StatusKind::UNFINISHED.iter().all(|kind| tables.by_status(*kind, Lsn(0), 1).is_empty())
        && rows(tables, Table::Outbox).is_empty()
}

/// The due time of the first timer at or after `from_ms`.
pub fn next_timer_ms(tables: &Tables<'_>, from_ms: u64) -> Option<u64> {
    let (prefix, from) = (Table::Timer.key().done(), Table::Timer.key().u64(from_ms).done());
    let (key, _) = Snapshot::seek(tables, &prefix, &from)?;
    let at = key[prefix.len()..].first_chunk()?;
    Some(u64::from_be_bytes(*at))
}

/// Describes some of the invocations that have not ended, for an error message.
pub fn unfinished(tables: &Tables<'_>) -> Vec<String> {
    let mut unfinished = Vec::new();
    for kind in StatusKind::UNFINISHED {
        for lsn in tables.by_status(kind, Lsn(0), 5) {
            let row = tables.invocation(lsn);
            unfinished
                .push(format!("{kind:?} {lsn:?} {:?}", row.map(|row| (row.target, row.status))));
        }
    }
    unfinished
}

/// Checks that nothing is left over: no lock, inbox entry, timer, message or pending completion.
///
/// # Errors
/// Returns the first row left over.
pub fn is_nothing_left(tables: &Tables<'_>) -> Result<(), String> {
    for table in [
        Table::Object,
        Table::Inbox,
        Table::WaitingEdit,
        Table::Timer,
        Table::Outbox,
        Table::Waiter,
        Table::Completion,
        Table::Signal,
    ] {
        if let Some((key, row)) = rows(tables, table).first() {
            return Err(format!("{table:?} has a row left over: {key:?} {row:?}"));
        }
    }
    Ok(())
}

/// The longest a simulation may take, in milliseconds. A node that takes a one-hour step of the
/// wall clock for elapsed time, or waits for it, takes much longer.
const WORLD_MS_MAX: u64 = 15 * 60_000;

/// Checks that nothing waited because the wall clock was set.
///
/// # Errors
/// Returns how long the simulation took if that was too long.
pub fn is_in_time(clock: &VirtualClock) -> Result<(), String> {
    match clock.elapsed_ms() {
        0..=WORLD_MS_MAX => Ok(()),
        took_ms => Err(format!("everything took {took_ms} ms")),
    }
}

fn rows(tables: &Tables<'_>, table: Table) -> Vec<(Key, Row)> {
    rows_with(tables, &table.key().done())
}

/// Returns all rows whose key starts with `prefix`.
pub(crate) fn rows_with(tables: &Tables<'_>, prefix: &[u8]) -> Vec<(Key, Row)> {
    let (mut rows, mut from) = (Vec::new(), Key::from_slice(prefix));
    while let Some((key, row)) = Snapshot::seek(tables, prefix, &from) {
        from = key.clone();
        from.push(0);
        rows.push((key, row));
    }
    rows
}

/// The programs that operators asked to end, and what these have started.
pub(crate) fn all_doomed(operations: &[Operation], doomed: &BTreeSet<u32>) -> BTreeSet<u32> {
    fn collect(
        program: &Program,
        is_doomed: bool,
        doomed: &BTreeSet<u32>,
        all: &mut BTreeSet<u32>,
    ) {
        let is_doomed = is_doomed || doomed.contains(&program.number);
        if is_doomed {
            all.insert(program.number);
        }
        program.children().for_each(|child| collect(child, is_doomed, doomed, all));
    }
    let mut all = BTreeSet::new();
    operations.iter().for_each(|operation| collect(&operation.program, false, doomed, &mut all));
    all
}

/// The expected contents of the objects' lists.
#[derive(Default)]
struct Expected {
    /// Tags, and exactly how often each must appear.
    must: BTreeMap<(String, u32), usize>,
    /// Tags, and how often each may appear at most: those of programs that an operator ended.
    may: BTreeMap<(String, u32), usize>,
    /// The tags of each program, in program order.
    programs: Vec<(String, Vec<u32>)>,
}

/// What operators have asked for: programs to end, and programs to run again.
#[derive(Clone, Copy)]
struct Asked<'a> {
    doomed: &'a BTreeSet<u32>,
    reruns: &'a [Rerun],
}

impl Expected {
    fn collect(&mut self, program: &Program, is_doomed: bool, asked: Asked<'_>) {
        let is_doomed = is_doomed || asked.doomed.contains(&program.number);
        self.expect(program, is_doomed);
        if let Destination::Object(key) = &program.place {
            self.programs.push((key.clone(), program.tags()));
        }
        for child in children(program, is_doomed) {
            self.collect(child, is_doomed, asked);
        }
        for rerun in asked.reruns.iter().filter(|rerun| rerun.program == program.number) {
            self.collect_again(program, &rerun.started, is_doomed, asked.doomed);
        }
    }

    /// What a program does once more, except for what was started before. What it starts under a
    /// key exists already.
    fn collect_again(
        &mut self,
        program: &Program,
        started: &BTreeSet<u32>,
        is_doomed: bool,
        doomed: &BTreeSet<u32>,
    ) {
        let is_doomed = is_doomed || doomed.contains(&program.number);
        self.expect(program, is_doomed);
        let under_keys: BTreeSet<u32> = program.steps.iter().filter_map(under_key).collect();
        for child in children(program, is_doomed) {
            if !started.contains(&child.number) && !under_keys.contains(&child.number) {
                self.collect_again(child, &BTreeSet::new(), is_doomed, doomed);
            }
        }
    }

    fn expect(&mut self, program: &Program, is_doomed: bool) {
        let Destination::Object(key) = &program.place else { return };
        let into = if is_doomed { &mut self.may } else { &mut self.must };
        for tag in program.tags() {
            *into.entry((key.clone(), tag)).or_default() += 1;
        }
    }
}

/// The programs that one starts. A cancelled one also undoes the saga step that it would otherwise
/// have kept.
fn children(program: &Program, is_doomed: bool) -> impl Iterator<Item = &Program> {
    let undone = program.steps.iter().filter_map(move |step| {
        let Step::Saga { undo, fails: false, .. } = step else { return None };
        is_doomed.then_some(undo)
    });
    program.children().chain(undone)
}

/// The program that a step starts under an idempotency key.
fn under_key(step: &Step) -> Option<u32> {
    if let Step::Idempotent(program) | Step::Attach(program) = step {
        Some(program.number)
    } else {
        None
    }
}

/// Checks the objects' lists. Every tag appears exactly once in its object's list, and once more for
/// each time that it was run again; the tags of each program appear in program order; an ended
/// program may stop partway. If `is_causal`, messages of one causal chain arrived at each object in
/// the order in which they were sent. Every list that a reader saw is a prefix of the final one.
///
/// # Errors
/// Returns what is missing, duplicated or out of order.
pub(crate) fn tags(
    node: &mut SimNode,
    (operations, doomed, reruns): (&[Operation], &BTreeSet<u32>, &[Rerun]),
    looks: &BTreeMap<String, BTreeSet<Bytes>>,
    is_causal: bool,
) -> Result<(), String> {
    let mut expected = Expected::default();
    for operation in operations {
        expected.collect(&operation.program, false, Asked { doomed, reruns });
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
    let services = operations.iter().filter(|one| one.program.place == Destination::Service);
    // What runs again sends again.
    for operation in services.filter(|one| !is_rerun(&one.program, reruns)) {
        let mut chain = Vec::new();
        causes(&operation.program, doomed, &mut chain);
        for (key, list) in &lists {
            let sent = chain.iter().filter(|(to, _)| to == key).map(|(_, tag)| *tag);
            // Programs that were ended before they started never arrived.
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
    let mut found: BTreeMap<(String, u32), usize> = BTreeMap::new();
    for (key, tag) in lists.iter().flat_map(|(key, tags)| tags.iter().map(move |tag| (key, *tag))) {
        *found.entry((key.clone(), tag)).or_default() += 1;
    }
    for (name, times) in &found {
        let at_most = expected.must.get(name).or_else(|| expected.may.get(name)).copied();
        if at_most.is_none_or(|at_most| *times > at_most) {
            return Err(format!("not exactly once: {name:?} {times} times, not {at_most:?}"));
        }
    }
    for (name, expected) in &expected.must {
        let times = found.get(name).copied().unwrap_or(0);
        if times < *expected {
            return Err(format!("not exactly once: {name:?} {times} times, not {expected}"));
        }
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

fn is_rerun(program: &Program, reruns: &[Rerun]) -> bool {
    reruns.iter().any(|rerun| rerun.program == program.number)
        || program.children().any(|child| is_rerun(child, reruns))
}

fn list(node: &mut SimNode, key: &str) -> Bytes {
    let count = u16::try_from(node.count()).unwrap_or(1);
    let owner = usize::from(Partition::owner(count, PartitionKey::of_key(key)).0);
    node.tables(owner, |tables| tables.state(OBJECT, key, b"list")).unwrap_or_default()
}

/// Collects messages to objects, each sent causally after the previous one: by the program itself,
/// or by a program it called and waited for. A message is identified by the first tag it appends.
///
/// For a program that an operator has ended, only what it sent itself counts: its callers learn of
/// its end at once, while its callees are only asked to end and may keep running until then.
fn causes(program: &Program, doomed: &BTreeSet<u32>, chain: &mut Vec<(String, u32)>) {
    let is_waited_for = |program: &Program| !doomed.contains(&program.number);
    for step in &program.steps {
        match step {
            Step::Call(callee) | Step::Attach(callee) | Step::Idempotent(callee)
                if callee.place != Destination::Service =>
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
    if let (Destination::Object(key), Some(tag)) = (&program.place, program.tags().first()) {
        chain.push((key.clone(), *tag));
    }
}
