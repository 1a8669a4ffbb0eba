//! One listener, and how it serves SQL and the admin API.

use std::collections::VecDeque;
use std::sync::{Arc, atomic::Ordering};

use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use runtime_admin::changes::{ChangeFeed, Event, FollowError};
use runtime_views::change::{Change, NoSuchTopic, Topic};
use sql_introspection::feed::{Feed, NoSuchChannel, Notification, Subscription};
use tokio::sync::watch;

use super::{Changes, STREAMS_MAX, latest::Notice, message};

/// Follows some topics from the moment on at which it was created.
pub(super) struct Listener {
    changes: Arc<Changes>,
    topics: Vec<(String, Topic)>,
    position: u64,
    wake: watch::Receiver<()>,
    /// Notifications that have not been fetched yet: a change may be of several topics.
    pending: VecDeque<Notification>,
}

impl Listener {
    pub(super) fn new(changes: &Arc<Changes>) -> Self {
        changes.listeners.fetch_add(1, Ordering::SeqCst);
        let position = changes.latest().end();
        Self {
            changes: Arc::clone(changes),
            topics: Vec::new(),
            position,
            wake: changes.wake.clone(),
            pending: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, name: &str) -> Result<(), NoSuchTopic> {
        if self.topics.iter().all(|(known, _)| known != name) {
            self.topics.push((name.to_owned(), Topic::parse(name)?));
        }
        Ok(())
    }

    /// The next notice; `None` once the node stops.
    pub(super) async fn notice(&mut self) -> Option<Notice> {
        loop {
            // Before it looks, or it would sleep through what arrives meanwhile.
            self.wake.borrow_and_update();
            let is_wanted = |change: &Change| self.topics.iter().any(|(_, it)| it.includes(change));
            let notice = self.changes.latest().after(&mut self.position, is_wanted);
            if notice.is_some() {
                return notice;
            }
            self.wake.changed().await.ok()?;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.changes.listeners.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Feed for Changes {
    fn subscribe(self: Arc<Self>) -> Box<dyn Subscription> {
        Box::new(Listener::new(&self))
    }
}

impl Subscription for Listener {
    fn listen(&mut self, channel: &str) -> Result<(), NoSuchChannel> {
        self.add(channel).map_err(|error| NoSuchChannel(error.to_string()))
    }

    fn unlisten(&mut self, channel: &str) {
        self.topics.retain(|(name, _)| name != channel);
        self.pending.retain(|notification| notification.channel != channel);
    }

    fn channels(&self) -> usize {
        self.topics.len()
    }

    fn next(&mut self) -> BoxFuture<'_, Option<Notification>> {
        Box::pin(async {
            while self.pending.is_empty() {
                let notice = self.notice().await?;
                let payload = message::of(&notice).data;
                let is_of = |topic: &Topic| match &notice {
                    Notice::Change(change) => topic.includes(change),
                    Notice::Missed(_) => true,
                };
                let channels = self.topics.iter().filter(|(_, topic)| is_of(topic));
                self.pending.extend(channels.map(|(channel, _)| Notification {
                    channel: channel.clone(),
                    payload: payload.clone(),
                }));
            }
            self.pending.pop_front()
        })
    }
}

impl ChangeFeed for Changes {
    fn follow(
        self: Arc<Self>,
        channels: &[String],
    ) -> Result<BoxStream<'static, Event>, FollowError> {
        let permit = Arc::clone(&self.streams).try_acquire_owned();
        let permit = permit.map_err(|_| FollowError::Busy(STREAMS_MAX))?;
        let mut listener = Listener::new(&self);
        for channel in channels {
            listener.add(channel).map_err(|error| FollowError::NoSuchChannel(error.to_string()))?;
        }
        let events = stream::unfold((listener, permit), |(mut listener, permit)| async move {
            Some((message::of(&listener.notice().await?), (listener, permit)))
        });
        Ok(events.boxed())
    }
}
