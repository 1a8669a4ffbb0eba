//! What is known about an invocation, at a glance.

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    args::{LayoutFlags, ServerFlags},
    client::{Client, ClientError},
    commands::{moments::dated, why},
    error::Error,
    output::sheet::{Sheet, counted},
    printer::{fetch, print_json},
    sql_text::literal,
    terminal::{is_to_terminal, say},
};

/// How many of the latest attempts and journal entries are shown.
const ATTEMPTS_SHOWN: usize = 5;
const ENTRIES_SHOWN: usize = 10;

/// Which invocation.
#[derive(Debug, clap::Args)]
pub struct Describe {
    /// Its id, inv_….
    id: String,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

/// What a sheet needs of an invocation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Invocation {
    id: String,
    target: String,
    status: String,
    modified_at: Option<String>,
    created_at: Option<String>,
    now: Option<String>,
    invoked_by: Option<String>,
    invoked_by_target: Option<String>,
    invoked_by_id: Option<String>,
    idempotency_key: Option<String>,
    pinned_deployment_id: Option<String>,
    endpoint: Option<String>,
    journal_size: Option<u64>,
    retry_count: Option<u64>,
    scheduled_start_at: Option<String>,
    next_retry_at: Option<String>,
    last_failure: Option<String>,
    restarted_from: Option<String>,
    paused_at: Option<String>,
    paused_by: Option<String>,
    pause_reason: Option<String>,
    paused_waiting_for: Option<String>,
    completion_result: Option<String>,
    completion_failure: Option<String>,
    expires_at: Option<String>,
}

/// The statements that are asked.
struct Statements {
    invocation: String,
    waits: String,
    attempts: String,
    events: String,
    journal: String,
}

impl Statements {
    fn about(id: &str) -> Self {
        let id = literal(id);
        Self {
            invocation: format!(
                "select i.id, i.target, i.status, i.modified_at, i.created_at, now() as now, \
                 i.invoked_by, i.invoked_by_target, i.invoked_by_id, i.idempotency_key, \
                 i.pinned_deployment_id, d.endpoint, \
                 i.journal_size, i.retry_count, i.scheduled_start_at, i.next_retry_at, \
                 i.last_failure, i.completion_result, i.completion_failure, i.expires_at, \
                 i.restarted_from, i.paused_at, i.paused_by, i.pause_reason, \
                 i.paused_waiting_for \
                 from sys_invocation i \
                 left join sys_deployment d on d.id = i.pinned_deployment_id \
                 where i.id = {id}"
            ),
            waits: format!(
                "select kind, name, until, waits_for_id \
                 from sys_wait where id = {id} order by until, completion_id"
            ),
            attempts: format!(
                "select started_at, outcome, duration_ms, deployment_id, failure \
                 from sys_attempt where id = {id} order by started_at desc limit {ATTEMPTS_SHOWN}"
            ),
            events: format!(
                "select appended_at, event_type, after_journal_entry_index as after_entry, \
                 event_json ->> 'operator' as operator, \
                 event_json ->> 'reason' as reason, \
                 coalesce(event_json ->> 'invocation', \
                 event_json ->> 'deployment') as what \
                 from sys_journal_events where id = {id} and event_type <> 'TransientError' \
                 order by appended_at"
            ),
            journal: format!(
                "select * from (select index, appended_at, entry_type, name, \
                 coalesce(failure, invoked_target, promise_name, substr(value_utf8, 1, 80)) as what \
                 from sys_journal where id = {id} order by index desc limit {ENTRIES_SHOWN}) \
                 order by index"
            ),
        }
    }
}

pub(super) async fn describe(flags: &Describe) -> Result<(), Error> {
    let client = Client::new(flags.server.admin.clone());
    let statements = Statements::about(&flags.id);
    let found: Vec<Value> = fetch(&client, &statements.invocation).await?;
    let invocation = found.into_iter().next().ok_or_else(|| Error::NotFound {
        what: "invocation",
        name: flags.id.clone(),
        whereabouts: "abide invocations list shows them, and what has completed is removed after a \
                      while",
    })?;
    let is_over = invocation.get("status").is_some_and(|status| status == "completed");
    let why = if is_over { None } else { why::waits_of(&client, &flags.id).await? };
    if flags.layout.is_json(is_to_terminal()) {
        return print_json(&json!({
            "invocation": invocation,
            "waits": fetch::<Value>(&client, &statements.waits).await?,
            "why": why.map(|(answer, _)| answer),
            "attempts": fetch::<Value>(&client, &statements.attempts).await?,
            "events": fetch::<Value>(&client, &statements.events).await?,
            "journal": fetch::<Value>(&client, &statements.journal).await?,
        }));
    }
    let invocation: Invocation = client.read(invocation)?;
    let mut sheet = overview(&invocation);
    let entries = counted(invocation.journal_size.unwrap_or_default(), "entry", "entries");
    if let Some((_, lines)) = why {
        sheet.section("Waits for");
        lines.lines().for_each(|line| sheet.item(line));
    }
    let sections = [
        ("Latest attempts".to_owned(), &statements.attempts),
        ("What else happened".to_owned(), &statements.events),
        (format!("Journal of {entries}, the newest last"), &statements.journal),
    ];
    for (title, statement) in sections {
        let (schema, rows) = collect(&client, statement).await?;
        if rows.iter().any(|batch| batch.num_rows() > 0) {
            sheet.section(&title);
            sheet.table(&schema, &rows)?;
        }
    }
    Ok(say(&sheet.text())?)
}

