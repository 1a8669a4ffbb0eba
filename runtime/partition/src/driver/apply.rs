//! Turns events into records: applies them in memory, appends them to the log, and releases their
//! effects once they are durable.

use std::sync::Arc;

use bytes::Bytes;
use runtime_core::{
    Lsn,
    effect::Effect,
    event::{Event, Record},
    tables::{Key, Tables},
    time::{Stamp, Timestamp},
};

use super::{
    Driver, log_id,
    set_aside::{Looks, Pending},
};
use crate::{
    lanes::{InFlight, record_bytes},
    observer::{DurableBatch, Observed, RowChange},
};

/// A turn applies nothing more after this many microseconds: rows next to large ones take long to
/// read.
const APPLY_US_MAX: u64 = 50_000;

impl Driver {
    /// Applies events in memory, those in `again` first, then appends them; the log's callback
    /// releases their effects. Events that would bring more rows than there is memory for are set
    /// aside. Ends early when the others have added as much as a turn may or took long, since a
    /// small event can bring large rows and effects, or when their records take `log_bytes_left`;
    /// returns the rest of `events`.
    pub(super) fn apply(
        &mut self,
        again: Vec<Pending>,
        events: Vec<Event>,
        mut log_bytes_left: usize,
    ) -> Vec<Event> {
        let count = again.len() + events.len();
        if count == 0 {
            return events;
        }
        let first_lsn = Lsn(self.applied.0 + 1);
        let mut stamp = self.clock.take(count as u64);
        let mut payloads: Vec<Bytes> = Vec::with_capacity(count);
        let mut effects = Vec::new();
        let observer = self.observer.as_ref().filter(|observer| observer.is_watching()).cloned();
        self.live.watch(observer.is_some());
        let mut observed = observer.as_ref().map(|_| Observed::default());
        let mut tables = Tables::new(&mut self.live, self.store.base());
        let (mut left_bytes, mut effect_bytes) = (self.settings.added_bytes_max, 0);
        let (mut again, mut events) = (again.into_iter(), events.into_iter());
        let frozen_bytes = self.store.unwritten_bytes();
        let mut looks = Looks::default();
        let until_us = self.clock.now_us().saturating_add(APPLY_US_MAX);
        while left_bytes > 0
            && (payloads.is_empty() || (log_bytes_left > 0 && self.clock.now_us() < until_us))
            && let Some(mut pending) = again.next().or_else(|| events.next().map(Pending::from))
        {
            let before_bytes = tables.changed_bytes();
            let brings_bytes_max = self.schedule.payload_bytes_max(before_bytes + frozen_bytes);
            // The limit may have grown in this turn, since some events free memory.
            let must_wait = self.set_aside.is_before(&pending.event)
                || brings_bytes_max < usize::MAX
                    && looks.brings_more(brings_bytes_max, &mut pending, &tables)
                    && !std::mem::take(&mut self.may_bring_one);
            if must_wait {
                self.counts.set_aside += 1;
                self.set_aside.push(pending);
                continue;
            }
            let record = Record::new(Lsn(self.applied.0 + 1), stamp, pending.event);
            stamp = Stamp(stamp.0 + 1);
            let before_effects = effects.len();
            self.partition.apply(&mut tables, &record, &mut effects);
            let added_bytes = tables.changed_bytes().saturating_sub(before_bytes);
            self.schedule.applied(record.event.payload_bytes(), added_bytes);
            let with_effects: usize = effects[before_effects..].iter().map(Effect::bytes).sum();
            effect_bytes += with_effects;
            left_bytes = left_bytes.saturating_sub(added_bytes + with_effects);
            log_bytes_left = log_bytes_left.saturating_sub(record_bytes(&record.event));
            payloads.push(record.encode());
            self.applied = record.lsn;
            if let Some(observed) = &mut observed {
                observed.records.push(record);
            }
        }
        again.for_each(|pending| self.set_aside.push(pending));
        let left: Vec<Event> = events.collect();
        if payloads.is_empty() {
            return left;
        }
        let mut is_registry_changed = false;
        for effect in &effects {
            match effect {
                Effect::ArmTimer { at } => lower(&mut self.next_timer, *at),
                Effect::ArmExpiry { at } => lower(&mut self.next_expiry, *at),
                Effect::OfferAttempt { attempt } => self.refused_starts.found(*attempt),
                Effect::ResultDue { of } => _ = self.results_due.insert(*of),
                Effect::PublishRegistry => is_registry_changed = true,
                Effect::StartAttempt(_)
                | Effect::SendNotification { .. }
                | Effect::AbortAttempt { .. }
                | Effect::SuspendAttempt { .. }
                | Effect::Answer { .. }
                | Effect::Completed { .. }
                | Effect::Send { .. }
                | Effect::Acknowledge { .. } => (),
            }
        }
        let registry = is_registry_changed.then(|| tables.deployments());
        if let Some(observed) = &mut observed {
            observed.changes = self.changes();
        }
        let dispatch = Arc::clone(&self.dispatch);
        let partition = self.partition.id;
        self.append(first_lsn, payloads, effect_bytes, move || {
            if let (Some(observer), Some(Observed { records, changes })) = (observer, &observed) {
                let effects = &effects;
                observer.durable(&DurableBatch { partition, records, changes, effects });
            }
            dispatch.dispatch(effects, registry);
        });
        left
    }

