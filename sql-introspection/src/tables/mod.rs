//! The tables, one file for those over the same records.

pub mod absent;
pub mod attempt;
pub mod audit;
pub mod event;
pub mod invocation;
pub mod journal;
pub mod object;
pub mod promise;
pub mod registry;
pub mod state;
pub(crate) mod usage;
pub mod waiting;
pub mod why;

use std::sync::Arc;

use datafusion::catalog::TableProvider;

use crate::{
    scan::TableSource,
    source::{Record, Rows, Scan},
    table::{Description, Table},
};

pub use attempt::{Attempt, Failed};
pub use audit::Audited;
pub use event::Event;
pub use invocation::{Failure, Invocation, InvocationFilter, InvokedBy, Pause, Status};
pub use journal::{JournalEntry, OfInvocations};
pub use object::{InvocationEntry, Lock, ObjectFilter};
pub use promise::Promise;
pub use registry::{Deployment, PinnedCounts, Service};
pub use state::State;
pub use waiting::{Timer, Wait};
pub use why::WhyLink;

/// All tables, in the order in which a person would look at them.
pub(crate) fn all() -> Vec<(Description, Arc<dyn TableProvider>)> {
    let mut all = vec![
        with_rows(invocation::sys_invocation()),
        with_rows(state::state()),
        with_rows(journal::sys_journal()),
        with_rows(invocation::sys_status()),
        with_rows(waiting::sys_wait()),
        with_rows(why::sys_why()),
        with_rows(attempt::sys_attempt()),
        with_rows(event::sys_journal_events()),
        with_rows(audit::sys_audit()),
        with_rows(registry::sys_service()),
        with_rows(registry::sys_deployment()),
        with_rows(object::sys_keyed_service_status()),
        with_rows(object::sys_inbox()),
        with_rows(promise::sys_promise()),
        with_rows(waiting::sys_timer()),
        with_rows(object::sys_locks()),
        with_rows(invocation::sys_invocation_status()),
        with_rows(invocation::sys_invocation_state()),
    ];
    all.extend(absent::all());
    all
}

fn with_rows<R: Record>(table: Table<R>) -> (Description, Arc<dyn TableProvider>)
where
    dyn Rows: Scan<R>,
{
    (table.description(), Arc::new(TableSource::new(table)))
}
