//! Something is done to invocations: one, some, or all that a filter selects.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    batch::Order,
    change::Work,
    ids::{BATCH_MAX, Ids},
    preview::Preview,
    report::Report,
};
use crate::{
    client::{Client, ClientError},
    error::Error,
    output::sheet::counted,
    printer::print_json,
    sql_text::one_of,
    terminal::{confirm, is_to_terminal, remark, say},
};

/// How long a batch that has been sent is waited for after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// Does it, and reports what came of it.
pub(super) async fn run(work: Work<'_>) -> Result<(), Error> {
    let client = Client::new(work.how.server.admin.clone());
    let operation = work.order.operation;
    let is_json = work.how.layout.is_json(is_to_terminal());
    let selection = work.selection()?;
    let key = selection.as_ref().and_then(|selection| operation.key(selection));
    let order = Order { key, ..work.order };
    let named = Ids::given(&work.chosen.ids);
    let (mut ids, what) = match &selection {
        None if work.how.dry_run => {
            let is_named = one_of("id", &work.chosen.ids);
            let preview = Preview::of(&client, operation, &is_named, None).await?;
            return show(&preview.among(named.count()), is_json);
        }
        None => {
            let what = counted(named.count(), "invocation", "invocations");
            (named, what)
        }
        Some(selection) => {
            let condition = selection.condition();
            let preview = Preview::of(&client, operation, &condition, work.chosen.limit).await?;
            if work.how.dry_run {
                return show(&preview, is_json);
            }
            let what = preview.words();
            let newest = preview.newest.unwrap_or_default();
            (Ids::selected(condition, newest, preview.matched), what)
        }
    };
    let is_asked = operation.is_destructive() || selection.is_some();
    if is_asked && ids.count() > 0 {
        let question = format!("Really {} {what} at {}?", operation.name(), client.url());
        confirm(&question, work.how.yes)?;
    }
    let mut report = Report::new(operation, ids.count());
    let progress = progress(ids.count());
    let end = carry_out(&client, order, &mut ids, &mut report, &progress).await;
    progress.finish_and_clear();
    if end.is_ok() || report.tried() > 0 {
        if is_json { print_json(&report)? } else { say(&report.sheet().text())? }
    }
    end?;
    match report.not_done() {
        0 => Ok(()),
        not_done => Err(Error::Incomplete { not_done, tried: report.tried() }),
    }
}

/// Sends one batch after the other.
async fn carry_out(
    client: &Client,
    order: Order<'_>,
    ids: &mut Ids,
    report: &mut Report,
    progress: &ProgressBar,
) -> Result<(), Error> {
    let mut interrupt = Interrupt::new()?;
    loop {
        let batch = tokio::select! {
            biased;
            () = interrupt.came() => return Err(Error::Interrupted),
            batch = ids.next(client) => batch?,
        };
        let Some(batch) = batch else { return Ok(()) };
        let answer = tokio::select! {
            answer = order.send(client, &batch) => answer,
            () = interrupt.came_long_ago() => {
                report.add_unknown(&batch);
                return Err(Error::Interrupted);
            }
        };
        match answer {
            Ok(batched) => report.add(&batched),
            Err(error) => {
                if !is_refused_as_a_whole(&error) {
                    report.add_unknown(&batch);
                }
                return Err(error.into());
            }
        }
        progress.inc(batch.len() as u64);
    }
}

/// Whether a request was so wrong that none of it was done.
fn is_refused_as_a_whole(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(refusal) if refusal.status.is_client_error())
}

/// Ctrl-C. What has been sent is still waited for, so that the report says what became of it.
struct Interrupt {
    signals: Signal,
    has_come: bool,
}

impl Interrupt {
    fn new() -> Result<Self, Error> {
        let signals = signal(SignalKind::interrupt()).map_err(Error::Start)?;
        Ok(Self { signals, has_come: false })
    }

    async fn came(&mut self) {
        if !self.has_come {
            self.signals.recv().await;
            self.has_come = true;
        }
    }

    async fn came_long_ago(&mut self) {
        self.came().await;
        remark("Waiting for what has been sent.");
        tokio::time::sleep(GRACE).await;
    }
}

fn show(preview: &Preview, is_json: bool) -> Result<(), Error> {
    if is_json {
        return print_json(preview);
    }
    Ok(say(&format!("{}; nothing was done\n", preview.sentence()))?)
}

/// A bar on standard error, if that is a terminal and there is more than a moment's work.
fn progress(count: u64) -> ProgressBar {
    if count <= BATCH_MAX as u64 {
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::with_draw_target(Some(count), ProgressDrawTarget::stderr());
    let template = "{bar:40} {human_pos} of {human_len}, {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => progress.with_style(style),
        // The usual style says the same.
        Err(_) => progress,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{client::served, commands::invocations::operation::Operation};

    /// A server that gives these answers. Returns the ids that it was sent.
    fn server(answers: Vec<Option<(u16, Value)>>) -> (Client, impl FnOnce() -> Vec<Vec<String>>) {
        let (client, served) = served::server(answers);
        let ids = |(_, body): (String, Value)| {
            serde_json::from_value(body["invocation_ids"].clone()).unwrap()
        };
        (client, move || served.join().unwrap().into_iter().map(ids).collect())
    }

    fn ids(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|at| format!("inv_{at}")).collect()
    }

    fn succeeded(range: std::ops::Range<usize>) -> Option<(u16, Value)> {
        Some((200, json!({ "succeeded": ids(range), "failed": [] })))
    }

    async fn kill(client: &Client, count: usize) -> (Result<(), Error>, Report) {
        let operation = Operation::Kill;
        let order = Order { operation, deployment: None, from: None, reason: None, key: None };
        let mut report = Report::new(Operation::Kill, count as u64);
        let mut all = Ids::given(&ids(0..count));
        let hidden = ProgressBar::hidden();
        let end = carry_out(client, order, &mut all, &mut report, &hidden).await;
        (end, report)
    }

    #[tokio::test]
    async fn each_id_is_sent_once() {
        let (client, served) = server(vec![
            succeeded(0..1000),
            succeeded(1000..2000),
            Some((
                200,
                json!({
                    "succeeded": [],
                    "failed": [{ "invocation_id": "inv_2000", "error": "too late" }],
                }),
            )),
        ]);
        let (end, report) = kill(&client, 2001).await;
        end.unwrap();
        assert_eq!(served(), [ids(0..1000), ids(1000..2000), ids(2000..2001)]);
        assert_eq!((report.tried(), report.not_done()), (2001, 1));
    }

    #[tokio::test]
    async fn a_server_that_dies_leaves_one_batch_unknown_and_the_rest_untried() {
        let (client, served) = server(vec![succeeded(0..1000), None]);
        let (end, report) = kill(&client, 3000).await;
        assert!(matches!(end, Err(Error::Client(ClientError::Unreachable { .. }))), "{end:?}");
        assert_eq!(served(), [ids(0..1000), ids(1000..2000)]);
        assert_eq!((report.tried(), report.not_done()), (2000, 1000));
        assert!(report.sheet().text().contains("perhaps done to 1,000"));
    }

    #[tokio::test]
    async fn a_request_that_is_refused_as_a_whole_has_done_nothing() {
        let refusal = json!({ "message": "'reason' has 2000 bytes", "restate_code": null });
        let (client, served) = server(vec![Some((400, refusal))]);
        let (end, report) = kill(&client, 5).await;
        assert_eq!(end.unwrap_err().to_string(), "'reason' has 2000 bytes");
        assert_eq!(served(), [ids(0..5)]);
        assert_eq!(report.tried(), 0);
    }
}
