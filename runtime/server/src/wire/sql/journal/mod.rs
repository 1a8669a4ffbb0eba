//! Journals.

mod entry_json;
mod json;
mod parts;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use protocol::{
    InvocationId,
    journal::{Command, NotificationResult, command::CallRequest},
};
use runtime_views::journal::{All, Content, Entry, List};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::{JournalEntry, journal::Part},
};

use self::parts::Detail;
use super::{Snapshot, budget, cursor, of_each, page};

impl Scan<JournalEntry> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<JournalEntry>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<JournalEntry>, Unavailable> {
        let Some(ids) = self.ids(partition, wanted.filter.ids.as_ref()) else {
            let all = All { after: cursor(after), budget: budget(limit) };
            let found = self.read(partition, all)?;
            return Ok(page(found, |(id, entry)| self.entry(id, entry, &wanted.parts)));
        };
        of_each(&ids, after, |invocation, after| {
            let list = List { invocation, after, budget: budget(limit) };
            let found = self.read(partition, list)?;
            Ok(page(found, |entry| self.entry(invocation, entry, &wanted.parts)))
        })
    }
}

impl Snapshot {
    fn entry(&self, id: InvocationId, entry: Entry, parts: &[Part]) -> JournalEntry {
        let ty = entry.stored.ty;
        let class = if ty.is_notification() { "Notification" } else { "Command" };
        let mut record = JournalEntry {
            partition_key: id.partition_key.0,
            invocation: id.to_string(),
            index: entry.index,
            entry_type: format!("{class}: {}", ty.short_name()),
            raw: entry.stored.body.clone(),
            appended_at: entry.at.0,
            ..JournalEntry::default()
        };
        // Of an entry that this version can't decode, its type and its bytes are there.
        let Ok(content) = entry.content() else { return record };
        let json = |part, detail| {
            let is_wanted = parts.contains(&part);
            is_wanted.then(|| entry_json::text(ty, &content, detail, &self.registry)).flatten()
        };
        record.json = json(Part::Json, Detail::Full);
        record.lite_json = json(Part::LiteJson, Detail::Lite);
        match content {
            Content::Command(named) => {
                record.name = (!named.name.is_empty()).then_some(named.name);
                fill_from_command(&mut record, named.command);
            }
            Content::Notification(notification) => {
                fill_from_result(&mut record, notification.result);
            }
        }
        record
    }
}

fn fill_from_command(record: &mut JournalEntry, command: Command) {
    match command {
        Command::Input { value, .. } => record.value = Some(value),
        Command::SetState { key, value } => {
            record.state_key = text(&key);
            record.value = Some(value);
        }
        Command::Output { result } => fill(record, result),
        Command::GetEagerState { key, value } => {
            record.state_key = text(&key);
            record.value = value;
        }
        Command::ClearState { key } | Command::GetLazyState { key, .. } => {
            record.state_key = text(&key);
        }
        Command::GetPromise { key, .. } | Command::PeekPromise { key, .. } => {
            record.promise_name = Some(key);
        }
        Command::CompletePromise { key, result, .. } => {
            record.promise_name = Some(key);
            fill(record, result);
        }
        Command::Sleep { wake_up_time_ms, .. } => record.sleep_wakeup_at = Some(wake_up_time_ms),
        Command::Call { request, .. } | Command::OneWayCall { request, .. } => {
            fill_from_call(record, request);
        }
        Command::SendSignal { target, result, .. } => {
            record.invoked_id = Some(target);
            fill_from_result(record, result);
        }
        Command::CompleteAwakeable { result, .. } => fill(record, result),
        Command::ClearAllState
        | Command::GetLazyStateKeys { .. }
        | Command::GetEagerStateKeys { .. }
        | Command::Run { .. }
        | Command::AttachInvocation { .. }
        | Command::GetInvocationOutput { .. } => (),
    }
}

fn text(key: &Bytes) -> Option<String> {
    String::from_utf8(key.to_vec()).ok()
}

fn fill_from_call(record: &mut JournalEntry, request: CallRequest) {
    let target = protocol::Target::new(request.service, request.key, request.handler);
    record.invoked_target = Some(target.to_string());
    record.value = Some(request.parameter);
}

fn fill_from_result(record: &mut JournalEntry, result: NotificationResult) {
    match result {
        NotificationResult::Void | NotificationResult::StateKeys(_) => (),
        NotificationResult::Value(value) => record.value = Some(value),
        NotificationResult::Failure(failure) => record.failure = Some(failure.to_string()),
        NotificationResult::InvocationId(id) => record.invoked_id = Some(id),
    }
}

fn fill(record: &mut JournalEntry, result: Result<Bytes, protocol::TerminalFailure>) {
    fill_from_result(record, result.into());
}
