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

use super::{Driver, log_id};
use crate::observer::{DurableBatch, Observed, RowChange};

impl Driver {
    /// Applies the events in memory, then appends them; the log's callback releases their effects.
    pub(super) fn apply(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let first_lsn = Lsn(self.applied.0 + 1);
        let first_stamp = self.clock.take(events.len() as u64);
        let mut payloads: Vec<Bytes> = Vec::with_capacity(events.len());
        let mut effects = Vec::new();
        let mut observed = self.observer.as_ref().map(|_| Observed::default());
        let mut tables = Tables::new(&mut self.live, self.store.base());
        for (offset, event) in (0..).zip(events) {
            let stamp = Stamp(first_stamp.0 + offset);
            let record = Record::new(Lsn(first_lsn.0 + offset), stamp, event);
            let payload_bytes = record.event.payload_bytes();
            let before_bytes = tables.changed_bytes();
            self.partition.apply(&mut tables, &record, &mut effects);
            let added_bytes = tables.changed_bytes().saturating_sub(before_bytes);
            self.schedule.applied(payload_bytes, added_bytes);
            payloads.push(record.encode());
            self.applied = record.lsn;
            if let Some(observed) = &mut observed {
                observed.records.push(record);
            }
        }
        let mut is_registry_changed = false;
        for effect in &effects {
            match effect {
                Effect::ArmTimer { at } => lower(&mut self.next_timer, *at),
                Effect::ArmExpiry { at } => lower(&mut self.next_expiry, *at),
                Effect::PublishRegistry => is_registry_changed = true,
                Effect::StartAttempt(_)
                | Effect::SendNotification { .. }
                | Effect::AbortAttempt { .. }
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
        let (partition, observer) = (self.partition.id, self.observer.clone());
        self.append(first_lsn, payloads, move || {
            if let (Some(observer), Some(Observed { records, changes })) = (observer, &observed) {
                let effects = &effects;
                observer.durable(&DurableBatch { partition, records, changes, effects });
            }
            dispatch.dispatch(effects, registry);
        });
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

    /// Runs `done` once everything applied so far is durable.
    pub(super) fn after_durable(&self, done: impl FnOnce() + Send + 'static) {
        self.append(Lsn(self.applied.0 + 1), Vec::new(), done);
    }

    fn append(&self, first_lsn: Lsn, records: Vec<Bytes>, done: impl FnOnce() + Send + 'static) {
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
        if is_batch {
            let now_us = clock.now_us();
            inbox.put(|lanes| {
                if lanes.syncing == 0 {
                    lanes.synced_at_us = now_us;
                }
                lanes.syncing += 1;
            });
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
                    if is_batch {
                        let now_us = clock.now_us();
                        inbox.put(|lanes| {
                            assert!(
                                lanes.syncing > 0,
                                "partition {id}: the batch of record {} is on disk, but none was on \
                                 its way",
                                first_lsn.0
                            );
                            lanes.syncing -= 1;
                            lanes.synced_at_us = now_us;
                        });
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

fn lower(next: &mut Option<Timestamp>, at: Timestamp) {
    *next = Some(next.map_or(at, |next| next.min(at)));
}
