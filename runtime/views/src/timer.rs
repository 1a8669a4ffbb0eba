//! Timers: what is due at a given time.

use protocol::{InvocationId, journal::CompletionId};
use runtime_core::{
    tables::{Order, Tables},
    time::Timestamp,
};

use crate::{
    View, invocation,
    page::{Budget, Cursor, Page},
};

pub use runtime_core::model::timer::Timer as Kind;

/// A timer that has not fired yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// When it fires.
    pub at: Timestamp,
    /// The invocation it is for.
    pub invocation: InvocationId,
    /// What happens when it fires.
    pub kind: Kind,
    /// For a sleep, the completion that it resolves.
    pub completion: Option<CompletionId>,
}

/// Reads all timers, ordered by when they fire.
#[derive(Debug, Clone)]
pub struct List {
    /// From the next one to fire on, or from the last one on.
    pub order: Order,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<Timer>;

    fn read(self, tables: &Tables<'_>) -> Page<Timer> {
        let walk =
            tables.walk_timers(self.order, self.after.as_ref().map(Cursor::key), self.budget);
        Page::of(walk, |walk, (key, kind)| {
            let (waiting, bytes) = invocation::row_named(tables, key.invocation);
            walk.count(bytes);
            let completion = match kind {
                Kind::Sleep => Some(key.completion),
                Kind::Start | Kind::Retry => None,
            };
            Timer { at: key.at, invocation: waiting.id, kind, completion }
        })
    }
}
