//! Which command of a handler an awaited result belongs to.

use std::collections::HashMap;

use protocol::{
    InvocationId, Target,
    journal::{
        Command, CompletionId, EntryIndex, InvocationTarget, Notification, NotificationResult,
    },
    wire,
};
use runtime_core::{
    Lsn,
    tables::{Tables, completion::CompletionState},
};

/// How many of the newest entries of a journal are read to find a command. What a handler awaits is
/// among its latest commands, unless it has left it alone for long.
const ENTRIES_MAX: EntryIndex = 4096;

/// What a command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The name of its promise, the target of its call, the invocation that it attaches to, or the
    /// name that the handler gave it.
    pub name: Option<String>,
    /// The invocation that it waits for, once that is known.
    pub invocation: Option<InvocationId>,
}

/// The commands that these results of an invocation belong to, as far as its journal still has them.
pub(crate) fn of(
    tables: &Tables<'_>,
    lsn: Lsn,
    journal_len: EntryIndex,
    wanted: &[CompletionId],
) -> HashMap<CompletionId, Origin> {
    let mut found = HashMap::new();
    for index in (journal_len.saturating_sub(ENTRIES_MAX)..journal_len).rev() {
        if found.len() == wanted.len() {
            break;
        }
        let Some(entry) = tables.journal_entry(lsn, index) else { continue };
        if entry.entry.ty.is_notification() {
            continue;
        }
        // What this version cannot read, it has no name for.
        let Ok(named) = wire::command::decode(&entry.entry) else { continue };
        let given = Some(named.name).filter(|name| !name.is_empty());
        if let Some((completion, origin)) = origin(tables, lsn, named.command, given)
            && wanted.contains(&completion)
        {
            found.insert(completion, origin);
        }
    }
    found
}

fn origin(
    tables: &Tables<'_>,
    lsn: Lsn,
    command: Command,
    given: Option<String>,
) -> Option<(CompletionId, Origin)> {
    let named = |name: Option<String>| Origin { name, invocation: None };
    Some(match command {
        Command::GetPromise { key, completion }
        | Command::PeekPromise { key, completion }
        | Command::CompletePromise { key, completion, .. } => (completion, named(Some(key))),
        Command::Call { request, invocation_id_completion, result_completion } => {
            let target = Target::new(request.service, request.key, request.handler);
            let invocation = callee(tables, lsn, invocation_id_completion);
            (result_completion, Origin { name: Some(target.to_string()), invocation })
        }
        Command::OneWayCall { request, invocation_id_completion, .. } => {
            let target = Target::new(request.service, request.key, request.handler);
            (invocation_id_completion, named(Some(target.to_string())))
        }
        Command::AttachInvocation { target, completion }
        | Command::GetInvocationOutput { target, completion } => (completion, attached(target)),
        Command::GetLazyState { key, completion } => {
            (completion, named(String::from_utf8(key.to_vec()).ok()))
        }
        Command::Sleep { completion, .. }
        | Command::Run { completion }
        | Command::GetLazyStateKeys { completion } => (completion, named(given)),
        Command::Input { .. }
        | Command::Output { .. }
        | Command::SetState { .. }
        | Command::ClearState { .. }
        | Command::ClearAllState
        | Command::GetEagerState { .. }
        | Command::GetEagerStateKeys { .. }
        | Command::SendSignal { .. }
        | Command::CompleteAwakeable { .. } => return None,
    })
}

/// The invocation that a call has started.
fn callee(tables: &Tables<'_>, lsn: Lsn, completion: CompletionId) -> Option<InvocationId> {
    let CompletionState::Done(delivery) = tables.completion(lsn, completion)? else { return None };
    let entry = tables.journal_entry(lsn, delivery.index)?;
    let Notification { result, .. } = wire::notification::decode(&entry.entry).ok()?;
    let NotificationResult::InvocationId(id) = result else { return None };
    id.parse().ok()
}

fn attached(target: InvocationTarget) -> Origin {
    match target {
        InvocationTarget::Id(id) => Origin { invocation: id.parse().ok(), name: Some(id) },
        InvocationTarget::Idempotent { service, key, handler, .. } => {
            let target = Target::new(service, key, handler);
            Origin { name: Some(target.to_string()), invocation: None }
        }
        InvocationTarget::Workflow { name, key, .. } => {
            Origin { name: Some(format!("{name}/{key}")), invocation: None }
        }
    }
}
