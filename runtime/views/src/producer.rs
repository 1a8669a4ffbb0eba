//! Producers, and the position up to which each has been ingested.

use runtime_core::{model::producer::Position, tables::Tables};

use crate::View;

/// Reads the last position that a partition has accepted from a producer. `None` before the first.
#[derive(Debug, Clone)]
pub struct One(pub String);

impl View for One {
    type Output = Option<Position>;

    fn read(self, tables: &Tables<'_>) -> Option<Position> {
        tables.position(&self.0)
    }
}
