//! Durable timers, which keep running while the service is down.

use std::future::{Future, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Context;
use crate::{
    attempt::Attempt,
    duration::millis,
    error::{HandlerError, Result, Terminal},
    future::{Durable, read_done},
};

impl Context {
    /// Completes after `duration`, rounded up to whole milliseconds: never early.
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> Durable<'_, ()> {
        sleep(&self.attempt, "", duration)
    }

    /// Completes at `time`, or at once if it has passed.
    #[track_caller]
    pub fn sleep_until(&self, time: SystemTime) -> Durable<'_, ()> {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        sleep_until_ms(&self.attempt, "", millis(since_epoch))
    }

    /// The current time in whole milliseconds. It is read once; replays get it from the journal.
    #[track_caller]
    pub fn now(&self) -> impl Future<Output = Result<SystemTime, Terminal>> + use<'_> {
        let attempt = &*self.attempt;
        // Read inside the closure, because a replay must not read the clock.
        let run = self.run("now", move || {
            let now_ms = attempt.now_ms();
            ready(Ok::<u64, HandlerError>(now_ms))
        });
        async move { Ok(UNIX_EPOCH + Duration::from_millis(run.await?)) }
    }
}

/// A sleep that starts now.
#[track_caller]
pub(crate) fn sleep<'c>(attempt: &'c Attempt, name: &str, duration: Duration) -> Durable<'c, ()> {
    // Rounded up, so that it is never early.
    let whole_ms = millis(duration.saturating_add(Duration::from_nanos(999_999)));
    sleep_until_ms(attempt, name, attempt.now_ms().saturating_add(whole_ms))
}

#[track_caller]
fn sleep_until_ms<'c>(attempt: &'c Attempt, name: &str, time_ms: u64) -> Durable<'c, ()> {
    let handle = attempt.issue(|vm| vm.sys_sleep(name, time_ms));
    Durable::new(attempt, handle, read_done)
}
