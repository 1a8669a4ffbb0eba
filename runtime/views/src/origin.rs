//! Which command of a handler an awaited result belongs to.

use std::collections::HashMap;

use protocol::{
    InvocationId, Target,
    ids::Derivation,
    journal::{
        Command, CompletionId, Entry, EntryIndex, InvocationTarget, Notification,
        NotificationResult,
    },
    wire,
};
use runtime_core::{
    Lsn, admission,
    tables::{Tables, completion::CompletionState},
};

/// How many of the newest entries of a journal are read to find a command. What a handler awaits is
/// among its latest commands, unless it has left it alone for long.
const ENTRIES_MAX: EntryIndex = 4096;
/// How many bytes of them are read; the last one may exceed it.
const BYTES_MAX: usize = 4 << 20;

/// What a command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The name of its promise, the target of its call, the invocation that it attaches to, or the
    /// name that the handler gave it.
    pub name: Option<String>,
    /// The invocation that it waits for, once that is known.
    pub invocation: Option<InvocationId>,
}

/// The commands that these results of an invocation belong to, as far as its journal still has them
/// and they are not too far back in it. With `derivation`, named invocations are found, too.
pub(crate) fn of(
    tables: &Tables<'_>,
    lsn: Lsn,
    journal_len: EntryIndex,
    wanted: &[CompletionId],
    derivation: Option<Derivation>,
) -> HashMap<CompletionId, Origin> {
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return found;
    }
    // What is too far back has no name.
    let _ = latest(tables, lsn, journal_len, ENTRIES_MAX, |entry| {
        let asked = wire::command::completions(entry);
        if asked.into_iter().flatten().any(|id| wanted.contains(&id)) {
            let (completion, origin) = of_command(tables, lsn, derivation, entry)?;
            found.insert(completion, origin);
        }
        (found.len() == wanted.len()).then_some(())
    });
    found
}

/// There is more of a journal than may be read in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// Passes the commands of an invocation, the latest first, until one is what is looked for.
///
/// # Errors
/// Returns an error if there are more entries than may be read.
pub(crate) fn latest<T>(
    tables: &Tables<'_>,
    lsn: Lsn,
    journal_len: EntryIndex,
    entries_max: EntryIndex,
    mut look: impl FnMut(&Entry) -> Option<T>,
) -> Result<Option<T>, TooMuch> {
    let mut bytes = 0;
    for index in (0..journal_len).rev() {
        if bytes >= BYTES_MAX || journal_len - index > entries_max {
            return Err(TooMuch);
        }
        let Some(entry) = tables.journal_entry(lsn, index) else { continue };
        bytes += entry.entry.body.len();
        if entry.entry.ty.is_notification() {
            continue;
        }
        if let Some(found) = look(&entry.entry) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The result that a command asks for, and what it is about.
pub(crate) fn of_command(
    tables: &Tables<'_>,
    lsn: Lsn,
    derivation: Option<Derivation>,
    entry: &Entry,
) -> Option<(CompletionId, Origin)> {
    // What this version cannot read, it has no name for.
    let decoded = wire::command::decode(entry).ok()?;
    let (command, given) = (decoded.command, decoded.name);
    let given = Some(given).filter(|name| !name.is_empty());
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
        | Command::GetInvocationOutput { target, completion } => {
            (completion, attached(derivation, target))
        }
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

fn attached(derivation: Option<Derivation>, target: InvocationTarget) -> Origin {
    let derived = derivation.and_then(|derivation| admission::named(derivation, &target));
    match target {
        InvocationTarget::Id(id) => Origin { invocation: id.parse().ok(), name: Some(id) },
        InvocationTarget::Idempotent { service, key, handler, .. } => {
            let target = Target::new(service, key, handler);
            Origin { name: Some(target.to_string()), invocation: derived }
        }
        InvocationTarget::Workflow { name, key, .. } => {
            Origin { name: Some(format!("{name}/{key}")), invocation: derived }
        }
    }
}
