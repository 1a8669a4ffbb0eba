//! What a simulation inspects and changes, to show that its checks can fail.

use runtime_core::{PartitionId, event::Event};

use crate::{
    Partitions,
    driver::{Counts, Driver},
};

impl Partitions {
    /// Proposes an event without waiting for inbox capacity.
    pub fn propose_now(&self, to: PartitionId, event: Event) {
        self.inboxes()[usize::from(to.0)].force_event(event);
    }

    /// Takes the messages from other partitions that this one has not applied yet, for the
    /// simulator, which changes them to show that its checks can fail.
    pub fn take_peer_events(&self, partition: usize) -> Vec<Event> {
        let mut taken = Vec::new();
        self.inboxes()[partition].put(|lanes| taken = lanes.peers.take_all());
        taken
    }

    /// Puts such messages back.
    pub fn put_peer_events(&self, partition: usize, events: Vec<Event>) {
        self.inboxes()[partition].put(|lanes| lanes.peers.put_all(events));
    }

    /// Queues messages that were asked for by sender from now on, the last sender first, for the
    /// simulator, which shows that this is noticed.
    pub fn unsort_resent(&self, partition: usize) {
        self.inboxes()[partition].put(|lanes| lanes.peers.unsort());
    }

    /// Number of events from edges that a partition has not taken yet, for the simulator's counts.
    pub fn waiting_events(&self, partition: usize) -> usize {
        let mut waiting = 0;
        self.inboxes()[partition].put(|lanes| waiting = lanes.events_waiting());
        waiting
    }

    /// Forgets free capacity that was announced together with a refusal, for the simulator, which
    /// shows that this is noticed.
    pub fn forget_room_with_refusal(&self, partition: usize) {
        self.inboxes()[partition].put(|lanes| {
            if !lanes.notices.refused.is_empty() {
                lanes.notices.wanted.clear();
            }
        });
    }
}

impl Driver {
    /// Whether events from edges are held back until the overlay has shrunk.
    pub fn is_overloaded(&self) -> bool {
        self.is_holding()
    }

    /// How often the partition has reached its bounds since it started.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}
