//! Entries as JSON, word for word.

use bytes::Bytes;
use protocol::{
    ProtocolVersion, TerminalFailure,
    journal::{
        CallRequest, Command, Entry, InvocationTarget, NamedCommand, Notification, NotificationId,
        NotificationKind, NotificationResult, notification::SignalId,
    },
    wire,
};
use runtime_core::registry::{Defaults, RegistrySnapshot};
use runtime_views::journal::Content;

use super::entry_json;
use super::parts::Detail;

fn text(entry: &Entry, content: &Content, detail: Detail) -> String {
    let registry = RegistrySnapshot::new(Vec::new(), Defaults::default());
    entry_json::text(entry.ty, content, detail, &registry).unwrap()
}

/// A command in full and without its values.
fn command(name: &str, command: Command) -> (String, String) {
    let named = NamedCommand { name: name.to_owned(), command };
    let entry = wire::command::encode(&named, ProtocolVersion::V7);
    let content = Content::Command(named);
    (text(&entry, &content, Detail::Full), text(&entry, &content, Detail::Lite))
}

fn notification(
    kind: NotificationKind,
    id: NotificationId,
    result: NotificationResult,
) -> (String, String) {
    let it = Notification { kind, id, result };
    let entry = wire::notification::encode(&it, ProtocolVersion::V7);
    let content = Content::Notification(it);
    (text(&entry, &content, Detail::Full), text(&entry, &content, Detail::Lite))
}

#[track_caller]
fn assert_both((full, lite): (String, String), expected: [&str; 2]) {
    assert_eq!([full.as_str(), lite.as_str()], expected);
}

fn failure() -> TerminalFailure {
    let metadata = vec![("order".to_owned(), "o-1".to_owned())];
    TerminalFailure { metadata, ..TerminalFailure::new(409, "sold out") }
}

#[test]
fn values_are_bytes_and_credentials_are_masked() {
    let headers = vec![
        ("x-tenant".to_owned(), "blue".to_owned()),
        ("authorization".to_owned(), "Bearer s3cret".to_owned()),
    ];
    let input = Command::Input { headers, value: Bytes::from_static(b"\"a\"") };
    assert_both(
        command("", input),
        [
            r#"{"Command":{"Input":{"headers":[{"name":"x-tenant","value":"blue"},{"name":"authorization","value":"***"}],"payload":[34,97,34],"name":""}}}"#,
            r#"{"Command":{"Input":{}}}"#,
        ],
    );
    assert_both(
        command("", Command::SetState { key: "status".into(), value: "1".into() }),
        [
            r#"{"Command":{"SetState":{"key":"status","value":[49],"name":""}}}"#,
            r#"{"Command":{"SetState":{"key":"status"}}}"#,
        ],
    );
    assert_both(
        command("", Command::GetEagerState { key: vec![255].into(), value: None }),
        [
            r#"{"Command":{"GetEagerState":{"key":[255],"result":"Void","name":""}}}"#,
            r#"{"Command":{"GetEagerState":{"key":[255],"result":"Void"}}}"#,
        ],
    );
}

#[test]
fn calls_say_what_they_are_for() {
    let request = |key: &str| CallRequest {
        service: "Cart".to_owned(),
        handler: "add".to_owned(),
        key: key.to_owned(),
        parameter: "7".into(),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    };
    let call = Command::Call {
        request: request("c 1"),
        invocation_id_completion: 2,
        result_completion: 3,
    };
    assert_both(
        command("add it", call),
        [
            r#"{"Command":{"Call":{"request":{"invocation_target":{"VirtualObject":{"name":"Cart","key":"c 1","handler":"add","scope":null}},"parameter":[55],"headers":[],"idempotency_key":null},"invocation_id_completion_id":2,"result_completion_id":3,"name":"add it"}}}"#,
            r#"{"Command":{"Call":{"invocation_target":{"VirtualObject":{"name":"Cart","key":"c 1","handler":"add","scope":null}},"invocation_id_completion_id":2,"result_completion_id":3,"name":"add it"}}}"#,
        ],
    );
    let send = Command::OneWayCall {
        request: CallRequest { idempotency_key: Some("k".to_owned()), ..request("") },
        invoke_time_ms: 5,
        invocation_id_completion: 4,
    };
    assert_both(
        command("", send),
        [
            r#"{"Command":{"OneWayCall":{"request":{"invocation_target":{"Service":{"name":"Cart","handler":"add","scope":null}},"parameter":[55],"headers":[],"idempotency_key":"k"},"invoke_time":5,"invocation_id_completion_id":4,"name":""}}}"#,
            r#"{"Command":{"OneWayCall":{"invocation_target":{"Service":{"name":"Cart","handler":"add","scope":null}},"invoke_time":5,"invocation_id_completion_id":4}}}"#,
        ],
    );
    let target =
        InvocationTarget::Workflow { name: "Signup".to_owned(), key: "u1".to_owned(), scope: None };
    let (full, _) = command("", Command::AttachInvocation { target, completion: 6 });
    assert_eq!(
        full,
        r#"{"Command":{"AttachInvocation":{"target":{"Workflow":{"service_name":"Signup","key":"u1","scope":null}},"completion_id":6,"name":""}}}"#
    );
}

