//! What happened to invocations beside their journals: attempts that failed, pauses, resumptions.

use protocol::InvocationId;
use runtime_core::tables::Tables;

use crate::{
    View,
    invocation::of_invocations,
    page::{Budget, Cursor, Page},
};

pub use runtime_core::model::incident::{Happened, Incident};

/// Reads the incidents of an invocation, in order.
#[derive(Debug, Clone)]
pub struct List {
    /// The invocation that they belong to.
    pub invocation: InvocationId,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<Incident>;

    fn read(self, tables: &Tables<'_>) -> Page<Incident> {
        let Some(lsn) = tables.invocation_lsn(self.invocation) else { return Page::empty() };
        let walk = tables.walk_incidents_of(lsn, self.after.as_ref().map(Cursor::key), self.budget);
        Page::of(walk, |_, (_, incident)| incident)
    }
}

/// Reads the incidents of all invocations, in the order in which these were created.
#[derive(Debug, Clone)]
pub struct All {
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for All {
    type Output = Page<(InvocationId, Incident)>;

    fn read(self, tables: &Tables<'_>) -> Self::Output {
        let walk = tables.walk_incidents(self.after.as_ref().map(Cursor::key), self.budget);
        of_invocations(tables, walk, |(lsn, _, incident)| (lsn, incident))
    }
}
