//! Which input each stage of an attempt accepts, and how it responds to anything else.

use super::*;

const V7: ProtocolVersion = ProtocolVersion::V7;

fn fresh() -> Vm {
    Vm::new(V7, VmOptions::default())
}

fn input() -> Frame {
    command(Command::Input { headers: Vec::new(), value: Bytes::from("in") }, V7)
}

/// Start announcing `known_entries`, followed by the given frames.
fn begun_with(known_entries: u32, frames: &[Frame]) -> Bytes {
    let (start, _) = opening_frames(&[], &[], false);
    let start = Start { known_entries, ..start };
    bytes(&[&[start.encode()], frames].concat())
}

/// The output of an attempt that these bytes end.
fn end_of(bytes: Bytes) -> Vec<String> {
    let mut vm = fresh();
    let error = vm.push(bytes).unwrap_err();
    assert!(vm.has_ended() && !vm.is_ready_to_run());
    let said = rendered(&mut vm, V7);
    assert_eq!(said, [format!("error {}: {error}", error.code())]);
    said
}

#[test]
fn an_opening_that_is_not_one_ends_the_attempt() {
    let broken = |what: &str| [format!("error 571: the runtime violated the protocol: {what}")];
    assert_eq!(end_of(begun_with(0, &[])), broken("the first entry must be the input"));
    let sleep = command(Command::Sleep { wake_up_time_ms: 1, completion: 1 }, V7);
    assert_eq!(end_of(begun_with(1, &[sleep])), broken("the first entry is not the input"));
    let slept = completion(NotificationKind::Sleep, 1, void());
    assert_eq!(end_of(begun_with(1, &[slept])), broken("the first entry is not the input"));
    let ack = RunAck { completion: 1 }.encode();
    let unproposed = "run 1 is acknowledged but was not proposed";
    assert_eq!(end_of(begun_with(2, &[input(), ack])), broken(unproposed));
    let end = Frame::new(MessageType::END, Bytes::new());
    assert_eq!(
        end_of(begun_with(2, &[end])),
        broken("End(0x0003) is not valid for an SDK at this point")
    );
    assert!(end_of(bytes(&[input()]))[0].starts_with("error 571: the runtime sent a frame"));
}

#[test]
fn an_input_that_ends_too_early_ends_the_attempt() {
    for opening in [Bytes::new(), begun_with(2, &[input()])] {
        let mut vm = fresh();
        vm.push(opening).unwrap();
        assert_eq!(vm.close_input().unwrap_err().code(), 571);
        let said = [
            "error 571: the runtime violated the protocol: the input ended before the journal was complete",
        ];
        assert_eq!(rendered(&mut vm, V7), said);
    }
}

#[test]
fn an_attempt_is_ready_when_its_known_entries_are_there_and_not_before() {
    let known = [
        completion(NotificationKind::Sleep, 1, void()),
        input(),
        command(Command::Sleep { wake_up_time_ms: 1, completion: 1 }, V7),
    ];
    let whole = begun_with(3, &known);
    for split in 0..whole.len() {
        let mut vm = fresh();
        vm.push(whole.slice(..split)).unwrap();
        assert!(!vm.is_ready_to_run() && !vm.has_ended() && !vm.is_replaying());
        assert!(matches!(vm.sys_sleep("", 1), Err(VmError::Closed)), "nothing can be issued yet");
        assert!(matches!(vm.turn(), Err(VmError::Closed)));
        assert!(vm.take_input().is_none() && vm.take_output().is_empty());
        vm.push(whole.slice(split..)).unwrap();
        assert!(vm.is_ready_to_run() && vm.is_replaying());
        assert_eq!(vm.take_input().unwrap().1, "in");
        assert!(vm.take_input().is_none());
        let sleep = vm.sys_sleep("", 1).unwrap();
        assert!(!vm.is_replaying());
        assert_eq!(turn(&mut vm, &[sleep]).unwrap(), Turn::Offered(sleep));
        assert!(vm.take_output().is_empty());
    }
}

#[test]
fn nothing_follows_the_last_word() {
    type Last = fn(&mut Vm);
    let words: [(Last, &str); 4] = [
        (|vm| vm.end().unwrap(), "end"),
        (|vm| vm.fail("boom", "").unwrap(), "error 500: boom"),
        (|vm| vm.misused("wrong").unwrap(), "error 570: wrong"),
        (|vm| drop(turn(vm, &[])), "error 570: the handler awaits something"),
    ];
    for (last, word) in words {
        let mut vm = opened(V7, &[]);
        vm.close_input().unwrap();
        let run = vm.sys_run("step").unwrap();
        said(&mut vm);
        last(&mut vm);
        let said = rendered(&mut vm, V7);
        assert!(said.len() == 1 && said[0].starts_with(word), "{said:?}");
        assert!(vm.has_ended() && !vm.is_ready_to_run() && !vm.is_replaying());
        vm.push(bytes(&[input(), input()])).unwrap();
        vm.close_input().unwrap();
        vm.stop_waiting(run);
        let closed = |outcome: Result<(), VmError>| outcome == Err(VmError::Closed);
        assert!(closed(vm.sys_sleep("", 1).map(drop)));
        assert!(closed(vm.sys_awakeable().map(drop)));
        assert!(closed(vm.sys_set_state(Bytes::new(), Bytes::new())));
        assert!(closed(vm.sys_output(Ok(Bytes::new()))));
        assert!(closed(vm.propose_run(run, Ok(Bytes::new()))));
        assert!(closed(vm.fail_run(run, "step", "boom", None)));
        assert!(closed(vm.turn().map(drop)));
        assert!(closed(vm.end()) && closed(vm.fail("late", "")) && closed(vm.misused("late")));
        assert!(vm.take_output().is_empty());
    }
}

