//! Exchanges with a runtime, as frames.

use bytes::{Bytes, BytesMut};
use protocol::{
    Backoff, InvocationId, PartitionKey, ProtocolVersion, TerminalFailure,
    journal::{
        Awaiting, CallRequest, Combinator, Command, Entry, NamedCommand, Notification,
        NotificationId, NotificationKind, NotificationResult, notification::SignalId,
    },
    wire::{
        self, MessageType,
        control::{AttemptError, RunAck, RunProposal, Start, Suspension},
        frame::{Frame, FrameDecoder},
    },
};

use super::*;

mod cancellation;
mod stages;

fn bytes(frames: &[Frame]) -> Bytes {
    let mut bytes = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    bytes.freeze()
}

fn command(command: Command, version: ProtocolVersion) -> Frame {
    let Entry { ty, body } = wire::command::encode(&NamedCommand::from(command), version);
    Frame::new(ty, body)
}

fn notification(kind: NotificationKind, id: NotificationId, result: NotificationResult) -> Frame {
    let notification = Notification { kind, id, result };
    let Entry { ty, body } = wire::notification::encode(&notification, ProtocolVersion::V7);
    Frame::new(ty, body)
}

fn completion(kind: NotificationKind, id: u32, result: NotificationResult) -> Frame {
    notification(kind, NotificationId::Completion(id), result)
}

/// Start and the known entries, input first.
fn opening(known: &[Frame], state: &[(&str, &str)], partial_state: bool) -> Bytes {
    let (start, rest) = opening_frames(known, state, partial_state);
    bytes(&[&[start.encode()], &rest[..]].concat())
}

fn opening_frames(
    known: &[Frame],
    state: &[(&str, &str)],
    partial_state: bool,
) -> (Start, Vec<Frame>) {
    let input = command(
        Command::Input { headers: Vec::new(), value: Bytes::from("in") },
        ProtocolVersion::V6,
    );
    let state = state.iter().map(|(key, value)| {
        (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()))
    });
    let start = Start {
        id: InvocationId { partition_key: PartitionKey(1), uuid: 2 },
        debug_id: "inv_test".to_owned(),
        known_entries: 1 + u32::try_from(known.len()).unwrap(),
        state: state.collect(),
        partial_state,
        key: "k".to_owned(),
        retry_count: 0,
        duration_since_last_entry_ms: 0,
        random_seed: 5,
        scope: None,
        limit_key: None,
        idempotency_key: None,
    };
    (start, [&[input], known].concat())
}

fn opened(version: ProtocolVersion, known: &[Frame]) -> Vm {
    let mut vm = Vm::new(version, VmOptions::default());
    vm.push(opening(known, &[], false)).unwrap();
    assert!(vm.is_ready_to_run());
    vm
}

fn said(vm: &mut Vm) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new(1 << 20);
    decoder.push(vm.take_output());
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

/// The Vm's output, one line per frame.
fn rendered(vm: &mut Vm, version: ProtocolVersion) -> Vec<String> {
    said(vm).iter().map(|frame| render(frame, version)).collect()
}

fn render(frame: &Frame, version: ProtocolVersion) -> String {
    if frame.ty.is_command() {
        let entry = Entry { ty: frame.ty, body: frame.body.clone() };
        return error::show(&wire::command::decode(&entry).unwrap());
    }
    match frame.ty {
        MessageType::SUSPENSION => {
            let awaiting = Suspension::decode(frame, version).unwrap().awaiting;
            let leaves: Vec<_> = awaiting.all_leaves().map(render_id).collect();
            format!("suspended until {}", leaves.join(" or "))
        }
        MessageType::ERROR => {
            let AttemptError { code, message, .. } = AttemptError::decode(frame).unwrap();
            format!("error {code}: {message}")
        }
        MessageType::PROPOSE_RUN_COMPLETION => {
            let RunProposal { completion, result, .. } = RunProposal::decode(frame).unwrap();
            format!("proposed {completion}: {result:?}")
        }
        MessageType::END => "end".to_owned(),
        other => panic!("{other:?} is not for a runtime"),
    }
}

fn render_id(id: &NotificationId) -> String {
    match id {
        NotificationId::Completion(number) => format!("completion {number}"),
        NotificationId::Signal(SignalId::Index(number)) => format!("signal {number}"),
        NotificationId::Signal(SignalId::Name(name)) => format!("signal '{name}'"),
    }
}

fn types(frames: &[Frame]) -> Vec<MessageType> {
    frames.iter().map(|frame| frame.ty).collect()
}

/// Registers waits for these handles, as if all of their futures had been polled and were pending.
fn turn(vm: &mut Vm, handles: &[Handle]) -> Result<Turn, VmError> {
    for handle in handles {
        vm.wait(*handle, Wait { node: WaitNode::ROOT, is_shielded: false });
    }
    vm.turn()
}