async fn collect(
    client: &Client,
    statement: &str,
) -> Result<(SchemaRef, Vec<RecordBatch>), ClientError> {
    let mut rows = client.query(statement).await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await? {
        batches.push(batch);
    }
    Ok((rows.schema().clone(), batches))
}

/// What comes before the tables. What an invocation does not have is left out.
fn overview(of: &Invocation) -> Sheet {
    let mut sheet = Sheet::about(&of.id);
    sheet.field("target", &of.target);
    let now = of.now.as_deref();
    let since = of.modified_at.as_deref().map(|at| format!(" since {}", dated(at, now)));
    sheet.field("status", &format!("{}{}", of.status, since.unwrap_or_default()));
    sheet.field_if("result", of.completion_result.as_deref());
    sheet.field_if("failure", of.completion_failure.as_deref());
    sheet.field_if("created", of.created_at.as_deref().map(|at| dated(at, now)));
    let caller = [&of.invoked_by, &of.invoked_by_target, &of.invoked_by_id];
    let caller: Vec<&str> = caller.into_iter().flatten().map(String::as_str).collect();
    sheet.field_if("by", (!caller.is_empty()).then(|| caller.join(" ")));
    sheet.field_if("restart of", of.restarted_from.as_deref());
    sheet.field_if("idempotency", of.idempotency_key.as_deref());
    let deployment = of.pinned_deployment_id.as_ref().map(|id| match &of.endpoint {
        Some(endpoint) => format!("{id} at {endpoint}"),
        None => format!("{id}, which is no longer registered"),
    });
    sheet.field_if("deployment", deployment);
    sheet.field_if("starts", of.scheduled_start_at.as_deref().map(|at| dated(at, now)));
    sheet.field_if("attempts", of.retry_count.filter(|it| *it > 0).map(|it| it.to_string()));
    sheet.field_if("retry at", of.next_retry_at.as_deref().map(|at| dated(at, now)));
    sheet.field_if("paused", pause(of));
    sheet.field_if("waited for", of.paused_waiting_for.as_deref());
    sheet.field_if("last failure", of.last_failure.as_deref());
    sheet.field_if("kept until", of.expires_at.as_deref().map(|at| dated(at, now)));
    sheet
}

/// Who paused it, and why. A running one is only asked to suspend.
fn pause(of: &Invocation) -> Option<String> {
    of.paused_at.as_ref()?;
    let asked = if of.status == "paused" { "" } else { "asked for, " };
    Some(match (&of.paused_by, &of.pause_reason) {
        (Some(operator), Some(reason)) => format!("{asked}by {operator}: {reason}"),
        (Some(operator), None) => format!("{asked}by {operator}"),
        (None, _) => format!("{asked}by its last failure"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_shows_what_it_has() {
        let invocation = Invocation {
            id: "inv_1".to_owned(),
            target: "Cart/c-1/add".to_owned(),
            status: "backing-off".to_owned(),
            modified_at: Some("2026-01-01T10:00:00Z".to_owned()),
            now: Some("2026-01-01T11:30:20Z".to_owned()),
            pinned_deployment_id: Some("dp_1".to_owned()),
            retry_count: Some(3),
            next_retry_at: Some("2026-01-01T11:30:30.5Z".to_owned()),
            last_failure: Some("[500] no\u{1b}[2J\n  at a".to_owned()),
            ..Invocation::default()
        };
        let shown = concat!(
            "inv_1\n",
            "  target       Cart/c-1/add\n",
            "  status       backing-off since 2026-01-01T10:00:00Z (1h 30m ago)\n",
            "  deployment   dp_1, which is no longer registered\n",
            "  attempts     3\n",
            "  retry at     2026-01-01T11:30:30.5Z (in 10s)\n",
            "  last failure [500] no\\x1b[2J\n",
            "                 at a\n",
        );
        assert_eq!(overview(&invocation).text(), shown);
    }

    #[test]
    fn a_pause_says_whose_it_is_and_what_was_waited_for() {
        let mut invocation = Invocation {
            status: "paused".to_owned(),
            paused_at: Some("2026-01-01T10:00:00Z".to_owned()),
            paused_by: Some("ada".to_owned()),
            pause_reason: Some("too hot".to_owned()),
            paused_waiting_for: Some("completion 3".to_owned()),
            ..Invocation::default()
        };
        let shown = overview(&invocation).text();
        assert!(shown.contains("paused       by ada: too hot\n"), "{shown}");
        assert!(shown.contains("waited for   completion 3\n"), "{shown}");
        invocation.status = "running".to_owned();
        assert_eq!(pause(&invocation).unwrap(), "asked for, by ada: too hot");
        (invocation.paused_by, invocation.pause_reason) = (None, None);
        assert_eq!(pause(&invocation).unwrap(), "asked for, by its last failure");
    }

    #[test]
    fn ids_are_literals() {
        let statements = Statements::about("x' or ''='");
        for statement in [statements.invocation, statements.events, statements.journal] {
            assert!(statement.contains("id = 'x'' or ''''='''"), "{statement}");
        }
    }
}
