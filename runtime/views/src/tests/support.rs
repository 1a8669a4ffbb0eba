//! A partition in memory with rows in all layers, and helpers that read lists in turns.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::{
    HandlerKind, InvocationId, PartitionKey, ProtocolVersion, ServiceKind, Target,
    ids::Derivation,
    journal::{Command, Entry, NamedCommand},
    wire::{self, MessageType},
};
use runtime_core::{
    Lsn, Partition, PartitionId,
    effect::Effect,
    event::{Event, ProposedCommand, Record},
    model::{
        ids::{AttemptRef, RequestId},
        invocation::{AfterFailure, AttemptFailure, Callee, Invoke, Retention, Source},
    },
    tables::{
        Key, KeyRange, LayerSlots, Overlay, Row, Snapshot, Tables, overlay::seek_layers,
        slots::InMemory,
    },
    time::Stamp,
};

use crate::{
    View,
    change::Change,
    page::{Budget, Cursor, Page},
};

/// Plain rows in place of a file, counting how often they are read.
#[derive(Default)]
struct File {
    rows: BTreeMap<Key, Row>,
    looks: Cell<usize>,
}

impl Snapshot for File {
    fn get(&self, key: &[u8]) -> Option<Row> {
        self.looks.set(self.looks.get() + 1);
        self.rows.get(key).cloned()
    }

    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)> {
        self.looks.set(self.looks.get() + 1);
        let (key, row) = self.rows.range(Key::from_slice(from)..).next()?;
        key.starts_with(prefix).then(|| (key.clone(), row.clone()))
    }

    fn add_slots<'a>(&'a self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>) {
        let rows = self.rows.range::<[u8], _>(keys.bounds());
        let rows = rows.inspect(|_| self.looks.set(self.looks.get() + 1));
        layers.push(Box::new(InMemory::new(rows.map(|(key, row)| (key, Some(row))), keys.order)));
    }

    fn applied(&self) -> Lsn {
        match self.rows.first_key_value() {
            Some((_, Row::Meta(meta))) => meta.applied,
            Some(_) | None => Lsn(0),
        }
    }
}

/// The layers below the live rows: the frozen rows on top of the file.
#[derive(Default)]
struct Below {
    frozen: Overlay,
    frozen_applied: Lsn,
    file: File,
}

impl Snapshot for Below {
    fn get(&self, key: &[u8]) -> Option<Row> {
        match self.frozen.get(key) {
            Some(slot) => slot.row.clone(),
            None => self.file.get(key),
        }
    }

    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)> {
        seek_layers(&self.frozen, &self.file, prefix, from)
    }

    fn add_slots<'a>(&'a self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>) {
        layers.push(Box::new(self.frozen.slots(keys)));
        self.file.add_slots(keys, layers);
    }

    fn applied(&self) -> Lsn {
        self.frozen_applied.max(self.file.applied())
    }
}

pub(super) struct Fixture {
    partition: Partition,
    live: Overlay,
    below: Below,
    applied: u64,
    pub(super) stamp_ms: u64,
}

impl Default for Fixture {
    fn default() -> Self {
        Self::of_many(1)
    }
}

impl Fixture {
    /// The first of `count` partitions.
    pub(super) fn of_many(count: u16) -> Self {
        let partition = Partition { id: PartitionId(0), count, derivation: Derivation::Plain };
        let (live, below) = (Overlay::default(), Below::default());
        Self { partition, live, below, applied: 0, stamp_ms: 0 }
    }

    pub(super) fn apply(&mut self, event: Event) -> Lsn {
        self.apply_for(event, &mut Vec::new())
    }

    fn apply_for(&mut self, event: Event, effects: &mut Vec<Effect>) -> Lsn {
        self.applied += 1;
        self.stamp_ms += 1;
        let record = Record::new(Lsn(self.applied), Stamp(self.stamp_ms * 1000), event);
        let mut tables = Tables::new(&mut self.live, &self.below);
        self.partition.apply(&mut tables, &record, effects);
        record.lsn
    }

    /// Applies one batch of events; returns the changes that listeners are told of.
    pub(super) fn changes(&mut self, events: Vec<Event>) -> Vec<Change> {
        self.live.watch(true);
        let mut effects = Vec::new();
        for event in events {
            self.apply_for(event, &mut effects);
        }
        let keys = self.live.take_watched();
        self.live.watch(false);
        let rows = keys.iter().map(|key| (key, self.live.get(key).and_then(|it| it.row.as_ref())));
        Change::of_batch(rows, &effects)
    }

    /// Writes the frozen rows to the file and freezes the live ones.
    pub(super) fn freeze(&mut self) {
        for (key, row) in self.below.frozen.iter() {
            match row {
                Some(row) => self.below.file.rows.insert(key.clone(), row.clone()),
                None => self.below.file.rows.remove(key),
            };
        }
        self.below.frozen = self.live.take();
        self.below.frozen_applied = Lsn(self.applied);
    }

    pub(super) fn invoke(&mut self, uuid: u128) -> Lsn {
        self.apply(Event::Invoked(Box::new(call(uuid))))
    }

    /// Fails its only attempt with a long message. What follows depends on `next`.
    pub(super) fn fail(&mut self, lsn: Lsn, next: AfterFailure) {
        self.fail_attempt(first_attempt(lsn), next);
    }

    pub(super) fn fail_attempt(&mut self, attempt: AttemptRef, next: AfterFailure) {
        let failure = AttemptFailure {
            code: 500,
            error_code: None,
            message: "no ".repeat(1000),
            stacktrace: String::new(),
            related_command: None,
        };
        self.apply(Event::AttemptFailedOn { attempt, deployment: None, failure, next });
    }

