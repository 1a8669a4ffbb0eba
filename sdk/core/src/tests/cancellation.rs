//! How a cancellation reaches the callees and the handler.

use super::*;

fn cancel() -> Frame {
    let id = NotificationId::Signal(SignalId::Index(1));
    notification(NotificationKind::Signal, id, void())
}

fn callee(completion_id: u32, id: &str) -> Frame {
    let id = NotificationResult::InvocationId(id.to_owned());
    completion(NotificationKind::CallInvocationId, completion_id, id)
}

fn told(target: &str) -> String {
    format!("SendSignal {{ target: \"{target}\", signal: Index(1), result: Void }}")
}

fn cancelled() -> Option<Offer> {
    Some(Offer::Cancelled(TerminalFailure::new(409, "cancelled")))
}

const OPEN: Wait = Wait { node: WaitNode::ROOT, is_shielded: false };
const SHIELDED: Wait = Wait { node: WaitNode::ROOT, is_shielded: true };

/// Offers the cancellation to the given wait, which takes it.
fn take(vm: &mut Vm, handle: Handle) {
    assert_eq!(vm.turn().unwrap(), Turn::Offered(handle));
    assert_eq!(vm.take_offer(handle), cancelled());
}

#[test]
fn callees_are_told_in_the_order_of_the_calls_also_those_whose_ids_were_taken() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let (first_id, first) = vm.sys_call(request()).unwrap();
    let (_, second) = vm.sys_call(request()).unwrap();
    vm.push(bytes(&[callee(1, "inv_a")])).unwrap();
    assert_eq!(turn(&mut vm, &[first_id]).unwrap(), Turn::Offered(first_id));
    assert!(vm.take_offer(first_id).is_some());
    assert_eq!(turn(&mut vm, &[first, second]).unwrap(), Turn::NeedInput);
    said(&mut vm);
    vm.push(bytes(&[cancel()])).unwrap();
    assert_eq!(vm.turn().unwrap(), Turn::NeedInput, "the second's id is not known");
    assert!(vm.is_waiting());
    assert_eq!(rendered(&mut vm, ProtocolVersion::V7), [told("inv_a")]);
    vm.push(bytes(&[callee(3, "inv_b")])).unwrap();
    take(&mut vm, first);
    assert_eq!(rendered(&mut vm, ProtocolVersion::V7), [told("inv_b")]);
    take(&mut vm, second);
    // Each callee is notified once.
    vm.wait(second, OPEN);
    vm.push(bytes(&[cancel()])).unwrap();
    take(&mut vm, second);
    assert_eq!(rendered(&mut vm, ProtocolVersion::V7), [""; 0]);
}

#[test]
fn an_attempt_that_misses_a_callees_id_waits_for_that_alone() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let (_, answer) = vm.sys_call(request()).unwrap();
    vm.push(bytes(&[cancel()])).unwrap();
    vm.close_input().unwrap();
    said(&mut vm);
    assert_eq!(turn(&mut vm, &[answer]).unwrap(), Turn::Suspended);
    assert_eq!(rendered(&mut vm, ProtocolVersion::V7), ["suspended until completion 1"]);
}

#[test]
fn a_closure_goes_on_while_a_callees_id_is_missing() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let run = vm.sys_run("step").unwrap();
    let (_, answer) = vm.sys_call(request()).unwrap();
    assert_eq!(turn(&mut vm, &[run, answer]).unwrap(), Turn::Execute(vec![run]));
    vm.push(bytes(&[cancel()])).unwrap();
    assert_eq!(turn(&mut vm, &[run, answer]).unwrap(), Turn::Executing);
    assert!(vm.may_execute(run));
    vm.push(bytes(&[callee(2, "inv_a")])).unwrap();
    take(&mut vm, run);
    assert!(!vm.may_execute(run));
    take(&mut vm, answer);
}

