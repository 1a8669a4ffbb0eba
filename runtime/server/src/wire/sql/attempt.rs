//! Attempts: those that failed, then those that are under way.

use protocol::InvocationId;
use runtime_core::model::invocation::{Invocation as Row, StatusKind};
use runtime_views::{
    incident::{All, Happened, Incident, List},
    invocation::{Detail, Filter, Select, Selected},
};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::{Attempt, Failed},
};

use super::{Snapshot, budget, cursor, invocation::command_type, of_each, page};

/// What the cursors of attempts under way begin with.
const RUNNING: &str = "running:";

impl Scan<Attempt> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Attempt>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Attempt>, Unavailable> {
        let ids = self.ids(partition, wanted.filter.ids.as_ref());
        let in_running = after.and_then(|cursor| cursor.0.strip_prefix(RUNNING));
        if let Some(after) = in_running {
            let after = (!after.is_empty()).then(|| Cursor(after.to_owned()));
            let found = self.running(partition, ids, after.as_ref(), limit)?;
            let rest_after = found.rest_after.map(|rest| Cursor(format!("{RUNNING}{}", rest.0)));
            return Ok(Page { rest_after, ..found });
        }
        let found = self.failed(partition, ids.as_deref(), after, limit)?;
        let next = (!wanted.filter.failed).then(|| Cursor(RUNNING.to_owned()));
        Ok(Page { rest_after: found.rest_after.or(next), ..found })
    }
}

impl Snapshot {
    fn failed(
        &self,
        partition: u16,
        ids: Option<&[InvocationId]>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Attempt>, Unavailable> {
        let Some(ids) = ids else {
            let all = All { after: cursor(after), budget: budget(limit) };
            let found = self.read(partition, all)?;
            return Ok(attempts(page(found, |(id, incident)| failed(id, incident))));
        };
        of_each(ids, after, |invocation, after| {
            let list = List { invocation, after, budget: budget(limit) };
            let found = page(self.read(partition, list)?, |incident| failed(invocation, incident));
            Ok(attempts(found))
        })
    }

    fn running(
        &self,
        partition: u16,
        ids: Option<Vec<InvocationId>>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Attempt>, Unavailable> {
        let select = Select {
            filter: Filter { ids, statuses: Some(vec![StatusKind::Running]), ..Filter::ALL },
            detail: Detail::Row,
            order: None,
            after: cursor(after),
            budget: budget(limit),
        };
        let found = page(self.read(partition, select)?, |found| found);
        let records = found.records.into_iter().filter_map(|found| match found {
            Selected::Row(_, row) if row.status.kind() == StatusKind::Running => {
                Some(running(*row))
            }
            Selected::Row(..) | Selected::Tally(..) | Selected::Object(..) => None,
        });
        Ok(Page { records: records.collect(), counts: None, rest_after: found.rest_after })
    }
}

/// The attempts among incidents.
fn attempts(found: Page<Option<Attempt>>) -> Page<Attempt> {
    let Page { records, counts, rest_after } = found;
    Page { records: records.into_iter().flatten().collect(), counts, rest_after }
}

fn failed(id: InvocationId, incident: Incident) -> Option<Attempt> {
    let Happened::AttemptFailed { started_at, deployment, failure } = incident.what else {
        return None;
    };
    let command = failure.related_command;
    Some(Attempt {
        partition_key: id.partition_key.0,
        invocation: id.to_string(),
        deployment: deployment.map(|id| id.to_string()),
        started_at: started_at.0,
        journal_len: incident.journal_len,
        failed: Some(Failed {
            at: incident.at.0,
            code: failure.code,
            error_code: failure.error_code,
            message: failure.message,
            stacktrace: failure.stacktrace,
            command_index: command.as_ref().and_then(|command| command.index),
            command_type: command.as_ref().and_then(|command| command.ty).map(command_type),
            command_name: command.and_then(|command| command.name),
        }),
    })
}

fn running(row: Row) -> Attempt {
    Attempt {
        partition_key: row.id.partition_key.0,
        invocation: row.id.to_string(),
        deployment: row.pin.map(|pin| pin.deployment.to_string()),
        started_at: row.modified_at.0,
        journal_len: row.journal_len,
        failed: None,
    }
}
