//! Tracks what a connection is doing and when it must close. Pure: the current time is passed in.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// The state of one connection: its requests, bodies and responses, and since when each is idle.
#[derive(Debug)]
pub(crate) struct Activity {
    /// Whether it speaks HTTP/2, where incoming bytes are frames and do not start a request head.
    is_http2: bool,
    /// Whether it has sent a request yet.
    has_asked: bool,
    /// Requests whose head has been read and whose response has not been fully written.
    under_way: usize,
    /// Request bodies that the service still holds.
    bodies: usize,
    /// Bodies whose next chunk is being waited for. Each maps to the time from which that body
    /// counts as too slow when connections are short.
    awaited: HashMap<u64, Instant>,
    /// Refused bodies that are still being drained.
    lingering: usize,
    /// When the last request, body or drain ended, or else when the connection was made.
    quiet_since: Instant,
    /// When the first byte of a still incomplete request head arrived.
    head_since: Option<Instant>,
    /// Since when the peer has accepted no bytes although there are bytes to write.
    stuck_since: Option<Instant>,
    /// Responses being written, and when the last chunk of each was taken.
    answers: HashMap<u64, Instant>,
    next_number: u64,
}

/// What makes a connection one that can be evicted while it has requests in progress.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Eviction {
    /// How long a response may be unread: [`Limits::stall_under_pressure`].
    pub(crate) stall: Duration,
    /// [`Limits::bodies_give_way`].
    pub(crate) bodies_give_way: bool,
}

/// How much a peer would miss this connection. Eviction takes the least missed one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Missed {
    /// It has never sent a request, or it has its response and is still sending a refused body.
    Never,
    /// It has all its responses, and may send another request.
    Perhaps,
    /// It has requests in progress, all of them blocked on the peer: their bodies arrive too slowly
    /// (or at all, where they give way), or the peer does not read their responses.
    Surely,
}

/// Why a connection must close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// The head of a request did not arrive in time.
    Head,
    /// No request arrived.
    Idle,
    /// The peer stopped reading its response.
    Stalled,
}

impl Activity {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            is_http2: false,
            has_asked: false,
            under_way: 0,
            bodies: 0,
            awaited: HashMap::new(),
            lingering: 0,
            quiet_since: now,
            head_since: None,
            stuck_since: None,
            answers: HashMap::new(),
            next_number: 0,
        }
    }

    /// Records that the connection opened with the HTTP/2 preface.
    pub(crate) fn begins_as_http2(&mut self) {
        self.is_http2 = true;
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// Records that bytes arrived.
    pub(crate) fn read(&mut self, now: Instant) {
        if !self.is_busy() && self.lingering == 0 && !self.is_http2 {
            self.head_since.get_or_insert(now);
        }
    }

    /// Records that a request head is complete.
    pub(crate) fn request_begins(&mut self) {
        self.under_way += 1;
        self.has_asked = true;
        self.head_since = None;
    }

    /// Records that a request has been answered or abandoned.
    ///
    /// # Panics
    /// Panics if no request is in progress.
    pub(crate) fn request_ends(&mut self, now: Instant) {
        assert!(self.under_way > 0, "a request ended that never started");
        self.under_way -= 1;
        self.quiet_since = now;
    }

    /// Records that a request body is handed to the service. Returns its number.
    pub(crate) fn body_begins(&mut self) -> u64 {
        self.bodies += 1;
        self.number()
    }

    /// Records that a body's next chunk is being waited for. From `late` on, the body counts as too
    /// slow when connections are short.
    pub(crate) fn body_is_awaited(&mut self, body: u64, late: Instant) {
        self.awaited.insert(body, late);
    }

    /// Records that a chunk of the body arrived.
    pub(crate) fn body_moves(&mut self, body: u64) {
        self.awaited.remove(&body);
    }

    /// Records that the service has dropped a body.
    ///
    /// # Panics
    /// Panics if the service holds no body.
    pub(crate) fn body_ends(&mut self, body: u64, now: Instant) {
        assert!(self.bodies > 0, "a body ended that never started");
        self.bodies -= 1;
        self.awaited.remove(&body);
        self.quiet_since = now;
    }

    /// Records that a refused body is being drained.
    pub(crate) fn linger_begins(&mut self) {
        self.lingering += 1;
    }

    /// Records that the drain of a refused body ended.
    ///
    /// # Panics
    /// Panics if no body is being drained.
    pub(crate) fn linger_ends(&mut self, now: Instant) {
        assert!(self.lingering > 0, "a drain ended that never started");
        self.lingering -= 1;
        self.quiet_since = now;
    }

    /// Records that a response is about to be written. Returns its number.
    pub(crate) fn answer_begins(&mut self, now: Instant) -> u64 {
        let number = self.number();
        self.answers.insert(number, now);
        number
    }

    /// Records that a chunk of the response was taken.
    pub(crate) fn answer_moves(&mut self, answer: u64, now: Instant) {
        if let Some(moved_at) = self.answers.get_mut(&answer) {
            *moved_at = now;
        }
    }

    /// Records that a response was written completely or dropped.
    pub(crate) fn answer_ends(&mut self, answer: u64) {
        self.answers.remove(&answer);
    }

    /// Whether a response is being written.
    pub(crate) fn is_writing(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Records that the peer accepts no more bytes for now.
    pub(crate) fn write_blocks(&mut self, now: Instant) {
        self.stuck_since.get_or_insert(now);
    }

    /// Records that the peer accepted bytes.
    pub(crate) fn write_moves(&mut self) {
        self.stuck_since = None;
    }

    /// How much the peer would miss this connection, and since when, or from when on. `None` while
    /// any request waits for the service. A response of which nothing was taken for the time of a
    /// stall counts as waiting for the peer, like a body that is late.
    pub(crate) fn missed(&self, now: Instant, eviction: Eviction) -> Option<(Missed, Instant)> {
        if self.is_busy() {
            let answers = self.answers.values().map(|moved_at| *moved_at + eviction.stall);
            let answers = answers.filter(|at| *at <= now);
            let bodies = self.awaited.values().copied();
            let bodies = bodies.filter(|at| eviction.bodies_give_way || *at <= now);
            let late = || bodies.clone().chain(answers.clone());
            let is_late = late().count() >= self.under_way;
            return late().max().filter(|_| is_late).map(|since| (Missed::Surely, since));
        }
        let is_missed = self.has_asked && self.lingering == 0;
        Some((if is_missed { Missed::Perhaps } else { Missed::Never }, self.quiet_since))
    }

    fn is_busy(&self) -> bool {
        self.under_way > 0 || self.bodies > 0
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// When the connection must close if nothing happens, and why. `None` while it waits only for
    /// the service.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<(Instant, Expired)> {
        let quiet = || match self.head_since {
            Some(since) => (since + limits.head, Expired::Head),
            None if !self.has_asked && !self.is_http2 => {
                (self.quiet_since + limits.head, Expired::Head)
            }
            None => (self.quiet_since + limits.idle, Expired::Idle),
        };
        let stalled = self.answers.values().copied().chain(self.stuck_since).min();
        let stalled = stalled.map(|since| (since + limits.stall_now(), Expired::Stalled));
        let quiet = (!self.is_busy() && self.lingering == 0).then(quiet);
        stalled.into_iter().chain(quiet).min_by_key(|(at, _)| *at)
    }
}
