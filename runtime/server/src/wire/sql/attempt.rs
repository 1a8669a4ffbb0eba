//! Attempts: those that failed, then those that are under way.

use protocol::InvocationId;
use runtime_core::{
    model::invocation::{AttemptFailure, Invocation as Row, StatusKind},
    time::Timestamp,
};
use runtime_views::{
    incident::{Happened, Incident},
    invocation::{Detail, Filter, Select, Selected},
};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::{Attempt, Failed},
};

use super::{Snapshot, budget, cursor, invocation::command_type, page};

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
        let found = self.incidents(partition, ids.as_deref(), after, limit)?;
        let records = found.records.into_iter().filter_map(of_incident).collect();
        let rest_after = found.rest_after.or_else(|| Some(Cursor(RUNNING.to_owned())));
        Ok(Page { records, counts: None, rest_after })
    }
}

impl Snapshot {
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
            Selected::Row(created, row) if row.status.kind() == StatusKind::Running => {
                Some(running(self.last_deployment(partition, created, &row), *row))
            }
            Selected::Row(..) | Selected::Tally(..) | Selected::Object(..) => None,
        });
        Ok(Page { records: records.collect(), counts: None, rest_after: found.rest_after })
    }
}

/// The attempt of an incident, if it is one that failed.
fn of_incident((id, incident): (InvocationId, Incident)) -> Option<Attempt> {
    let Happened::AttemptFailed { started_at, deployment, failure } = incident.what else {
        return None;
    };
    Some(Attempt {
        partition_key: id.partition_key.0,
        invocation: id.to_string(),
        deployment: deployment.map(|id| id.to_string()),
        started_at: started_at.0,
        journal_len: incident.journal_len,
        failed: Some(failed(incident.at, failure)),
    })
}

/// A failure, and when it happened.
pub(super) fn failed(at: Timestamp, failure: AttemptFailure) -> Failed {
    let command = failure.related_command;
    Failed {
        at: at.0,
        code: failure.code,
        error_code: failure.error_code,
        message: failure.message,
        stacktrace: failure.stacktrace,
        command_index: command.as_ref().and_then(|command| command.index),
        command_type: command.as_ref().and_then(|command| command.ty).map(command_type),
        command_name: command.and_then(|command| command.name),
    }
}

fn running(deployment: Option<String>, row: Row) -> Attempt {
    Attempt {
        partition_key: row.id.partition_key.0,
        invocation: row.id.to_string(),
        deployment,
        started_at: row.modified_at.0,
        journal_len: row.journal_len,
        failed: None,
    }
}
