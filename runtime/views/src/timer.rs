//! Timers: what is to happen at a time.

use protocol::{InvocationId, journal::CompletionId};
use runtime_core::{tables::Tables, time::Timestamp};

use crate::{
    View, invocation,
    page::{Budget, Cursor, Page},
};

pub use runtime_core::model::timer::Timer as Kind;

/// A timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// When it fires.
    pub at: Timestamp,
    /// The invocation it is for.
    pub invocation: InvocationId,
    /// What it does.
    pub kind: Kind,
    /// Which of its sleeps is over then.
    pub completion: Option<CompletionId>,
}

/// Looks at all timers, the next to fire first.
#[derive(Debug, Clone)]
pub struct List {
    /// Where to go on.
    pub after: Option<Cursor>,
    /// How much may be read.
    pub budget: Budget,
}

impl View for List {
    type Seen = Page<Timer>;

    fn see(self, tables: &Tables<'_>) -> Page<Timer> {
        let walk = tables.walk_timers(self.after.as_ref().map(Cursor::key), self.budget);
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
