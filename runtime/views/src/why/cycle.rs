//! Who waits for itself, over others or not.

use std::collections::BTreeMap;

use protocol::InvocationId;

use super::{Advice, Cause, Kind, Link, Subject};

/// A cycle, as the link that closes it shows it.
pub(super) struct Cycle {
    pub(super) cause: Cause,
    pub(super) advice: Vec<Advice>,
}

/// The cycle that the last link closes, if it does.
pub(super) fn of(links: &[Link], last: usize) -> Option<Cycle> {
    let closing = &links[last];
    let mut cycle = path(links, closing.waits_for.as_ref()?, &closing.subject)?;
    cycle.push(last);
    let cycle: Vec<&Link> = cycle.into_iter().map(|at| &links[at]).collect();
    let is_sure = cycle.iter().all(|link| link.is_required());
    let cause = match cycle.as_slice() {
        [one, other] if is_sure && is_own_lock(one, other) => own_lock(one, other),
        _ => round(&cycle, is_sure),
    };
    Some(Cycle { cause, advice: way_out(&cycle).into_iter().collect() })
}

/// The links from one subject to another, if there are any.
fn path(links: &[Link], from: &Subject, to: &Subject) -> Option<Vec<usize>> {
    // For each subject that was reached, the link that did.
    let mut reached: BTreeMap<&Subject, Option<usize>> = BTreeMap::from([(from, None)]);
    let mut ahead = vec![from];
    while let Some(subject) = ahead.pop() {
        if subject == to {
            break;
        }
        for (at, link) in links.iter().enumerate().filter(|(_, link)| link.subject == *subject) {
            if let Some(next) = &link.waits_for
                && !reached.contains_key(next)
            {
                reached.insert(next, Some(at));
                ahead.push(next);
            }
        }
    }
    let mut path = Vec::new();
    let mut at = *reached.get(to)?;
    while let Some(link) = at {
        path.push(link);
        at = *reached.get(&links[link].subject)?;
    }
    path.reverse();
    Some(path)
}

/// Whether one of two waits for the lock that the other holds, which calls it.
fn is_own_lock(one: &Link, other: &Link) -> bool {
    let kinds = [one.kind, other.kind];
    kinds.contains(&Kind::Lock) && kinds.contains(&Kind::Call)
}

fn own_lock(one: &Link, other: &Link) -> Cause {
    let (caller, callee) = if one.kind == Kind::Lock { (other, one) } else { (one, other) };
    let message = format!(
        "{} calls {}, which needs the lock that its caller holds: the call can never begin",
        caller.name(),
        callee.name()
    );
    Cause { kind: Kind::SelfDeadlock, message }
}

fn round(cycle: &[&Link], is_sure: bool) -> Cause {
    let names: Vec<String> = cycle.iter().map(|link| link.name()).collect();
    let round = names.join(" waits for ");
    let first = names.first().map_or("", String::as_str);
    if is_sure {
        let message = format!("{round} waits for {first}: none of them can go on");
        return Cause { kind: Kind::Deadlock, message };
    }
    let message = format!(
        "{round} waits for {first}, as far as they wait for what they have asked for: those that run, \
         or wait for other things as well, may still go on"
    );
    Cause { kind: Kind::Cycle, message }
}

/// Cancels the one that loses least: one that has not begun, or else the last.
fn way_out(cycle: &[&Link]) -> Option<Advice> {
    let id = |link: &&Link| -> Option<InvocationId> {
        match &link.subject {
            Subject::Invocation(id) => Some(*id),
            Subject::Key { .. } => None,
        }
    };
    let queued = cycle.iter().filter(|link| link.kind == Kind::Lock).find_map(id);
    let (id, text) = match queued {
        Some(id) => (id, "to break the cycle: it has not begun, and its caller gets the failure"),
        None => (cycle.iter().rev().find_map(id)?, "to break the cycle"),
    };
    let command = format!("abide invocations cancel {id}");
    Some(Advice { text: text.to_owned(), command: Some(command) })
}
