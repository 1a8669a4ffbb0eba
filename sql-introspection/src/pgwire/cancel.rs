//! Cancelling a query from another connection, which knows the first one's secret key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use pgwire::{
    api::cancel::CancelHandler,
    messages::{cancel::CancelRequest, startup::SecretKey},
};
use tokio::sync::Notify;

type Key = (i32, Bytes);

/// The connections whose queries can be cancelled.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancels(Arc<Mutex<HashMap<Key, Arc<Notify>>>>);

/// Keeps a connection registered.
#[derive(Debug)]
pub(super) struct Registered {
    cancels: Cancels,
    key: Key,
}

impl Cancels {
    /// Registers a connection: whoever presents the key wakes who waits for `cancelled`, or who waits
    /// for it next, since a statement comes in several messages and takes its time to be planned.
    pub(super) fn register(
        &self,
        pid: i32,
        secret: &SecretKey,
        cancelled: &Arc<Notify>,
    ) -> Registered {
        let key = (pid, secret.to_bytes());
        self.all().insert(key.clone(), Arc::clone(cancelled));
        Registered { cancels: self.clone(), key }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.cancels.all().remove(&self.key);
    }
}

#[async_trait]
impl CancelHandler for Cancels {
    async fn on_cancel_request(&self, request: CancelRequest) {
        let key = (request.pid, request.secret_key.to_bytes());
        // A wrong key is ignored, so that guessing keys teaches nothing.
        if let Some(cancelled) = self.all().get(&key) {
            cancelled.notify_one();
        }
    }
}
