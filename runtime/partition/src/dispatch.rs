//! Hands effects to the edges, one match arm each. Runs in the log's callback, so everything here
//! is durable, and nothing here may block.

use std::collections::BTreeMap;
use std::sync::Arc;

use runtime_core::{
    PartitionId,
    effect::Effect,
    event::Event,
    model::{deployment::StoredDeployment, invocation::Source},
};

use crate::{edges::Edges, inbox::Inbox, peers::Resent, waiters::Waiters};

/// Everything that the effects of a partition may reach.
pub(crate) struct Dispatch {
    pub(crate) partition: PartitionId,
    pub(crate) edges: Arc<dyn Edges>,
    pub(crate) waiters: Arc<Waiters>,
    /// The inboxes of all partitions, including this one's, by number.
    pub(crate) inboxes: Arc<[Arc<Inbox>]>,
}

impl Dispatch {
    /// Dispatches the effects of a durable batch in order. `registry` holds the registry's rows if
    /// the batch has changed them.
    pub(crate) fn dispatch(&self, effects: Vec<Effect>, registry: Option<Vec<StoredDeployment>>) {
        if let Some(deployments) = registry {
            self.edges.publish_registry(deployments);
        }
        let mut acknowledged = BTreeMap::new();
        for effect in effects {
            match effect {
                Effect::StartAttempt(start) => {
                    let attempt = start.attempt;
                    if let Err(full) = self.edges.start_attempt(self.partition, start) {
                        let inbox = self.inbox(self.partition);
                        inbox.put(|lanes| lanes.notices.refused.push((attempt, full)));
                        self.edges.attempt_refused(full);
                    }
                }
                Effect::SendNotification { attempt, index, entry } => {
                    self.edges.send_notification(self.partition, attempt, index, entry);
                }
                Effect::AbortAttempt { attempt } => {
                    self.edges.abort_attempt(self.partition, attempt);
                }
                Effect::SuspendAttempt { attempt } => {
                    self.edges.suspend_attempt(self.partition, attempt);
                }
                Effect::Answer { request, answer } => self.waiters.answer(request, answer),
                Effect::Completed { id, completion } => self.waiters.completed(id, &completion),
                Effect::Send { to, sequence, stamp, message } => {
                    assert!(
                        to != self.partition,
                        "partition {}: message {sequence} is addressed to itself; the record that sent it should have applied it",
                        to.0
                    );
                    let event = Event::MessageReceived { from: self.partition, sequence, message };
                    self.inbox(to).put(|lanes| lanes.peers.push(stamp, event));
                }
                Effect::Acknowledge { to, sequence } => {
                    let before = acknowledged.insert(to, sequence);
                    self.check_grows(to, before, sequence);
                }
                // The driver handled these when it applied the batch.
                Effect::OfferAttempt { .. }
                | Effect::ResultDue { .. }
                | Effect::ArmTimer { .. }
                | Effect::ArmExpiry { .. }
                | Effect::PublishRegistry => (),
            }
        }
        for (to, sequence) in acknowledged {
            self.inbox(to).put(|lanes| {
                let before = lanes.notices.acknowledged.insert(self.partition, sequence);
                self.check_grows(to, before, sequence);
            });
        }
    }

    /// Asks a partition for the messages from this one on, which there was no memory for.
    pub(crate) fn ask_again(&self, from: PartitionId, sequence: u64) {
        let by = self.partition;
        self.inbox(from).put(|lanes| _ = lanes.notices.resend.insert(by, sequence));
    }

    /// Hands messages over that a partition has asked for.
    pub(crate) fn resend(&self, to: PartitionId, resent: Resent) {
        self.inbox(to).put(|lanes| lanes.peers.push_resent(resent));
    }

    /// Refuses a client's request for lack of disk space. Nothing of it was applied or logged.
    pub(crate) fn refuse(&self, event: &Event) {
        let request = if let Event::Produced { request, .. }
        | Event::StateEditRequested { request, .. }
        | Event::OperationRequested { request, .. } = event
        {
            Some(*request)
        } else if let Event::Invoked(invoke) = event
            && let Source::IngressCall { request } | Source::IngressSend { request } = invoke.source
        {
            Some(request)
        } else {
            None
        };
        if let Some(request) = request {
            self.waiters.refuse(request);
        }
    }

    /// Checks that acknowledgements only increase: each one covers all messages before it.
    fn check_grows(&self, to: PartitionId, before: Option<u64>, sequence: u64) {
        assert!(
            before.is_none_or(|before| before <= sequence),
            "partition {}: message {sequence} from {to:?} is acknowledged after {before:?}",
            self.partition.0
        );
    }

    fn inbox(&self, partition: PartitionId) -> &Inbox {
        &self.inboxes[usize::from(partition.0)]
    }
}
