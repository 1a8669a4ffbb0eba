use super::*;
use crate::waiting::{Wait, WaitNode};

const OPEN: Wait = Wait { node: WaitNode::ROOT, is_shielded: false };
const SHIELDED: Wait = Wait { node: WaitNode::ROOT, is_shielded: true };

fn handles(numbers: &[u32]) -> VecDeque<Handle> {
    numbers.iter().copied().map(Handle).collect()
}

/// Handles 1 to `count` wait, each since the poll with the same number.
fn waiting(count: u32) -> Waiting {
    let mut waiting = Waiting::default();
    (1..=count).for_each(|number| waiting.wait(Handle(number), OPEN));
    waiting
}

fn begun(callees: &[u32], waiting: &Waiting) -> Cancellation {
    let mut cancellation = Cancellation::None;
    cancellation.begin(handles(callees), waiting);
    cancellation
}

#[test]
fn the_callees_come_first_and_in_order() {
    let waiting = waiting(1);
    let mut cancellation = begun(&[7, 5], &waiting);
    for callee in [7, 5] {
        assert_eq!(cancellation.callee_to_tell(), Some(Handle(callee)));
        assert_eq!(cancellation.next_wait(&waiting), None);
        cancellation.callee_told();
    }
    assert_eq!(cancellation.callee_to_tell(), None);
    assert_eq!(cancellation, Cancellation::Untaken { waits: handles(&[1]), since: 1 });
    assert_eq!(cancellation, begun(&[], &waiting), "as if there had been none");
}

#[test]
fn what_was_open_at_the_signal_hears_of_it_also_when_one_has_taken_it() {
    let mut waiting = waiting(3);
    waiting.wait(Handle(4), SHIELDED);
    let mut cancellation = begun(&[], &waiting);
    assert_eq!(cancellation.next_wait(&waiting), Some(Handle(1)));
    cancellation.taken();
    assert_eq!(cancellation, Cancellation::Taken { waits: handles(&[2, 3]) });
    waiting.stop(Handle(2));
    assert_eq!(cancellation.next_wait(&waiting), Some(Handle(3)), "the second is gone");
    cancellation.taken();
    waiting.wait(Handle(5), OPEN);
    assert_eq!(cancellation.next_wait(&waiting), None, "this one has come too late");
    assert_eq!(cancellation, Cancellation::None);
}

#[test]
fn while_nobody_has_taken_it_it_is_for_waits_that_are_newer() {
    let mut waiting = waiting(2);
    let mut cancellation = begun(&[], &waiting);
    assert_eq!(cancellation.next_wait(&waiting), Some(Handle(1)));
    assert_eq!(cancellation.next_wait(&waiting), Some(Handle(2)));
    assert_eq!(cancellation.next_wait(&waiting), None, "none of them has been polled since");
    waiting.wait(Handle(3), SHIELDED);
    assert_eq!(cancellation.next_wait(&waiting), None);
    waiting.wait(Handle(2), OPEN);
    assert_eq!(cancellation.next_wait(&waiting), Some(Handle(2)));
    cancellation.taken();
    assert_eq!(cancellation.next_wait(&waiting), None);
}

#[test]
fn another_signal_begins_anew() {
    let mut waiting = waiting(1);
    let mut cancellation = begun(&[], &waiting);
    assert_eq!(cancellation.next_wait(&waiting), Some(Handle(1)));
    waiting.wait(Handle(2), OPEN);
    cancellation.begin(handles(&[9]), &waiting);
    let waits = handles(&[1, 2]);
    let expected = Cancellation::TellingCallees { callees: handles(&[9]), waits, since: 2 };
    assert_eq!(cancellation, expected);
}

#[test]
fn what_has_not_begun_or_is_not_there_yet_does_not_move() {
    let waiting = waiting(1);
    let still = |mut cancellation: Cancellation| {
        let before = cancellation.clone();
        if !matches!(cancellation, Cancellation::TellingCallees { .. }) {
            cancellation.callee_told();
        }
        if !matches!(cancellation, Cancellation::Untaken { .. }) {
            cancellation.taken();
        }
        assert_eq!(cancellation, before);
    };
    still(Cancellation::None);
    still(begun(&[1], &waiting));
    still(begun(&[], &waiting));
    still(Cancellation::Taken { waits: handles(&[1]) });
}

#[test]
fn a_shielded_call_stays_for_the_next_cancellation() {
    let mut waiting = Waiting::default();
    let mut callees = Callees::default();
    callees.add(Handle(0), Handle(1));
    callees.add(Handle(2), Handle(3));
    callees.add(Handle(4), Handle(5));
    waiting.wait(Handle(1), OPEN);
    waiting.wait(Handle(3), SHIELDED);
    assert_eq!(callees.take_open(&waiting), handles(&[0, 4]), "awaited or not");
    assert_eq!(callees.take_open(&waiting), handles(&[]));
    waiting.wait(Handle(3), OPEN);
    assert_eq!(callees.take_open(&waiting), handles(&[2]));
    callees.id_taken(Handle(2), "inv_a");
    assert_eq!((callees.taken_id(Handle(2)), callees.taken_id(Handle(0))), (Some("inv_a"), None));
}
