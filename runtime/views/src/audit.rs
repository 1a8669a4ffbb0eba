//! The audit: what operators have asked for, and what became of it.

use runtime_core::tables::{Order, Tables};

use crate::{
    View,
    page::{Budget, Cursor, Page},
};

pub use runtime_core::model::{
    operation::{Audited, Operation, Outcome, Restart},
    operator::Operator,
    registry_change::{
        AuditedChange, ChangeOutcome, ChangedFact, FactValue, RegistryVerb, Stranded,
    },
    state_edit::{AuditedEdit, ChangedEntry, EditOutcome, Sample, StateSummary},
};
pub use runtime_core::tables::audit::AuditEntry;

/// Reads the audit.
#[derive(Debug, Clone)]
pub struct List {
    /// From the first entry on, or from the last one on.
    pub order: Order,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<AuditEntry>;

    fn read(self, tables: &Tables<'_>) -> Page<AuditEntry> {
        let after = self.after.as_ref().map(Cursor::key);
        Page::of(tables.walk_audit((after, self.order), self.budget), |_, (_, entry)| entry)
    }
}
