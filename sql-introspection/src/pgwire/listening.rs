//! The channels that a session listens to.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::{
    error::SqlError,
    feed::{Feed, Notification, Subscription},
};

/// Channels that a session may listen to.
const CHANNELS_MAX: usize = 32;

/// The channels of one session.
pub(super) struct Listening {
    feed: Arc<dyn Feed>,
    /// `None` unless there are channels, so that changes cost nothing that nobody follows.
    subscription: Mutex<Option<Box<dyn Subscription>>>,
}

impl Listening {
    pub(super) fn new(feed: Arc<dyn Feed>) -> Self {
        Self { feed, subscription: Mutex::new(None) }
    }

    /// Follows a channel.
    pub(super) async fn listen(&self, channel: &str) -> Result<(), SqlError> {
        let mut subscription = self.subscription.lock().await;
        let mut following = match subscription.take() {
            Some(following) => following,
            None => Arc::clone(&self.feed).subscribe(),
        };
        let listened = if following.channels() < CHANNELS_MAX {
            following.listen(channel).map_err(|error| SqlError::new("22023", error.to_string()))
        } else {
            let what = format!("a session may listen to {CHANNELS_MAX} channels");
            Err(SqlError::new("53400", what).hint("UNLISTEN some of them"))
        };
        *subscription = Some(following).filter(|following| following.channels() > 0);
        listened
    }

    /// No longer follows a channel, or any.
    pub(super) async fn unlisten(&self, channel: Option<&str>) {
        let mut subscription = self.subscription.lock().await;
        let is_left = match (subscription.as_mut(), channel) {
            (Some(following), Some(channel)) => {
                following.unlisten(channel);
                following.channels() > 0
            }
            _ => false,
        };
        if !is_left {
            *subscription = None;
        }
    }

    /// The next notification. Never resolves without channels, and loses nothing if it is dropped.
    pub(super) async fn next(&self) -> Notification {
        let mut subscription = self.subscription.lock().await;
        let next = match subscription.as_mut() {
            Some(following) => following.next().await,
            None => None,
        };
        match next {
            Some(notification) => notification,
            // Once the server is stopping, it ends the connection.
            None => std::future::pending().await,
        }
    }
}
