//! Awakeables: something that somebody outside completes, by an id that is handed to them.

use super::Context;
use crate::{
    error::Terminal,
    future::{Durable, read_sent},
    payload::{Decode, Encode},
};

impl Context {
    /// An id to hand out, and the future of what is given for it: by
    /// [`resolve_awakeable`](Self::resolve_awakeable) of another handler, or over HTTP with
    /// `POST /restate/awakeables/{id}/resolve` at the ingress.
    #[track_caller]
    pub fn awakeable<T: Decode>(&self) -> (String, Durable<'_, T>) {
        let (id, handle) = self.attempt.issue(sdk_core::Vm::sys_awakeable).unzip();
        (id.unwrap_or_default(), Durable::new(&self.attempt, handle, read_sent))
    }

    /// Completes somebody's awakeable with a value; only the first completion counts.
    #[track_caller]
    pub fn resolve_awakeable(&self, id: &str, value: &(impl Encode + ?Sized)) {
        if let Some(bytes) = self.encode(value) {
            self.attempt.issue(|vm| vm.sys_complete_awakeable(id, Ok(bytes)));
        }
    }

    /// Completes somebody's awakeable with a failure.
    #[track_caller]
    pub fn reject_awakeable(&self, id: &str, failure: Terminal) {
        self.attempt.issue(|vm| vm.sys_complete_awakeable(id, Err(failure.into_failure())));
    }
}
