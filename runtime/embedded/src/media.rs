//! What outlives a node: the log's disk and the partitions' tables, in memory.

use runtime_log::sim_disk::SimDisk;
use runtime_store::sim_backend::SimBackend;

use crate::random::Random;

/// The media of a node. Clones share their content.
#[derive(Debug, Clone, Default)]
pub struct Media<D = SimDisk> {
    /// The log's disk.
    pub disk: D,
    /// The tables of each partition, by number.
    pub tables: Vec<SimBackend>,
}

impl<D: Default> Media<D> {
    /// Empty media for this many partitions.
    pub fn new(partitions: usize) -> Self {
        let tables = (0..partitions).map(|_| SimBackend::default()).collect();
        Self { disk: D::default(), tables }
    }
}

impl<D> Media<D> {
    /// Blocks all further writes to the tables: a database that is dropped would clean up, which
    /// one that crashes cannot.
    pub fn close_tables(&self) {
        self.tables.iter().for_each(|tables| tables.fail_at(0));
    }

    /// What a power loss leaves of the tables.
    pub fn torn_tables(&self, random: &mut Random) -> Vec<SimBackend> {
        let tables = self.tables.iter();
        tables.map(|tables| tables.crash(|bound| random.below(bound))).collect()
    }
}

impl Media {
    /// What a power loss leaves of the media.
    #[must_use]
    pub fn lose_power(&self, random: &mut Random) -> Self {
        let disk = self.disk.crash(|bound| random.below(bound));
        Self { disk, tables: self.torn_tables(random) }
    }
}