fn void() -> NotificationResult {
    NotificationResult::Void
}

#[test]
fn a_sleep_suspends_when_the_input_ends_and_goes_on_when_it_is_over() {
    for version in [ProtocolVersion::V5, ProtocolVersion::V6, ProtocolVersion::V7] {
        let mut vm = opened(version, &[]);
        let sleep = vm.sys_sleep("", 1000).unwrap();
        assert_eq!(turn(&mut vm, &[sleep]).unwrap(), Turn::NeedInput);
        vm.close_input().unwrap();
        assert_eq!(turn(&mut vm, &[sleep]).unwrap(), Turn::Suspended);
        let frames = said(&mut vm);
        assert_eq!(types(&frames), [MessageType::SLEEP_COMMAND, MessageType::SUSPENSION]);
        let awaiting = Suspension::decode(&frames[1], version).unwrap().awaiting;
        let leaves: Vec<_> = awaiting.all_leaves().collect();
        assert!(leaves.contains(&&NotificationId::Completion(1)));
        assert!(leaves.contains(&&NotificationId::Signal(SignalId::Index(1))));

        let known = [frames[0].clone(), completion(NotificationKind::Sleep, 1, void())];
        let mut vm = opened(version, &known);
        // Same sleep, different clock.
        let sleep = vm.sys_sleep("", 2000).unwrap();
        assert_eq!(turn(&mut vm, &[sleep]).unwrap(), Turn::Offered(sleep));
        assert_eq!(vm.take_offer(sleep), Some(Offer::Result(void())));
        vm.sys_output(Ok(Bytes::from("out"))).unwrap();
        vm.end().unwrap();
        assert_eq!(types(&said(&mut vm)), [MessageType::OUTPUT_COMMAND, MessageType::END]);
    }
}

#[test]
fn a_run_is_executed_when_waited_for_and_counts_when_it_is_stored() {
    for version in [ProtocolVersion::V6, ProtocolVersion::V7] {
        let mut vm = opened(version, &[]);
        let run = vm.sys_run("step").unwrap();
        assert!(!vm.may_execute(run));
        assert_eq!(turn(&mut vm, &[run]).unwrap(), Turn::Execute(vec![run]));
        assert!(vm.may_execute(run));
        assert_eq!(turn(&mut vm, &[run]).unwrap(), Turn::Executing);
        vm.propose_run(run, Ok(Bytes::from("1"))).unwrap();
        assert_eq!(turn(&mut vm, &[run]).unwrap(), Turn::NeedInput);
        let frames = said(&mut vm);
        let proposal = RunProposal::decode(&frames[1]).unwrap();
        assert_eq!(proposal.ack_requested, version == ProtocolVersion::V7);
        let value = NotificationResult::Value(Bytes::from("1"));
        let answer = if version == ProtocolVersion::V7 {
            RunAck { completion: 1 }.encode()
        } else {
            completion(NotificationKind::Run, 1, value.clone())
        };
        vm.push(bytes(&[answer])).unwrap();
        assert_eq!(turn(&mut vm, &[run]).unwrap(), Turn::Offered(run));
        assert_eq!(vm.take_offer(run), Some(Offer::Result(value)));
    }
}

#[test]
fn a_failing_run_is_tried_again_elsewhere_until_its_tries_are_used_up() {
    let retry = RunRetry {
        backoff: Backoff {
            initial_interval_ms: 50,
            factor_thousandths: 2000,
            max_interval_ms: 1000,
        },
        max_attempts: Some(2),
        max_duration_ms: None,
    };
    let mut vm = opened(ProtocolVersion::V6, &[]);
    let run = vm.sys_run("step").unwrap();
    turn(&mut vm, &[run]).unwrap();
    vm.fail_run(run, "step", "boom", Some(&retry)).unwrap();
    assert!(vm.has_ended());
    let frames = said(&mut vm);
    let error = AttemptError::decode(&frames[1]).unwrap();
    assert_eq!((error.code, error.next_retry_delay_ms), (500, Some(50)));
    let related = error.related_command.unwrap();
    assert_eq!((related.index, related.ty), (Some(1), Some(0x0411)));
}

