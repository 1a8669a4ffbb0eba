//! The embedded node as the simulator runs it: on media that fail, with optional sabotage, and
//! counting what each crash put at risk.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use runtime_core::{PartitionId, event::Event};
use runtime_embedded::{EmbeddedNode, Random, VirtualClock};
use runtime_partition::{Settings, driver::Counts};

use crate::{
    followers::{self, Copy, Holders},
    limits::Sabotage,
    media::{Media, TrickedDisk},
    sabotage,
    stats::{Fault, Stats},
};

/// A running node, with its media and followers.
pub struct SimNode {
    node: EmbeddedNode<TrickedDisk>,
    media: Media,
    copy: Arc<Copy>,
    holders: Holders,
}

impl SimNode {
    /// Recovers a node from its media.
    ///
    /// # Errors
    /// Returns an error if recovery fails, which in a simulation is always a fault.
    pub fn recover(
        media: Media,
        clock: &Arc<VirtualClock>,
        settings: Settings,
        sabotage: Option<Sabotage>,
    ) -> Result<Self, String> {
        let is_recovering = !media.is_new();
        media.set_deaf(is_recovering && sabotage == Some(Sabotage::RecoveryWithoutSync));
        let copy = Arc::<Copy>::default();
        let observer = Some(Arc::clone(&copy) as _);
        let plain = media.plain.clone();
        let node = EmbeddedNode::recover_with(plain, clock, settings, observer, |log| {
            media.set_deaf(false);
            sabotage::log(log, sabotage)
        });
        media.set_deaf(false);
        let holders = Holders::default();
        let mut node = Self { node: node?, media, copy: Arc::clone(&copy), holders };
        copy.begin(&mut node);
        Ok(node)
    }

    /// Starts a reader that holds rows.
    pub(crate) fn hold(&mut self) {
        self.holders.begin(self.node.partitions());
    }

    /// Checks whether waiting readers have their rows.
    pub(crate) fn listen_to_holders(&mut self) -> Result<(), String> {
        self.holders.listen(&self.copy)
    }

    /// Compares what followers have with the node's rows, unless these cannot be read: the process
    /// would end.
    pub(crate) fn check_followers(&mut self, stats: &mut Stats) -> Result<(), String> {
        if self.media.have_tables_failed() {
            return Ok(());
        }
        self.holders.finish(&self.copy, stats)?;
        let copy = Arc::clone(&self.copy);
        followers::compare(self, &copy, stats)
    }

    /// The media underneath the node.
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Whether a partition's overlay is so full that it holds back events from the edges, and
    /// whether any such event is waiting.
    pub fn holds_back(&mut self, partition: usize) -> (bool, bool) {
        let is_overloaded = self.node.is_overloaded(partition);
        (is_overloaded, self.partitions().waiting_events(partition) > 0)
    }

    /// How often a partition has reached its bounds since it started.
    pub fn counts(&mut self, partition: usize) -> Counts {
        self.node.counts(partition)
    }

    /// Whether messages from other partitions wait for a partition's turn.
    pub fn has_peer_events(&mut self, partition: usize) -> bool {
        let events = self.partitions().take_peer_events(partition);
        let has_events = !events.is_empty();
        self.partitions().put_peer_events(partition, events);
        has_events
    }

    /// Drops all messages that partitions have sent each other and not yet received; returns how
    /// many.
    pub fn lose_messages(&mut self) -> usize {
        let mut lost = 0;
        self.tamper_peers(|_, _, events| {
            let before = events.len();
            events.retain(|event| !matches!(event, Event::MessageReceived { .. }));
            lost += before - events.len();
        });
        lost
    }

    /// Requests a resend from every partition to every other one.
    pub fn resend_all(&self) {
        let all = || (0..self.partitions().count()).map(PartitionId);
        for (from, to) in all().flat_map(|from| all().map(move |to| (from, to))) {
            if from != to {
                self.partitions().resend(from, to);
            }
        }
    }

    /// Modifies the messages that partitions have sent each other and not yet received.
    pub fn tamper_peers(&mut self, mut change: impl FnMut(&mut Self, usize, &mut Vec<Event>)) {
        for partition in 0..self.count() {
            let mut events = self.partitions().take_peer_events(partition);
            change(self, partition, &mut events);
            self.partitions().put_peer_events(partition, events);
        }
    }

    /// Returns the media as a power loss leaves them, and counts what it put at risk.
    pub fn lose_power(self, random: &mut Random, stats: &mut Stats) -> Media {
        self.count_refusals(stats);
        let left = self.media.lose_power(random, stats);
        self.media.plain.close_tables();
        left
    }

    /// Returns the media as a killed process leaves them: everything written survives, synced or
    /// not.
    pub fn kill(self, stats: &mut Stats) -> Media {
        self.count_refusals(stats);
        let left = self.media.keep();
        self.media.plain.close_tables();
        left
    }

    fn count_refusals(&self, stats: &mut Stats) {
        let starts = self.node.starts();
        stats.add_many(Fault::StartRefused, starts.offered, starts.refused);
    }
}

impl Deref for SimNode {
    type Target = EmbeddedNode<TrickedDisk>;

    fn deref(&self) -> &Self::Target {
        &self.node
    }
}

impl DerefMut for SimNode {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.node
    }
}