#[test]
fn a_shielded_call_is_left_alone_until_it_is_no_longer_shielded() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let (_, shielded) = vm.sys_call(request()).unwrap();
    let sleep = vm.sys_sleep("", 1).unwrap();
    vm.push(bytes(&[callee(1, "inv_a"), cancel()])).unwrap();
    said(&mut vm);
    vm.wait(shielded, SHIELDED);
    assert_eq!(vm.turn().unwrap(), Turn::NeedInput, "nobody waits whom it could reach");
    vm.wait(sleep, OPEN);
    take(&mut vm, sleep);
    assert_eq!(rendered(&mut vm, ProtocolVersion::V7), [""; 0]);
    vm.wait(shielded, OPEN);
    assert_eq!(vm.turn().unwrap(), Turn::NeedInput, "that cancellation was taken");
    vm.push(bytes(&[cancel()])).unwrap();
    take(&mut vm, shielded);
    assert_eq!(rendered(&mut vm, ProtocolVersion::V7), [told("inv_a")]);
}

#[test]
fn a_cancellation_that_nobody_has_taken_is_for_the_first_that_waits_afterwards() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let first = vm.sys_sleep("", 1).unwrap();
    let second = vm.sys_sleep("", 2).unwrap();
    vm.push(bytes(&[cancel()])).unwrap();
    assert_eq!(turn(&mut vm, &[first]).unwrap(), Turn::Offered(first));
    vm.stop_waiting(first); // It was dropped instead of polled.
    assert_eq!(vm.turn().unwrap(), Turn::NeedInput);
    vm.wait(second, OPEN);
    take(&mut vm, second);
    vm.wait(second, OPEN);
    assert_eq!(vm.turn().unwrap(), Turn::NeedInput, "once only");
}

#[test]
fn a_second_cancellation_reaches_what_the_first_has_not() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let sleep = vm.sys_sleep("", 1).unwrap();
    vm.push(bytes(&[cancel(), cancel()])).unwrap();
    vm.wait(sleep, OPEN);
    take(&mut vm, sleep);
    vm.wait(sleep, OPEN);
    take(&mut vm, sleep);
    vm.push(bytes(&[completion(NotificationKind::Sleep, 1, void())])).unwrap();
    assert_eq!(turn(&mut vm, &[sleep]).unwrap(), Turn::Offered(sleep));
    assert_eq!(vm.take_offer(sleep), Some(Offer::Result(void())));
}

#[test]
fn without_implicit_cancellation_the_signal_is_one_like_others() {
    let options = VmOptions { implicit_cancellation: false, ..VmOptions::default() };
    let mut vm = Vm::new(ProtocolVersion::V7, options);
    vm.push(opening(&[], &[], false)).unwrap();
    let sleep = vm.sys_sleep("", 1).unwrap();
    let signal = vm.sys_signal(SignalId::Index(1)).unwrap();
    vm.push(bytes(&[cancel()])).unwrap();
    assert_eq!(turn(&mut vm, &[sleep]).unwrap(), Turn::NeedInput);
    assert_eq!(turn(&mut vm, &[sleep, signal]).unwrap(), Turn::Offered(signal));
    assert_eq!(vm.take_offer(signal), Some(Offer::Result(void())));
    vm.close_input().unwrap();
    said(&mut vm);
    assert_eq!(turn(&mut vm, &[sleep]).unwrap(), Turn::Suspended);
    assert_eq!(rendered(&mut vm, ProtocolVersion::V7), ["suspended until completion 1"]);
}

#[test]
fn a_callee_whose_id_is_none_ends_the_attempt() {
    let mut vm = opened(ProtocolVersion::V7, &[]);
    let (_, answer) = vm.sys_call(request()).unwrap();
    said(&mut vm);
    let wrong = completion(NotificationKind::Sleep, 1, void());
    vm.push(bytes(&[wrong, cancel()])).unwrap();
    assert_eq!(turn(&mut vm, &[answer]).unwrap_err().code(), 571);
    let expected =
        ["error 571: the runtime violated the protocol: a callee's id is not a valid id"];
    assert_eq!(rendered(&mut vm, ProtocolVersion::V7), expected);
}