#[test]
fn the_journals_order_decides_a_race_however_the_bytes_arrive() {
    let known = |vm: &mut Vm| {
        let (_, first) = vm.sys_awakeable().unwrap();
        let (_, second) = vm.sys_awakeable().unwrap();
        (first, second)
    };
    let signal = |index| {
        notification(
            NotificationKind::Signal,
            NotificationId::Signal(SignalId::Index(index)),
            void(),
        )
    };
    let arrivals = bytes(&[signal(18), signal(17)]);
    for split in 0..=arrivals.len() {
        let mut vm = opened(ProtocolVersion::V7, &[]);
        let (first, second) = known(&mut vm);
        vm.push(arrivals.slice(..split)).unwrap();
        let early = turn(&mut vm, &[first, second]).unwrap();
        assert!(matches!(early, Turn::NeedInput | Turn::Offered(_)), "{early:?}");
        vm.push(arrivals.slice(split..)).unwrap();
        // No poll has taken it, so it is offered again.
        let turned = turn(&mut vm, &[first, second]).unwrap();
        assert_eq!(turned, Turn::Offered(second), "split at {split}");
        assert!(vm.take_offer(first).is_none() && vm.take_offer(second).is_some());
    }
}

#[test]
fn state_is_answered_from_what_is_known_and_asked_for_otherwise() {
    let mut vm = Vm::new(ProtocolVersion::V6, VmOptions::default());
    vm.push(opening(&[], &[("a", "11")], true)).unwrap();
    let a = vm.sys_get_state(Bytes::from("a")).unwrap();
    assert_eq!(vm.take(a), Some(NotificationResult::Value(Bytes::from("11"))));
    let b = vm.sys_get_state(Bytes::from("b")).unwrap();
    assert_eq!(turn(&mut vm, &[b]).unwrap(), Turn::NeedInput);
    vm.sys_clear_all_state().unwrap();
    let c = vm.sys_get_state(Bytes::from("c")).unwrap();
    assert_eq!(vm.take(c), Some(void()));
    let frames = said(&mut vm);
    assert_eq!(
        types(&frames),
        [
            MessageType::GET_EAGER_STATE_COMMAND,
            MessageType::GET_LAZY_STATE_COMMAND,
            MessageType::CLEAR_ALL_STATE_COMMAND,
            MessageType::GET_EAGER_STATE_COMMAND,
        ]
    );
    // A read consumes a completion id even if it is answered immediately.
    let Command::GetLazyState { completion, .. } =
        wire::command::decode(&Entry { ty: frames[1].ty, body: frames[1].body.clone() })
            .unwrap()
            .command
    else {
        panic!("not a lazy get")
    };
    assert_eq!(completion, 2);
    // On replay the journal says which it was, regardless of what is known by now.
    let mut vm = Vm::new(ProtocolVersion::V6, VmOptions::default());
    vm.push(opening(&frames[..2], &[("a", "12"), ("b", "1")], false)).unwrap();
    let a = vm.sys_get_state(Bytes::from("a")).unwrap();
    assert_eq!(vm.take(a), Some(NotificationResult::Value(Bytes::from("11"))));
    let b = vm.sys_get_state(Bytes::from("b")).unwrap();
    assert_eq!(vm.take(b), None);
}

fn request() -> CallRequest {
    CallRequest {
        service: "S".into(),
        handler: "h".into(),
        key: String::new(),
        parameter: Bytes::new(),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    }
}

#[test]
fn a_cancelled_invocation_cancels_its_callees_first() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let (_, answer) = vm.sys_call(request()).unwrap();
    assert_eq!(turn(&mut vm, &[answer]).unwrap(), Turn::NeedInput);
    let cancel = NotificationId::Signal(SignalId::Index(1));
    vm.push(bytes(&[notification(NotificationKind::Signal, cancel, void())])).unwrap();
    let unknown = turn(&mut vm, &[answer]).unwrap();
    assert_eq!(unknown, Turn::NeedInput, "the callee's id is not known yet");
    let callee = NotificationResult::InvocationId("inv_child".to_owned());
    vm.push(bytes(&[completion(NotificationKind::CallInvocationId, 1, callee)])).unwrap();
    let failure = TerminalFailure::new(409, "cancelled");
    assert_eq!(turn(&mut vm, &[answer]).unwrap(), Turn::Offered(answer));
    assert_eq!(vm.take_offer(answer), Some(Offer::Cancelled(failure)));
    let expected = [MessageType::CALL_COMMAND, MessageType::SEND_SIGNAL_COMMAND];
    assert_eq!(types(&said(&mut vm)), expected);
}

#[test]
fn a_handler_that_asks_for_something_else_is_told_what_and_where() {
    let sleep = command(Command::Sleep { wake_up_time_ms: 1, completion: 1 }, ProtocolVersion::V6);
    let mut vm = opened(ProtocolVersion::V6, std::slice::from_ref(&sleep));
    let error = vm.sys_run("step").unwrap_err();
    assert_eq!(error.code(), 570);
    let text = error.to_string();
    assert!(text.contains("command 1") && text.contains("Sleep") && text.contains("Run"), "{text}");
    let frames = said(&mut vm);
    assert_eq!(AttemptError::decode(&frames[0]).unwrap().code, 570);
    assert!(vm.has_ended());

    // A wait where there was none.
    let mut vm = opened(ProtocolVersion::V6, &[sleep]);
    let (_, awakeable) = vm.sys_awakeable().unwrap();
    let error = turn(&mut vm, &[awakeable]).unwrap_err();
    assert!(matches!(error, VmError::AwaitInReplay { index: 1, .. }), "{error}");
}

