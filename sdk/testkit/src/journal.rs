//! The journal of an invocation as text.

use bytes::Bytes;
use protocol::{
    InvocationId, TerminalFailure,
    journal::{
        Command, Entry, NotificationId, NotificationResult,
        notification::{CANCEL_SIGNAL, SignalId},
    },
    wire,
};
use runtime_embedded::EmbeddedNode;

/// One line per entry; empty if the invocation is unknown.
pub(crate) fn lines(node: &mut EmbeddedNode, invocation_id: &str) -> Vec<String> {
    let Ok(id) = invocation_id.parse::<InvocationId>() else { return Vec::new() };
    let owner = usize::from(node.partitions().owner(id.partition_key).0);
    let entries = node.tables(owner, |tables| {
        let lsn = tables.invocation_lsn(id)?;
        let invocation = tables.invocation(lsn)?;
        Some(tables.journal(lsn, invocation.journal_len))
    });
    entries.unwrap_or_default().iter().map(line).collect()
}

fn line(entry: &Entry) -> String {
    if entry.ty.is_command() {
        match wire::command::decode(entry) {
            Ok(named) if named.name.is_empty() => command(&named.command),
            Ok(named) => format!("{} '{}'", command(&named.command), named.name),
            Err(error) => format!("unreadable command: {error}"),
        }
    } else {
        match wire::notification::decode(entry) {
            Ok(notification) => {
                format!("  {} = {}", subject(&notification.id), result(&notification.result))
            }
            Err(error) => format!("  unreadable notification: {error}"),
        }
    }
}

fn command(command: &Command) -> String {
    match command {
        Command::Input { value, .. } => format!("Input {}", text(value)),
        Command::Output { result: Ok(value) } => format!("Output {}", text(value)),
        Command::Output { result: Err(failure) } => format!("Output failure {failure}"),
        Command::SetState { key, value } => format!("SetState {} = {}", text(key), text(value)),
        Command::Run { completion } => format!("Run {completion}"),
        // Omits the time, which differs between runs of a test.
        Command::Sleep { completion, .. } => format!("Sleep {completion}"),
        Command::Call { request, result_completion, .. } => format!(
            "Call {result_completion} {}/{} {}",
            request.service,
            request.handler,
            text(&request.parameter)
        ),
        Command::OneWayCall { request, .. } => {
            format!("Send {}/{} {}", request.service, request.handler, text(&request.parameter))
        }
        Command::GetLazyState { key, completion } => format!("GetState {completion} {}", text(key)),
        Command::GetEagerState { key, value } => {
            format!(
                "GetState {} = {}",
                text(key),
                value.as_deref().map_or_else(|| "none".to_owned(), text)
            )
        }
        Command::GetLazyStateKeys { completion } => format!("GetStateKeys {completion}"),
        Command::GetEagerStateKeys { keys } => format!("GetStateKeys = {}", list(keys)),
        Command::ClearState { key } => format!("ClearState {}", text(key)),
        Command::ClearAllState => "ClearAllState".to_owned(),
        Command::GetPromise { key, completion } => format!("GetPromise {completion} {key}"),
        Command::PeekPromise { key, completion } => format!("PeekPromise {completion} {key}"),
        Command::CompletePromise { key, result, completion } => {
            format!("CompletePromise {completion} {key} = {}", outcome(result))
        }
        Command::SendSignal { signal, result: sent, .. } => {
            format!("SendSignal {} = {}", name(signal), result(sent))
        }
        Command::AttachInvocation { completion, .. } => format!("Attach {completion}"),
        Command::GetInvocationOutput { completion, .. } => format!("GetOutput {completion}"),
        Command::CompleteAwakeable { result, .. } => {
            format!("CompleteAwakeable = {}", outcome(result))
        }
    }
}

fn subject(id: &NotificationId) -> String {
    match id {
        NotificationId::Completion(number) => number.to_string(),
        NotificationId::Signal(signal) => name(signal),
    }
}

fn name(signal: &SignalId) -> String {
    match signal {
        SignalId::Index(CANCEL_SIGNAL) => "cancel".to_owned(),
        SignalId::Index(number) => format!("signal {number}"),
        SignalId::Name(name) => format!("signal '{name}'"),
    }
}

fn outcome(result: &Result<Bytes, TerminalFailure>) -> String {
    match result {
        Ok(value) => text(value),
        Err(failure) => format!("failure {failure}"),
    }
}

fn list(keys: &[Bytes]) -> String {
    keys.iter().map(|key| text(key)).collect::<Vec<_>>().join(", ")
}

fn result(result: &NotificationResult) -> String {
    match result {
        NotificationResult::Void => "done".to_owned(),
        NotificationResult::Value(value) => text(value),
        NotificationResult::Failure(failure) => format!("failure {failure}"),
        // Ids are random and differ between runs of a test.
        NotificationResult::InvocationId(_) => "an invocation".to_owned(),
        NotificationResult::StateKeys(keys) => list(keys),
    }
}

fn text(bytes: &[u8]) -> String {
    match bytes {
        [] => "nothing".to_owned(),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    }
}
