//! What each journal command does to the partition, one command per module. The entry itself is
//! already in the journal; completions created here directly follow it.

mod answer;
mod attach;
mod awakeable;
mod call;
mod output;
mod promise;
pub(crate) mod proposed;
mod run;
mod send;
mod signal;
mod sleep;
mod state;

use protocol::journal::{Command, NotificationKind};

use crate::{
    context::Context,
    model::{ids::Lsn, invocation::Callee},
    time::Timestamp,
};

/// Applies a command. This is the only place that matches on the kind of command. `due` is the time
/// that the command names, converted to our clock; format 1 used the SDK's time as it was.
pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    command: &Command,
    callee: Option<&Callee>,
    due: Option<Timestamp>,
) {
    match command {
        Command::Input { .. } => {
            panic!("{:?}: the Attempt should have rejected a second Input", cx.lsn)
        }
        Command::Output { .. } => output::apply(cx, lsn),
        Command::GetLazyState { key, completion } => state::get(cx, lsn, key, *completion),
        Command::SetState { key, value } => state::set(cx, lsn, key, value),
        Command::ClearState { key } => state::clear(cx, lsn, key),
        Command::ClearAllState => state::clear_all(cx, lsn),
        Command::GetLazyStateKeys { completion } => state::keys(cx, lsn, *completion),
        // The SDK answered these itself, from the state that was sent with the attempt.
        Command::GetEagerState { .. } | Command::GetEagerStateKeys { .. } => (),
        Command::GetPromise { key, completion } => promise::get(cx, lsn, key, *completion),
        Command::PeekPromise { key, completion } => promise::peek(cx, lsn, key, *completion),
        Command::CompletePromise { key, result, completion } => {
            promise::complete(cx, lsn, key, result, *completion);
        }
        Command::Sleep { wake_up_time_ms, completion } => {
            let due = due.unwrap_or(Timestamp(*wake_up_time_ms));
            sleep::apply(cx, lsn, due, *completion);
        }
        Command::Call { request, invocation_id_completion, result_completion } => {
            let completions = (*invocation_id_completion, *result_completion);
            call::apply(cx, lsn, request, completions, callee);
        }
        Command::OneWayCall { request, invoke_time_ms, invocation_id_completion } => {
            let start_at = due.unwrap_or(Timestamp(*invoke_time_ms));
            send::apply(cx, lsn, request, start_at, *invocation_id_completion, callee);
        }
        Command::SendSignal { target, signal, result } => {
            signal::apply(cx, target, signal, result);
        }
        Command::Run { completion } => run::apply(cx, lsn, *completion),
        Command::AttachInvocation { target, completion } => {
            attach::apply(cx, lsn, target, *completion, NotificationKind::AttachInvocation);
        }
        Command::GetInvocationOutput { target, completion } => {
            attach::apply(cx, lsn, target, *completion, NotificationKind::GetInvocationOutput);
        }
        Command::CompleteAwakeable { id, result } => awakeable::apply(cx, id, result),
    }
}