    /// The rows that have changed since the last call.
    fn changes(&mut self) -> Vec<RowChange> {
        let keys = self.live.take_watched().into_iter();
        let change = |key: Key| {
            // A row that was created and removed again leaves no trace here, but may have been
            // observed.
            let row = self.live.get(&key).and_then(|slot| slot.row.clone());
            RowChange { key, row }
        };
        keys.map(change).collect()
    }

    /// Runs `done`, which holds this many bytes, once everything applied so far is durable.
    pub(super) fn after_durable(&self, held_bytes: usize, done: impl FnOnce() + Send + 'static) {
        self.append(Lsn(self.applied.0 + 1), Vec::new(), held_bytes, done);
    }

    fn append(
        &self,
        first_lsn: Lsn,
        records: Vec<Bytes>,
        held_bytes: usize,
        done: impl FnOnce() + Send + 'static,
    ) {
        let (id, count) = (self.partition.id.0, records.len() as u64);
        assert!(
            first_lsn.0 + count == self.applied.0 + 1,
            "partition {id}: {count} records from {} on go to the log, but {} is the last one applied",
            first_lsn.0,
            self.applied.0
        );
        let inbox = Arc::clone(&self.inbox);
        let is_batch = !records.is_empty();
        let (clock, durable) = (Arc::clone(&self.clock), Arc::clone(&self.durable));
        let bytes = held_bytes + records.iter().map(Bytes::len).sum::<usize>();
        // Other barriers are not worth a lock.
        let in_flight = (is_batch || bytes > 0).then_some(InFlight { is_batch, bytes });
        if let Some(in_flight) = in_flight {
            let now_us = clock.now_us();
            inbox.put(|lanes| lanes.hand_over(in_flight, now_us));
        }
        let batch = runtime_log::Batch {
            partition: log_id(self.partition.id),
            first_lsn: runtime_log::Lsn(first_lsn.0),
            records,
        };
        self.log.append(
            batch,
            Box::new(move |result| match result {
                Ok(()) => {
                    durable.acknowledge(first_lsn, count);
                    done();
                    if let Some(in_flight) = in_flight {
                        let now_us = clock.now_us();
                        inbox.put(|lanes| lanes.written(in_flight, now_us));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the log cannot be written; nothing more is acknowledged");
                    inbox.put(|lanes| lanes.notices.log_failed = true);
                }
            }),
        );
    }
}

pub(super) fn lower(next: &mut Option<Timestamp>, at: Timestamp) {
    *next = Some(next.map_or(at, |next| next.min(at)));
}
