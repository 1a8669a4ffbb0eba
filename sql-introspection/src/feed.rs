//! What this crate needs from the runtime so that clients can `LISTEN`: changes as they become
//! durable, by channel. Implemented where the server is wired.

use std::sync::Arc;

use futures::future::BoxFuture;

/// A channel that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoSuchChannel(pub String);

/// A change, or how many were missed, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The channel that it is for.
    pub channel: String,
    /// What it says.
    pub payload: String,
}

/// Provides changes.
pub trait Feed: Send + Sync + 'static {
    /// Follows changes from now on. A query that begins after this call shows all earlier ones.
    fn subscribe(self: Arc<Self>) -> Box<dyn Subscription>;
}

/// The channels that one session follows.
pub trait Subscription: Send {
    /// Follows a channel, if it does not already.
    ///
    /// # Errors
    /// Returns an error if there is no such channel.
    fn listen(&mut self, channel: &str) -> Result<(), NoSuchChannel>;

    /// No longer follows a channel.
    fn unlisten(&mut self, channel: &str);

    /// The number of channels that it follows.
    fn channels(&self) -> usize;

    /// The next notification; `None` once the server is stopping. Nothing is lost if this is
    /// dropped before it resolves.
    fn next(&mut self) -> BoxFuture<'_, Option<Notification>>;
}