    /// Issues a command from its first attempt.
    pub(super) fn command(&mut self, lsn: Lsn, command: Command) -> Lsn {
        self.command_for(lsn, command, None)
    }

    pub(super) fn command_for(
        &mut self,
        lsn: Lsn,
        command: Command,
        callee: Option<Callee>,
    ) -> Lsn {
        self.apply(command_event(lsn, command, callee))
    }

    /// Ends it from its first attempt.
    pub(super) fn end(&mut self, lsn: Lsn) {
        self.command(lsn, Command::Output { result: Ok(Bytes::new()) });
        self.apply(Event::AttemptEnded { attempt: first_attempt(lsn) });
    }

    pub(super) fn tables(&mut self) -> Tables<'_> {
        Tables::new(&mut self.live, &self.below)
    }

    pub(super) fn view<V: View>(&mut self, view: V) -> V::Output {
        view.read(&self.tables())
    }

    /// Reads a list to its end in turns of one size, and checks each turn. `view` makes the query
    /// of a turn, and `bytes_of` is a lower bound of a row's size.
    pub(super) fn read<T, V>(
        &mut self,
        budget: Budget,
        view: impl Fn(Option<Cursor>, Budget) -> V,
        bytes_of: impl Fn(&T) -> usize,
    ) -> Vec<T>
    where
        T: fmt::Debug,
        V: View<Output = Page<T>>,
    {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            self.below.file.looks.set(0);
            let turn = view(after.clone(), budget);
            let Page { rows, rest_after } = self.view(turn);
            // One read finds the invocation, one returns the last row, and one finds nothing at the
            // end.
            let looks = self.below.file.looks.get();
            assert!(looks <= budget.rows_max.saturating_add(3), "{looks} looks with {budget:?}");
            assert!(rows.len() <= budget.rows_max, "{} rows with {budget:?}", rows.len());
            let before_last = rows.len().saturating_sub(1);
            let bytes: usize = rows.iter().take(before_last).map(&bytes_of).sum();
            assert!(bytes < budget.bytes_max, "{bytes} bytes with {budget:?}");
            all.extend(rows);
            let Some(rest_after) = rest_after else { return all };
            let text = rest_after.to_string();
            let is_further = after.is_none_or(|after: Cursor| after.to_string() < text);
            assert!(is_further, "{text} is no further");
            after = Some(Cursor::parse(&text).unwrap());
        }
    }

    /// Reads the same list in a single turn.
    pub(super) fn read_all<T, V>(&mut self, view: impl Fn(Option<Cursor>, Budget) -> V) -> Vec<T>
    where
        V: View<Output = Page<T>>,
    {
        let page = self.view(view(None, ALL));
        assert!(page.rest_after.is_none());
        page.rows
    }

    /// Reads a list in turns of several sizes, and checks that each finds what a single turn finds.
    /// Returns that.
    pub(super) fn read_in_turns<T, V>(
        &mut self,
        view: impl Fn(Option<Cursor>, Budget) -> V,
        bytes_of: impl Fn(&T) -> usize,
    ) -> Vec<T>
    where
        T: fmt::Debug + PartialEq,
        V: View<Output = Page<T>>,
    {
        let all = self.read_all(&view);
        for (rows_max, bytes_max) in [(1, 1), (2, usize::MAX), (7, 300), (64, 1), (usize::MAX, 99)]
        {
            let budget = Budget { rows_max, bytes_max };
            assert_eq!(self.read(budget, &view, &bytes_of), all, "{budget:?}");
        }
        all
    }
}

const ALL: Budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };

/// Turns of any size, mostly small ones.
pub(super) fn budgets() -> impl Strategy<Value = Budget> {
    (1..20usize, prop_oneof![1..400usize, Just(usize::MAX)])
        .prop_map(|(rows_max, bytes_max)| Budget { rows_max, bytes_max })
}

pub(super) fn id(uuid: u128) -> InvocationId {
    InvocationId { partition_key: PartitionKey(0), uuid }
}

pub(super) fn first_attempt(lsn: Lsn) -> AttemptRef {
    AttemptRef { invocation: lsn, attempt: lsn }
}

/// A command from an invocation's first attempt.
pub(super) fn command_event(lsn: Lsn, command: Command, callee: Option<Callee>) -> Event {
    let entry = wire::command::encode(&NamedCommand::from(command), ProtocolVersion::V6);
    let command = ProposedCommand::decode(entry).unwrap();
    let attempt = first_attempt(lsn);
    Event::CommandProposed { attempt, command, callee: callee.map(Box::new) }
}

/// A call to a plain handler.
pub(super) fn call(uuid: u128) -> Invoke {
    Invoke {
        id: id(uuid),
        target: Target::new("Greeter", "", "greet"),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        source: Source::IngressSend { request: RequestId(1) },
        input: Entry { ty: MessageType::INPUT_COMMAND, body: Vec::new().into() },
        start_at: None,
        idempotency_key: None,
        scope: None,
        limit_key: None,
        retention: Retention { completion_ms: 1000, journal_ms: 1000 },
        random_seed: 1,
    }
}

/// A call to an exclusive handler of a virtual object.
pub(super) fn call_object(uuid: u128, service: &str, key: &str) -> Event {
    Event::Invoked(Box::new(Invoke {
        target: Target::new(service, key, "add"),
        service_kind: ServiceKind::VirtualObject,
        handler_kind: HandlerKind::Exclusive,
        ..call(uuid)
    }))
}
