//! What the audit keeps of a change that may be of any size.

/// How many bytes the audit keeps of one change.
const KEPT_BYTES_MAX: usize = 16 << 10;
/// How many entries, since small ones take more than their bytes.
const KEPT_ENTRIES_MAX: usize = 128;

/// The parts of a change, as many as the audit has space for.
pub(crate) struct Kept<T> {
    /// These.
    pub(crate) entries: Vec<T>,
    /// How many more there are.
    pub(crate) omitted: u64,
    bytes: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), omitted: 0, bytes: 0 }
    }
}

impl<T> Kept<T> {
    /// Keeps a part of so many bytes, or counts it.
    pub(crate) fn note(&mut self, entry: T, bytes: usize) {
        if self.entries.len() < KEPT_ENTRIES_MAX && self.bytes + bytes <= KEPT_BYTES_MAX {
            self.bytes += bytes;
            self.entries.push(entry);
        } else {
            self.omitted += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.omitted == 0
    }
}
