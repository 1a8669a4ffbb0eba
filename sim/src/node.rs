//! The embedded node as the simulator runs it: on media that fail, with parts left out, and with what
//! each crash found at risk.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use runtime_core::{PartitionId, event::Event};
use runtime_embedded::{EmbeddedNode, Random, VirtualClock};
use runtime_partition::Settings;

use crate::{
    followers::{self, Copy, Holders},
    limits::Sabotage,
    media::{Media, TrickedDisk},
    sabotage,
    stats::{Fault, Stats},
};

/// A node that runs.
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
    /// When it cannot be recovered: in a simulation that is always a fault.
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

    /// Somebody wants rows to hold.
    pub(crate) fn hold(&mut self) {
        self.holders.begin(self.node.partitions());
    }

    /// Looks whether those who wait for rows have some.
    pub(crate) fn listen_to_holders(&mut self) -> Result<(), String> {
        self.holders.listen(&self.copy)
    }

    /// Compares what followers have with what is there.
    pub(crate) fn check_followers(&mut self, stats: &mut Stats) -> Result<(), String> {
        self.holders.finish(&self.copy, stats)?;
        let copy = Arc::clone(&self.copy);
        followers::compare(self, &copy, stats)
    }

    /// What it stands on, and how that can fail.
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Whether a partition holds events of edges back until its overlay has shrunk; and whether there
    /// is one to hold back.
    pub fn holds_back(&mut self, partition: usize) -> (bool, bool) {
        let is_overloaded = self.node.is_overloaded(partition);
        (is_overloaded, self.partitions().waiting_events(partition) > 0)
    }

    /// Whether messages of other partitions wait for a partition's turn.
    pub fn has_peer_events(&mut self, partition: usize) -> bool {
        let events = self.partitions().take_peer_events(partition);
        let has_events = !events.is_empty();
        self.partitions().put_peer_events(partition, events);
        has_events
    }

    /// Loses what partitions have sent each other and not yet taken; how much that was.
    pub fn lose_messages(&mut self) -> usize {
        let mut lost = 0;
        self.tamper_peers(|_, _, events| {
            let before = events.len();
            events.retain(|event| !matches!(event, Event::MessageReceived { .. }));
            lost += before - events.len();
        });
        lost
    }

    /// Asks for everything again that may have been lost.
    pub fn resend_all(&self) {
        let all = || (0..self.partitions().count()).map(PartitionId);
        for (from, to) in all().flat_map(|from| all().map(move |to| (from, to))) {
            if from != to {
                self.partitions().resend(from, to);
            }
        }
    }

    /// Changes what partitions have sent each other and not yet taken.
    pub fn tamper_peers(&mut self, mut change: impl FnMut(&mut Self, usize, &mut Vec<Event>)) {
        for partition in 0..self.count() {
            let mut events = self.partitions().take_peer_events(partition);
            change(self, partition, &mut events);
            self.partitions().put_peer_events(partition, events);
        }
    }

    /// What is left when everything stops at once; counts what it found at risk.
    pub fn lose_power(self, random: &mut Random, stats: &mut Stats) -> Media {
        self.count_refusals(stats);
        let left = self.media.lose_power(random, stats);
        self.media.plain.close_tables();
        left
    }

    /// What is left when the process is killed: what it wrote is there, synced or not.
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
