//! The latest changes, numbered from the first one on. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use runtime_views::change::Change;

/// What a listener is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// A change.
    Change(Arc<Change>),
    /// So many changes are no longer known; some of them may have been of interest.
    Missed(u64),
}

/// The latest changes.
pub(super) struct Latest {
    kept: VecDeque<(u64, Arc<Change>)>,
    bytes: usize,
    bytes_max: usize,
    /// The number of the next change.
    next: u64,
}

impl Latest {
    /// Keeps changes of up to `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { kept: VecDeque::new(), bytes: 0, bytes_max, next: 0 }
    }

    /// The number of the next change.
    pub(super) fn end(&self) -> u64 {
        self.next
    }

    /// Adds a change. The oldest ones make room for it.
    pub(super) fn push(&mut self, change: Change) {
        self.bytes += change.bytes();
        self.kept.push_back((self.next, Arc::new(change)));
        self.next += 1;
        while self.bytes > self.bytes_max
            && let Some((_, oldest)) = self.kept.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// Counts changes that were lost on the way.
    pub(super) fn skip(&mut self, count: u64) {
        self.next += count;
    }

    /// The first notice from `position` on that is wanted; moves `position` behind it.
    pub(super) fn after(
        &self,
        position: &mut u64,
        is_wanted: impl Fn(&Change) -> bool,
    ) -> Option<Notice> {
        let first = self.kept.partition_point(|(number, _)| number < position);
        for (number, change) in self.kept.range(first..) {
            if let Some(missed) = missed(position, *number) {
                return Some(missed);
            }
            *position = number + 1;
            if is_wanted(change) {
                return Some(Notice::Change(Arc::clone(change)));
            }
        }
        missed(position, self.next)
    }
}

/// Moves `position` to `next`; the notice that this needs, if any.
fn missed(position: &mut u64, next: u64) -> Option<Notice> {
    let count = next - std::mem::replace(position, next);
    (count > 0).then_some(Notice::Missed(count))
}
