//! A list, a bounded piece at a time: each page says where the next begins. By key and not by number, so a
//! page costs what it shows, and what comes and goes between two pages moves nothing from one to another.

use std::fmt;

use runtime_core::tables::walk::Walk;

pub use runtime_core::tables::walk::{Budget, Within};

/// What a list has found in one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C = Cursor> {
    /// In the order of their keys.
    pub rows: Vec<T>,
    /// After which place there may be more; `None` at the end.
    pub rest_after: Option<C>,
}

/// A place in a list: the key of a row, which may have gone since. It has no meaning to whoever holds it,
/// and in another list there is nothing after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    /// The place that this is the text of.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes().chunks_exact(2);
        if text.is_empty() || !digits.remainder().is_empty() {
            return None;
        }
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?);
        digits.map(byte).collect::<Option<_>>().map(Self)
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.0
    }
}

/// Its text, for whoever keeps it.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<T> Page<T> {
    /// Of a list that is not there.
    pub(crate) fn empty() -> Self {
        Self { rows: Vec::new(), rest_after: None }
    }

    /// What a walk finds, each row as `show` has it. Rows that it reads beside are counted with the walk.
    pub(crate) fn of<R>(
        mut walk: Walk<'_, R>,
        mut show: impl FnMut(&mut Walk<'_, R>, R) -> T,
    ) -> Self {
        let mut rows = Vec::new();
        while let Some(row) = walk.next() {
            rows.push(show(&mut walk, row));
        }
        Self { rows, rest_after: walk.rest_after().map(|key| Cursor(key.to_vec())) }
    }
}

impl<T, C> Page<T, C> {
    /// Of rows that are in memory as they are, each with its key.
    pub(crate) fn of_known(
        known: impl Iterator<Item = (C, T)>,
        budget: Budget,
        bytes_of: impl Fn(&T) -> usize,
    ) -> Self {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for (key, row) in known {
            bytes += bytes_of(&row);
            rows.push(row);
            if rows.len() >= budget.rows_max || bytes >= budget.bytes_max {
                return Self { rows, rest_after: Some(key) };
            }
        }
        Self { rows, rest_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_again_by_its_text() {
        let place = Cursor(vec![7, 0, 1, 255]);
        assert_eq!(place.to_string(), "070001ff");
        assert_eq!(Cursor::parse("070001ff"), Some(place));
        for text in ["", "0", "070", "0g", "é", "+1", "07 0"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
