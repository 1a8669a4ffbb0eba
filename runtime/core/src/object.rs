//! The lock of a virtual object: one exclusive handler at a time, in order of arrival.

use crate::{
    Lsn,
    context::Context,
    invocation,
    tables::{invocation::WaitingFor, object::Object},
};
use protocol::Target;

/// Takes the lock for `invocation`, or puts it into the inbox. Returns whether it holds the lock.
pub(crate) fn acquire(cx: &mut Context<'_, '_>, target: &Target, invocation: Lsn) -> bool {
    let (service, key) = (&target.service, &target.key);
    match cx.tables.object(service, key) {
        None => {
            let object = Object { holder: invocation, queued: 0, head: cx.lsn };
            cx.tables.create_object(service, key, object);
            true
        }
        Some(mut object) => {
            // A record brings at most one invocation, so its lsn is a place of its own.
            let place = cx.lsn;
            object.queued += 1;
            cx.tables.put_object(service, key, object);
            cx.tables.push_inbox(service, key, place, invocation);
            invocation::set_waiting(cx, invocation, WaitingFor::Object { place });
            false
        }
    }
}

/// Gives the lock to the next in the inbox and starts it, or frees the object.
pub(crate) fn release(cx: &mut Context<'_, '_>, target: &Target, invocation: Lsn) {
    let (service, key) = (&target.service, &target.key);
    let Some(object) = cx.tables.object(service, key) else {
        panic!("{:?}: {target} is released but not locked", cx.lsn)
    };
    assert!(object.holder == invocation, "{:?}: {target} is released by another", cx.lsn);
    if object.queued == 0 {
        cx.tables.delete_object(service, key);
        return;
    }
    let Some((place, next)) = cx.tables.first_in_inbox(service, key, object.head) else {
        panic!("{:?}: {} wait for {target} but its inbox is empty", cx.lsn, object.queued)
    };
    cx.tables.delete_from_inbox(service, key, place);
    let object = Object { holder: next, queued: object.queued - 1, head: Lsn(place.0 + 1) };
    cx.tables.put_object(service, key, object);
    invocation::start_attempt(cx, next);
}

/// Takes a waiting invocation out of the inbox.
pub(crate) fn leave_inbox(cx: &mut Context<'_, '_>, target: &Target, place: Lsn) {
    let (service, key) = (&target.service, &target.key);
    cx.tables.delete_from_inbox(service, key, place);
    let Some(mut object) = cx.tables.object(service, key) else {
        panic!("{:?}: {target} has an inbox but no holder", cx.lsn)
    };
    object.queued -= 1;
    cx.tables.put_object(service, key, object);
}
