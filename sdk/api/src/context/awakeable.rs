//! Awakeables: futures that the outside world completes, by an id that is handed out.

use super::Context;
use crate::{
    error::Terminal,
    future::{Durable, read_sent},
    payload::{Decode, Encode},
};

impl Context {
    /// Returns an id to hand out, and a future that completes when another handler passes the id to
    /// [`resolve_awakeable`](Self::resolve_awakeable), or when a client sends
    /// `POST /restate/awakeables/{id}/resolve` to the ingress.
    #[track_caller]
    pub fn awakeable<T: Decode>(&self) -> (String, Durable<'_, T>) {
        let (id, handle) = self.attempt.issue(sdk_core::Vm::sys_awakeable).unzip();
        (id.unwrap_or_default(), Durable::new(&self.attempt, handle, read_sent))
    }

    /// Completes the awakeable `id` with a value; only the first completion counts.
    #[track_caller]
    pub fn resolve_awakeable(&self, id: &str, value: &(impl Encode + ?Sized)) {
        if let Some(bytes) = self.encode(value) {
            self.attempt.issue(|vm| vm.sys_complete_awakeable(id, Ok(bytes)));
        }
    }

    /// Completes the awakeable `id` with a failure; only the first completion counts.
    #[track_caller]
    pub fn reject_awakeable(&self, id: &str, failure: Terminal) {
        self.attempt.issue(|vm| vm.sys_complete_awakeable(id, Err(failure.into_failure())));
    }
}
