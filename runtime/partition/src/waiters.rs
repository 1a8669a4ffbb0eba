//! Requests that wait for an answer, by number, and those among them that wait for an invocation.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::InvocationId;
use runtime_core::{
    effect::Answer,
    model::{ids::RequestId, invocation::Completion},
};
use tokio::sync::oneshot;

use crate::sync::{self, Mutex, MutexGuard};

/// What a waiting request receives.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Its own answer.
    Answer(Answer),
    /// The invocation it waits for has ended.
    Completed(Arc<Completion>),
    /// The disk has no space for the request.
    DiskFull,
}

/// The waiting requests of one partition.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    requests: HashMap<RequestId, Waiter>,
    by_invocation: HashMap<InvocationId, Vec<RequestId>>,
}

#[derive(Debug)]
struct Waiter {
    sender: oneshot::Sender<Reply>,
    invocation: Option<InvocationId>,
}

/// Registration of a waiting request, removed when dropped: a client that disconnects costs
/// nothing.
#[derive(Debug)]
pub(crate) struct WaitGuard<'a> {
    waiters: &'a Waiters,
    request: RequestId,
    pub(crate) receiver: oneshot::Receiver<Reply>,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.waiters.remove(self.request);
    }
}

impl Waiters {
    /// Registers a request for its answer, and for the end of `invocation` if one is given.
    pub(crate) fn wait(
        &self,
        request: RequestId,
        invocation: Option<InvocationId>,
    ) -> WaitGuard<'_> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.requests.insert(request, Waiter { sender, invocation });
        if let Some(invocation) = invocation {
            waiting.by_invocation.entry(invocation).or_default().push(request);
        }
        drop(waiting);
        WaitGuard { waiters: self, request, receiver }
    }

    pub(crate) fn answer(&self, request: RequestId, answer: Answer) {
        if let Some(waiter) = self.remove(request) {
            // The receiver is gone if the client has disconnected.
            let _ = waiter.sender.send(Reply::Answer(answer));
        }
    }

    pub(crate) fn refuse(&self, request: RequestId) {
        if let Some(waiter) = self.remove(request) {
            let _ = waiter.sender.send(Reply::DiskFull);
        }
    }

    pub(crate) fn completed(&self, id: InvocationId, completion: &Arc<Completion>) {
        let mut waiting = self.lock();
        let requests = waiting.by_invocation.remove(&id).unwrap_or_default();
        let waiters: Vec<_> =
            requests.iter().filter_map(|request| waiting.requests.remove(request)).collect();
        drop(waiting);
        assert!(
            waiters.len() == requests.len(),
            "{} requests wait for the end of an invocation, but only {} of them are registered",
            requests.len(),
            waiters.len()
        );
        for waiter in waiters {
            assert!(
                waiter.invocation == Some(id),
                "a request received the completion of another invocation"
            );
            let _ = waiter.sender.send(Reply::Completed(Arc::clone(completion)));
        }
    }

    /// Drops all waiting requests, so that their receivers fail.
    pub(crate) fn clear(&self) {
        *self.lock() = Waiting::default();
    }

    /// Whether no request waits.
    #[cfg(all(test, feature = "loom"))]
    pub(crate) fn is_empty(&self) -> bool {
        let waiting = self.lock();
        waiting.requests.is_empty() && waiting.by_invocation.is_empty()
    }

    fn remove(&self, request: RequestId) -> Option<Waiter> {
        let mut waiting = self.lock();
        let waiter = waiting.requests.remove(&request)?;
        if let Some(invocation) = waiter.invocation
            && let Some(requests) = waiting.by_invocation.get_mut(&invocation)
        {
            requests.retain(|other| *other != request);
            if requests.is_empty() {
                waiting.by_invocation.remove(&invocation);
            }
        }
        Some(waiter)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        sync::lock(&self.0)
    }
}
