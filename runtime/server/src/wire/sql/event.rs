//! What happened beside journals.

use protocol::InvocationId;
use runtime_views::{
    audit::Operator,
    incident::{All, Happened, Incident, List},
};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::{Event, event::What},
};

use super::{Snapshot, attempt, budget, cursor, of_each, page};

impl Scan<Event> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Event>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Event>, Unavailable> {
        let ids = self.ids(partition, wanted.filter.ids.as_ref());
        let found = self.incidents(partition, ids.as_deref(), after, limit)?;
        Ok(found.map(|(id, incident)| event(id, incident)))
    }
}

impl Snapshot {
    /// What happened to some invocations, or to all.
    pub(super) fn incidents(
        &self,
        partition: u16,
        ids: Option<&[InvocationId]>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<(InvocationId, Incident)>, Unavailable> {
        let Some(ids) = ids else {
            let all = All { after: cursor(after), budget: budget(limit) };
            return Ok(page(self.read(partition, all)?, |of| of));
        };
        of_each(ids, after, |invocation, after| {
            let list = List { invocation, after, budget: budget(limit) };
            Ok(page(self.read(partition, list)?, |incident| (invocation, incident)))
        })
    }
}

fn event(id: InvocationId, incident: Incident) -> Event {
    Event {
        partition_key: id.partition_key.0,
        invocation: id.to_string(),
        at: incident.at.0,
        journal_len: incident.journal_len,
        what: match incident.what {
            Happened::AttemptFailed { failure, .. } => {
                What::Failed(attempt::failed(incident.at, failure))
            }
            Happened::Paused { by } => What::Paused { by: by.map(named) },
            Happened::Resumed { by, onto } => {
                What::Resumed { by: named(by), onto: onto.map(|id| id.to_string()) }
            }
            Happened::CancelRequested { by } => What::CancelRequested { by: named(by) },
            Happened::Killed { by } => What::Killed { by: named(by) },
            Happened::RestartedAs { by, id } => {
                What::RestartedAs { by: named(by), invocation: id.to_string() }
            }
            Happened::RestartedFrom { by, id } => {
                What::RestartedFrom { by: named(by), invocation: id.to_string() }
            }
            Happened::StateEditQueued { by } => What::StateEditQueued { by: named(by) },
        },
    }
}

fn named(Operator { name, reason }: Operator) -> (String, Option<String>) {
    (name, reason)
}
