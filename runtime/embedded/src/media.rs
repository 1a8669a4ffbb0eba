//! What outlives a node: the log's disk and the partitions' tables, in memory.

use runtime_log::sim_disk::SimDisk;
use runtime_store::sim_backend::SimBackend;

use crate::random::Random;

/// The media of a node. Clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Media<D = SimDisk> {
    /// The log's disk.
    pub disk: D,
    /// The tables, one for each partition.
    pub tables: Vec<SimBackend>,
}

impl<D: Default> Media<D> {
    /// Empty media for so many partitions.
    pub fn new(partitions: usize) -> Self {
        let tables = (0..partitions).map(|_| SimBackend::default()).collect();
        Self { disk: D::default(), tables }
    }
}

impl<D> Media<D> {
    /// Nothing more is written to the tables: a database that is dropped would tidy up, which one that
    /// crashes can't.
    pub fn close_tables(&self) {
        self.tables.iter().for_each(|tables| tables.fail_at(0));
    }

    /// What a loss of power leaves of the tables.
    pub fn torn_tables(&self, random: &mut Random) -> Vec<SimBackend> {
        let tables = self.tables.iter();
        tables.map(|tables| tables.crash(|bound| random.below(bound))).collect()
    }
}

impl Media {
    /// What a loss of power leaves.
    #[must_use]
    pub fn lose_power(&self, random: &mut Random) -> Self {
        let disk = self.disk.crash(|bound| random.below(bound));
        Self { disk, tables: self.torn_tables(random) }
    }
}
