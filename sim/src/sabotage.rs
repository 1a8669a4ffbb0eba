//! Disables parts of the design on purpose, as seen from outside the node.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::wire::frame::Frame;
use runtime_core::{
    event::Event,
    model::{ids::AttemptRef, invocation::Status},
};
use runtime_log::{AppendError, Batch, Done, Hold, Log, Lsn, PartitionId, Records};

use crate::{limits::Sabotage, node::SimNode};

/// Wraps the partitions' log if the sabotage concerns it.
pub(crate) fn log(log: Arc<dyn Log>, sabotage: Option<Sabotage>) -> Arc<dyn Log> {
    let lie = match sabotage {
        Some(Sabotage::EffectsBeforeFsync) => Lie::Early,
        Some(Sabotage::ReadsBeforeFsync) => Lie::BarriersEarly,
        Some(Sabotage::LogFailureIgnored) => Lie::NoFailure,
        Some(_) | None => return log,
    };
    Arc::new(LyingLog { log, lie })
}

/// A log that lies about durability.
struct LyingLog {
    log: Arc<dyn Log>,
    lie: Lie,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// Reports every batch as durable immediately.
    Early,
    /// Reports batches without records as durable immediately.
    BarriersEarly,
    /// Reports every failed batch as durable.
    NoFailure,
}

impl Log for LyingLog {
    fn append(&self, batch: Batch, done: Done) {
        let is_early = match self.lie {
            Lie::Early => true,
            Lie::BarriersEarly => batch.records.is_empty(),
            Lie::NoFailure => {
                self.log.append(batch, Box::new(|_| done(Ok(()))));
                return;
            }
        };
        if is_early {
            self.log.append(batch, Box::new(|_| ()));
            done(Ok(()));
        } else {
            self.log.append(batch, done);
        }
    }

    fn read(&self, partition: PartitionId, from: Lsn) -> Records<'_> {
        self.log.read(partition, from)
    }

    fn last_lsn(&self, partition: PartitionId) -> Lsn {
        self.log.last_lsn(partition)
    }

    fn oldest(&self, partition: PartitionId) -> Lsn {
        self.log.oldest(partition)
    }

    fn trim(&self, partition: PartitionId, upto: Lsn) {
        self.log.trim(partition, upto);
    }

    fn hold(&self) -> Hold {
        self.log.hold()
    }

    fn durable(&self) -> Result<BTreeMap<PartitionId, Lsn>, AppendError> {
        self.log.durable()
    }

    fn is_short(&self) -> bool {
        self.log.is_short()
    }

    fn room_bytes(&self) -> u64 {
        self.log.room_bytes()
    }
}

/// Runs before each turn: makes redelivered messages look new, or forgets free space reported along
/// with a refusal.
pub(crate) fn before_turn(node: &mut SimNode, sabotage: Option<Sabotage>) {
    match sabotage {
        Some(Sabotage::NoDedup) => node.tamper_peers(|node, at, events| {
            for event in events {
                let Event::MessageReceived { from, sequence, .. } = event else { continue };
                let meta = node.tables(at, |tables| tables.meta());
                let last = meta.received.iter().find(|(peer, _)| peer == from);
                let last = last.map_or(0, |(_, last)| *last);
                if *sequence <= last {
                    *sequence = last + 1;
                }
            }
        }),
        Some(Sabotage::ForgottenRoom) => {
            let partitions = node.partitions().clone();
            (0..node.count()).for_each(|at| partitions.forget_room_with_refusal(at));
        }
        Some(_) | None => (),
    }
}

/// Runs after recovery: delivers messages grouped by sender, last sender first.
pub(crate) fn after_recovery(node: &mut SimNode, sabotage: Option<Sabotage>) {
    if sabotage == Some(Sabotage::UnsortedHandOver) {
        (0..node.count()).for_each(|at| node.partitions().unsort_resent(at));
    }
}

/// Rewrites a stale attempt's event so that it appears to come from the current attempt.
pub(crate) fn refresh(node: &mut SimNode, at: usize, event: &mut Event) {
    let Some(name) = attempt_of(event) else { return };
    let invocation = name.invocation;
    let row = node.tables(at, |tables| tables.invocation(invocation));
    if let Some(Status::Running { attempt }) = row.map(|row| row.status) {
        name.attempt = attempt;
    }
}

/// Returns the attempt that proposed the event.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other event is proposed by an attempt")]
fn attempt_of(event: &mut Event) -> Option<&mut AttemptRef> {
    match event {
        Event::CommandProposed { attempt, .. }
        | Event::TimedCommandProposed { attempt, .. }
        | Event::RunProposed { attempt, .. }
        | Event::AttemptSuspended { attempt, .. }
        | Event::AttemptEnded { attempt }
        | Event::AttemptFailedOn { attempt, .. }
        | Event::DeploymentPinned { attempt, .. } => Some(attempt),
        _ => None,
    }
}

/// The last notification of a journal's replay, as a frame.
pub(crate) fn last_notification(journal: &[protocol::journal::Entry]) -> Option<Frame> {
    let entry = journal.iter().rev().find(|entry| entry.ty.is_notification())?;
    Some(Frame { ty: entry.ty, flags: 0, body: entry.body.clone() })
}