#[test]
fn results_are_variants() {
    assert_both(
        command("", Command::Output { result: Err(failure()) }),
        [
            r#"{"Command":{"Output":{"result":{"Failure":{"code":409,"message":"sold out","metadata":[{"key":"order","value":"o-1"}]}},"name":""}}}"#,
            r#"{"Command":{"Output":{"result":"Failure"}}}"#,
        ],
    );
    let signal = Command::SendSignal {
        target: "inv_1".to_owned(),
        signal: SignalId::Index(1),
        result: NotificationResult::Void,
    };
    assert_both(
        command("", signal),
        [
            r#"{"Command":{"SendSignal":{"target_invocation_id":"inv_1","signal_id":{"Index":1},"result":"Void","name":""}}}"#,
            r#"{"Command":{"SendSignal":{"target_invocation_id":"inv_1","signal_id":{"Index":1},"result":"Void"}}}"#,
        ],
    );
}

#[test]
fn notifications_say_what_they_complete() {
    let completion = NotificationId::Completion;
    assert_both(
        notification(NotificationKind::Call, completion(3), NotificationResult::Value("1".into())),
        [
            r#"{"Notification":{"Completion":{"Call":{"completion_id":3,"result":{"Success":[49]}}}}}"#,
            r#"{"Notification":{"ty":{"Completion":"Call"},"id":{"CompletionId":3},"result":"Success"}}"#,
        ],
    );
    assert_both(
        notification(NotificationKind::Sleep, completion(4), NotificationResult::Void),
        [
            r#"{"Notification":{"Completion":{"Sleep":{"completion_id":4}}}}"#,
            r#"{"Notification":{"ty":{"Completion":"Sleep"},"id":{"CompletionId":4},"result":"Void"}}"#,
        ],
    );
    let id = NotificationResult::InvocationId("inv_1".to_owned());
    assert_both(
        notification(NotificationKind::CallInvocationId, completion(2), id),
        [
            r#"{"Notification":{"Completion":{"CallInvocationId":{"completion_id":2,"invocation_id":"inv_1"}}}}"#,
            r#"{"Notification":{"ty":{"Completion":"CallInvocationId"},"id":{"CompletionId":2},"result":"InvocationId"}}"#,
        ],
    );
    let signal = NotificationId::Signal(SignalId::Name("paid".to_owned()));
    assert_both(
        notification(NotificationKind::Signal, signal, NotificationResult::Failure(failure())),
        [
            r#"{"Notification":{"Signal":{"id":{"Name":"paid"},"result":{"Failure":{"code":409,"message":"sold out","metadata":[{"key":"order","value":"o-1"}]}}}}}"#,
            r#"{"Notification":{"ty":"Signal","id":{"SignalName":"paid"},"result":"Failure"}}"#,
        ],
    );
}

/// No matter what of an entry is large, its JSON is not.
#[test]
fn what_is_large_is_left_out_or_cut() {
    let large = Bytes::from(vec![0xFF; 32 << 20]);
    let (full, _) = command("", Command::SetState { key: "k".into(), value: large.clone() });
    assert_eq!(
        full,
        r#"{"Command":{"SetState":{"key":"k","value":{"omitted_bytes":33554432},"name":""}}}"#
    );
    let control = "\u{1}".repeat(4 << 20);
    let many = vec![(String::new(), String::new()); 1 << 17];
    let fits = Bytes::from(vec![0xFF; 65_536]);
    for wide in [
        Command::SetState { key: large.clone(), value: fits },
        Command::SetState { key: control.clone().into(), value: large },
        Command::Output { result: Err(TerminalFailure { metadata: many.clone(), ..failure() }) },
        Command::Output { result: Err(TerminalFailure::new(500, control.as_str())) },
        Command::Input { headers: vec![(control.clone(), control); 3], value: Bytes::new() },
        Command::Input { headers: many, value: Bytes::new() },
    ] {
        let (full, lite) = command("", wide);
        assert!(full.len() < 600_000 && lite.len() < 600_000, "{} {}", full.len(), lite.len());
        let is_said = full.contains("omitted") || full.contains("[cut: this was");
        assert!(is_said, "{}", &full[..200]);
    }
}
