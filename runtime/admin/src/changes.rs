//! Changes as they become durable, as server-sent events. The feed is injected.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures::{StreamExt, stream::BoxStream};

use crate::{
    Admin,
    error::{ErrorBody, Refusal},
    extract::Query,
};

/// Channels that one request may follow.
const CHANNELS_MAX: usize = 32;
/// How often a stream without changes shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its kind: `status`, `state` or `missed`.
    pub name: &'static str,
    /// A JSON object.
    pub data: String,
}

/// Why changes cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// There is no such channel.
    #[error("{0}")]
    NoSuchChannel(String),
    /// Others take all the streams that there may be.
    #[error(
        "{0} streams of changes are open, which is as many as there may be; close some of them"
    )]
    Busy(usize),
}

/// Provides changes.
pub trait ChangeFeed: Send + Sync + 'static {
    /// Follows channels from now on, until the node stops. A request that is sent after this one
    /// was answered shows all earlier changes.
    ///
    /// # Errors
    /// Returns an error if one of the channels does not exist, or there is no room.
    fn follow(
        self: Arc<Self>,
        channels: &[String],
    ) -> Result<BoxStream<'static, Event>, FollowError>;
}

/// Follows changes: a stream of server-sent events, each with a JSON object. `docs/sql.md` lists the
/// channels and what events say.
#[utoipa::path(
    get,
    path = "/changes",
    params(("channel" = Vec<String>, Query, description = "`invocations` or `state`, of all services, of one (`state:SERVICE`) or of one key (`state:SERVICE/KEY`); may be repeated")),
    responses(
        (status = 200, description = "Events `status`, `state` and `missed`", content_type = "text/event-stream"),
        (status = 400, description = "There is no such channel", body = ErrorBody),
        (status = 429, description = "Too many streams are open", body = ErrorBody),
    )
)]
pub async fn follow(
    State(admin): State<Admin>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let mut channels = Vec::new();
    for (name, value) in parameters {
        if name != "channel" {
            let what = format!("'{name}' is not a parameter; name what to follow with 'channel'");
            return Err(Refusal::BadRequest(what));
        }
        channels.push(value);
    }
    if channels.is_empty() || channels.len() > CHANNELS_MAX {
        let what = format!("name 1 to {CHANNELS_MAX} channels, as in /changes?channel=invocations");
        return Err(Refusal::BadRequest(what));
    }
    let events = Arc::clone(&admin.changes).follow(&channels)?;
    let events = events
        .map(|event| Ok::<_, Infallible>(sse::Event::default().event(event.name).data(event.data)));
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}