#[test]
fn what_was_said_before_the_last_word_stands_before_it() {
    let mut vm = opened(V7, &[]);
    vm.sys_set_state(Bytes::from("k"), Bytes::from("v")).unwrap();
    vm.push(bytes(&[input()])).unwrap_err();
    let said = rendered(&mut vm, V7);
    assert_eq!(said[0], "SetState { key: b\"k\", value: b\"v\" }");
    assert!(said.len() == 2 && said[1].starts_with("error 571"), "{said:?}");
}

#[test]
fn a_failure_of_a_run_counts_by_itself_once_the_journal_has_grown() {
    let retry = RunRetry {
        backoff: Backoff {
            initial_interval_ms: 10,
            factor_thousandths: 2000,
            max_interval_ms: 1000,
        },
        max_attempts: Some(3),
        max_duration_ms: None,
    };
    let run = NamedCommand { name: "step".to_owned(), command: Command::Run { completion: 1 } };
    let Entry { ty, body } = wire::command::encode(&run, V7);
    let delay = |grows: bool, retry_count| {
        let (start, rest) = opening_frames(&[Frame::new(ty, body.clone())], &[], false);
        let start = Start { retry_count, ..start };
        let mut vm = fresh();
        vm.push(bytes(&[&[start.encode()], &rest[..]].concat())).unwrap();
        let run = vm.sys_run("step").unwrap();
        if grows {
            vm.sys_sleep("", 1).unwrap();
        }
        turn(&mut vm, &[run]).unwrap();
        vm.fail_run(run, "step", "boom", Some(&retry)).unwrap();
        let last = said(&mut vm).pop().unwrap();
        let error = AttemptError::decode(&last).ok()?;
        let related = error.related_command.unwrap();
        assert_eq!((related.index, related.ty), (Some(1), Some(u32::from(ty.0))));
        error.next_retry_delay_ms
    };
    assert_eq!(delay(false, 0), Some(10));
    assert_eq!(delay(false, 1), Some(20));
    assert_eq!(delay(false, 2), None, "it is the last try");
    assert_eq!(delay(false, u32::MAX), None, "whatever the runtime has counted");
    assert_eq!(delay(true, 2), Some(10), "others have failed, not this");
}

/// A handler that uses everything the runtime can send. The bytes from `opening_bytes` on arrive
/// after its run's result was proposed.
fn converse(bytes: &[u8], opening_bytes: usize) -> Result<Vm, VmError> {
    let (opening, rest) = bytes.split_at(opening_bytes.min(bytes.len()));
    let mut vm = fresh();
    vm.push(Bytes::copy_from_slice(opening))?;
    vm.sys_get_state(Bytes::from("a"))?;
    let (id, answer) = vm.sys_call(request())?;
    let run = vm.sys_run("step")?;
    vm.propose_run(run, Ok(Bytes::new()))?;
    vm.push(Bytes::copy_from_slice(rest))?;
    let run = vm.sys_run("another")?;
    while let Turn::Offered(handle) = turn(&mut vm, &[id, answer, run])? {
        let _ = vm.take_offer(handle);
    }
    vm.fail_run(run, "another", "boom", None)?;
    Ok(vm)
}

#[test]
fn no_byte_of_the_runtime_makes_it_panic() {
    let id = NotificationResult::InvocationId("inv_a".to_owned());
    let cancel = NotificationId::Signal(SignalId::Index(1));
    let known = [
        command(Command::GetEagerState { key: Bytes::from("a"), value: None }, V7),
        completion(NotificationKind::CallInvocationId, 2, id),
        notification(NotificationKind::Signal, cancel, void()),
    ];
    let opening = opening(&known, &[("a", "1")], true);
    let whole = [opening.clone(), bytes(&[RunAck { completion: 4 }.encode()])].concat();
    let mut vm = converse(&whole, opening.len()).unwrap();
    assert_eq!(said(&mut vm).last().unwrap().ty, MessageType::ERROR);
    for at in 0..whole.len() {
        for flip in [0x01, 0x40, 0x80, 0xff] {
            let mut bent = whole.clone();
            bent[at] ^= flip;
            let _ = converse(&bent, opening.len());
        }
        let _ = converse(&whole[..at], opening.len());
    }
}
