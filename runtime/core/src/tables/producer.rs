//! Key: name of the producer. Row: the last position that this partition accepted from it.

use super::{Row, Table, Tables, row::expect_row};
use crate::model::producer::Position;

impl Tables<'_> {
    /// The last position accepted from a producer; `None` before the first.
    pub fn position(&self, producer: &str) -> Option<Position> {
        self.get(&key(producer)).map(|row| expect_row!(row, Position))
    }

    pub(crate) fn put_position(&mut self, producer: &str, position: Position) {
        self.put(key(producer), Row::Position(position));
    }
}

fn key(producer: &str) -> super::Key {
    Table::Producer.key().tail(producer.as_bytes()).done()
}