#[test]
fn what_the_protocol_does_not_allow_ends_the_attempt() {
    let broken = |frames: &[Frame]| {
        let mut vm = opened(ProtocolVersion::V7, &[]);
        vm.push(bytes(frames)).unwrap_err().code()
    };
    assert_eq!(broken(&[RunAck { completion: 9 }.encode()]), 571);
    assert_eq!(broken(&[command(Command::ClearAllState, ProtocolVersion::V7)]), 571);
    assert_eq!(broken(&[Frame::new(MessageType::COMMAND_ACK, Bytes::new())]), 571);
    let mut vm = Vm::new(ProtocolVersion::V7, VmOptions::default());
    vm.push(opening(&[], &[], false).slice(..20)).unwrap();
    assert_eq!(vm.close_input().unwrap_err().code(), 571);
    // A notification that nothing waits for is ignored.
    let mut vm = opened(ProtocolVersion::V7, &[]);
    vm.push(bytes(&[completion(NotificationKind::Sleep, 99, void())])).unwrap();
    assert!(!vm.has_ended());
}

#[test]
fn scopes_need_a_protocol_that_has_them() {
    let mut vm = opened(ProtocolVersion::V6, &[]);
    let scoped = CallRequest { scope: Some("s".into()), ..request() };
    assert_eq!(vm.sys_call(scoped).unwrap_err().code(), 573);
}

#[test]
fn randomness_is_the_seeds_alone() {
    let first = |version| opened(version, &[]).random_seed();
    assert_eq!(first(ProtocolVersion::V6), first(ProtocolVersion::V7));
    assert_ne!(first(ProtocolVersion::V5), first(ProtocolVersion::V6));
    // Golden: computed from the definitions in the two papers. Handlers rely on it never changing.
    assert_eq!(random::Random::new(1).next_u64(), 0xcfc5_d07f_6f03_c29b);
}

#[test]
fn a_join_names_its_tree_and_what_stands_alone_stands_beside_it() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let all = vm.new_wait_node(WaitNode::ROOT, Combinator::AllCompleted);
    let joined = [vm.sys_sleep("", 1).unwrap(), vm.sys_sleep("", 2).unwrap()];
    let alone = vm.sys_sleep("", 3).unwrap();
    for handle in joined {
        vm.wait(handle, Wait { node: all, is_shielded: true });
    }
    vm.wait(alone, Wait { node: WaitNode::ROOT, is_shielded: true });
    vm.close_input().unwrap();
    assert_eq!(vm.turn().unwrap(), Turn::Suspended);
    let awaiting = Suspension::decode(said(&mut vm).last().unwrap(), ProtocolVersion::V7).unwrap();
    let completions = |ids: &[u32]| ids.iter().map(|id| NotificationId::Completion(*id)).collect();
    let joined = Awaiting::node(Combinator::AllCompleted, completions(&[1, 2]), Vec::new());
    let expected = Awaiting::node(Combinator::FirstCompleted, completions(&[3]), vec![joined]);
    assert_eq!(awaiting.awaiting, expected, "and no cancel signal, since all are shielded");
}

#[test]
fn a_run_gives_up_when_its_first_try_is_long_ago() {
    let retry = RunRetry {
        backoff: Backoff { initial_interval_ms: 50, factor_thousandths: 1000, max_interval_ms: 50 },
        max_attempts: None,
        max_duration_ms: Some(1000),
    };
    let gives_up = |retry_count, elapsed_ms| {
        let mut vm = Vm::new(ProtocolVersion::V7, VmOptions::default());
        // It has failed before, so it is in the journal.
        let named =
            NamedCommand { name: "step".to_owned(), command: Command::Run { completion: 1 } };
        let Entry { ty, body } = wire::command::encode(&named, ProtocolVersion::V7);
        let (start, rest) = opening_frames(&[Frame::new(ty, body)], &[], false);
        let start = Start { retry_count, duration_since_last_entry_ms: elapsed_ms, ..start };
        vm.push(bytes(&[&[start.encode()], &rest[..]].concat())).unwrap();
        let run = vm.sys_run("step").unwrap();
        turn(&mut vm, &[run]).unwrap();
        vm.fail_run(run, "step", "boom", Some(&retry)).unwrap();
        !vm.has_ended()
    };
    assert!(!gives_up(0, 5000), "the first try always counts");
    assert!(!gives_up(3, 999));
    assert!(gives_up(3, 1000));
}
