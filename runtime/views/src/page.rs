//! Reads lists one bounded page at a time. Each page ends with a cursor, which is a key and not an
//! offset. So a page costs only what it shows, and changes between two pages never move a row from
//! one to the other.

use std::fmt;

use runtime_core::tables::walk::Walk;

pub use runtime_core::tables::walk::{Budget, Within};

/// What one turn found of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C = Cursor> {
    /// In key order.
    pub rows: Vec<T>,
    /// The cursor after which there may be more rows. `None` at the end of the list.
    pub rest_after: Option<C>,
}

/// A position in a list: the key of a row, which may have been removed since. Opaque to clients.
/// Used with another list, it yields no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    /// Parses the text form of a cursor.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes().chunks_exact(2);
        if text.is_empty() || !digits.remainder().is_empty() {
            return None;
        }
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?);
        digits.map(byte).collect::<Option<_>>().map(Self)
    }

    pub(crate) fn of(key: &[u8]) -> Self {
        Self(key.to_vec())
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.0
    }
}

/// The text form, for clients to keep.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<T> Page<T> {
    /// The page of a list that does not exist.
    pub(crate) fn empty() -> Self {
        Self { rows: Vec::new(), rest_after: None }
    }

    /// Collects the rows of a walk, each converted by `show`. Other rows that `show` reads have to
    /// be counted on the walk.
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

impl<T> Page<T> {
    /// Collects the rows of a walk; those that are the same and follow each other become one, with
    /// their number.
    pub(crate) fn of_runs<R>(
        mut walk: Walk<'_, R>,
        is_same: impl Fn(&R, &R) -> bool,
        show: impl Fn(R, u64) -> T,
    ) -> Self {
        let (mut rows, mut run) = (Vec::new(), None);
        for row in walk.by_ref() {
            run = match run {
                Some((known, count)) if is_same(&known, &row) => Some((known, count + 1)),
                Some((known, count)) => {
                    rows.push(show(known, count));
                    Some((row, 1))
                }
                None => Some((row, 1)),
            };
        }
        rows.extend(run.map(|(known, count)| show(known, count)));
        Self { rows, rest_after: walk.rest_after().map(|key| Cursor(key.to_vec())) }
    }
}

impl<T, C> Page<T, C> {
    /// Collects rows that are already in memory, each with its key.
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
