//! The lock of a virtual object: one exclusive handler at a time, in order of arrival.

use crate::{context::Context, model::ids::Lsn, tables::object::Object};

use protocol::Target;

/// The outcome of trying to take the lock.
pub(crate) enum Acquired {
    /// The invocation holds the lock.
    Lock,
    /// The invocation waits in the inbox, at this position.
    Place(Lsn),
}

/// Takes the lock for `invocation`, or queues it in the inbox.
pub(crate) fn acquire(cx: &mut Context<'_, '_>, target: &Target, invocation: Lsn) -> Acquired {
    let (service, key) = (&target.service, &target.key);
    match cx.tables.object(service, key) {
        None => {
            let object = Object { holder: invocation, queued: 0, head: cx.lsn };
            cx.tables.create_object(service, key, object);
            Acquired::Lock
        }
        Some(mut object) => {
            let holder = object.holder;
            assert!(holder != invocation, "{:?}: {invocation:?} locks {target} twice", cx.lsn);
            // A record queues at most one invocation here, so its LSN is a unique position.
            let place = cx.lsn;
            object.queued += 1;
            cx.tables.put_object(service, key, object);
            cx.tables.push_inbox(service, key, place, invocation);
            Acquired::Place(place)
        }
    }
}

/// The invocation that has the lock now, and the place at which it waited for it.
pub(crate) struct Next {
    pub(crate) place: Lsn,
    pub(crate) invocation: Lsn,
}

/// Passes the lock to the next invocation in the inbox and returns it to be started, or frees the
/// object.
pub(crate) fn release(cx: &mut Context<'_, '_>, target: &Target, invocation: Lsn) -> Option<Next> {
    let (service, key) = (&target.service, &target.key);
    let Some(object) = cx.tables.object(service, key) else {
        panic!("{:?}: {target} is released but not locked", cx.lsn)
    };
    assert!(
        object.holder == invocation,
        "{:?}: {target} is released by an invocation that does not hold it",
        cx.lsn
    );
    if object.queued == 0 {
        cx.tables.delete_object(service, key);
        return None;
    }
    let Some((place, next)) = cx.tables.first_in_inbox(service, key, object.head) else {
        panic!(
            "{:?}: {} invocations wait for {target} but its inbox is empty",
            cx.lsn, object.queued
        )
    };
    let (lsn, head) = (cx.lsn, object.head);
    assert!(place >= head, "{lsn:?}: {place:?} waits for {target} before its head {head:?}");
    assert!(next != invocation, "{lsn:?}: {next:?} waits for {target} but already held it");
    cx.tables.delete_from_inbox(service, key, place);
    let object = Object { holder: next, queued: object.queued - 1, head: Lsn(place.0 + 1) };
    cx.tables.put_object(service, key, object);
    Some(Next { place, invocation: next })
}

/// Removes a waiting invocation from the inbox.
pub(crate) fn leave_inbox(cx: &mut Context<'_, '_>, target: &Target, place: Lsn) {
    let (service, key) = (&target.service, &target.key);
    cx.tables.delete_from_inbox(service, key, place);
    let Some(mut object) = cx.tables.object(service, key) else {
        panic!("{:?}: {target} has an inbox but no holder", cx.lsn)
    };
    assert!(
        object.queued > 0,
        "{:?}: {place:?} leaves the inbox of {target}, which is empty",
        cx.lsn
    );
    object.queued -= 1;
    cx.tables.put_object(service, key, object);
}
