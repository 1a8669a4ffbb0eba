//! Journal entries as JSON, in the shape in which comparable servers write them: the class of the
//! entry, its type, its fields.

use protocol::{
    journal::{
        Command, NamedCommand, Notification, NotificationId, NotificationKind, NotificationResult,
    },
    wire::MessageType,
};
use runtime_core::registry::RegistrySnapshot;
use runtime_views::journal::Content;

use super::json::Json;
use super::parts::{Detail, Field, Parts, number, object};

/// An entry of some type as JSON.
pub(super) fn text(
    ty: MessageType,
    content: &Content,
    detail: Detail,
    registry: &RegistrySnapshot,
) -> Option<String> {
    let mut parts = Parts::new(detail, registry);
    let json = match (content, detail) {
        (Content::Command(named), _) => {
            Json::variant("Command", Json::variant(ty.short_name(), command(&mut parts, named)))
        }
        (Content::Notification(it), Detail::Full) => {
            Json::variant("Notification", notification(&mut parts, it))
        }
        (Content::Notification(it), Detail::Lite) => {
            Json::variant("Notification", lite_notification(&mut parts, it))
        }
    };
    serde_json::to_string(&json).ok()
}

fn command<'a>(parts: &mut Parts<'_>, named: &'a NamedCommand) -> Json<'a> {
    let name = ("name", parts.name(&named.name));
    object(fields(parts, &named.command).into_iter().chain([name]))
}

fn fields<'a>(parts: &mut Parts<'_>, command: &'a Command) -> Vec<Field<'a>> {
    match command {
        Command::Input { headers, value } => {
            vec![("headers", parts.headers(headers)), ("payload", parts.value(value))]
        }
        Command::Output { result } => vec![("result", parts.outcome(result))],
        Command::GetLazyState { key, completion } => {
            vec![("key", parts.key(key)), ("completion_id", number(*completion))]
        }
        Command::SetState { key, value } => {
            vec![("key", parts.key(key)), ("value", parts.value(value))]
        }
        Command::ClearState { key } => vec![("key", parts.key(key))],
        Command::ClearAllState => Vec::new(),
        Command::GetLazyStateKeys { completion } | Command::Run { completion } => {
            vec![("completion_id", number(*completion))]
        }
        Command::GetEagerState { key, value } => {
            vec![("key", parts.key(key)), ("result", Some(parts.state(value.as_ref())))]
        }
        Command::GetEagerStateKeys { keys } => vec![("state_keys", parts.state_keys(keys))],
        Command::GetPromise { key, completion } | Command::PeekPromise { key, completion } => {
            vec![("key", parts.text(key)), ("completion_id", number(*completion))]
        }
        Command::CompletePromise { key, result, completion } => vec![
            ("key", parts.text(key)),
            ("value", parts.outcome(result)),
            ("completion_id", number(*completion)),
        ],
        Command::Sleep { wake_up_time_ms, completion } => {
            vec![("wake_up_time", number(*wake_up_time_ms)), ("completion_id", number(*completion))]
        }
        Command::Call { request, invocation_id_completion, result_completion } => vec![
            parts.request(request),
            ("invocation_id_completion_id", number(*invocation_id_completion)),
            ("result_completion_id", number(*result_completion)),
        ],
        Command::OneWayCall { request, invoke_time_ms, invocation_id_completion } => vec![
            parts.request(request),
            ("invoke_time", number(*invoke_time_ms)),
            ("invocation_id_completion_id", number(*invocation_id_completion)),
        ],
        Command::SendSignal { target, signal, result } => vec![
            ("target_invocation_id", parts.text(target)),
            ("signal_id", Some(parts.signal(signal, ["Index", "Name"]))),
            ("result", Some(parts.result(result))),
        ],
        Command::AttachInvocation { target, completion }
        | Command::GetInvocationOutput { target, completion } => {
            vec![("target", Some(parts.invocation(target))), ("completion_id", number(*completion))]
        }
        Command::CompleteAwakeable { id, result } => {
            vec![("id", parts.text(id)), ("result", parts.outcome(result))]
        }
    }
}

fn notification<'a>(parts: &mut Parts<'_>, it: &'a Notification) -> Json<'a> {
    let result = match &it.result {
        NotificationResult::InvocationId(id) => ("invocation_id", parts.text(id)),
        NotificationResult::StateKeys(keys) => ("state_keys", parts.state_keys(keys)),
        NotificationResult::Void if it.kind == NotificationKind::Sleep => ("result", None),
        NotificationResult::Void
        | NotificationResult::Value(_)
        | NotificationResult::Failure(_) => ("result", Some(parts.result(&it.result))),
    };
    match &it.id {
        NotificationId::Completion(id) => {
            let fields = object([("completion_id", number(*id)), result]);
            Json::variant("Completion", Json::variant(it.kind.name(), fields))
        }
        NotificationId::Signal(id) => {
            let id = Some(parts.signal(id, ["Index", "Name"]));
            Json::variant("Signal", object([("id", id), result]))
        }
    }
}

/// Unlike commands, all have the same fields.
fn lite_notification<'a>(parts: &mut Parts<'_>, it: &'a Notification) -> Json<'a> {
    let (ty, id) = match &it.id {
        NotificationId::Completion(id) => (
            Json::variant("Completion", Json::word(it.kind.name())),
            Json::variant("CompletionId", Json::Number((*id).into())),
        ),
        NotificationId::Signal(id) => {
            (Json::word("Signal"), parts.signal(id, ["SignalIndex", "SignalName"]))
        }
    };
    let result = parts.result(&it.result);
    object([("ty", Some(ty)), ("id", Some(id)), ("result", Some(result))])
}
