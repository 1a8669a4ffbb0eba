//! What a connection is doing, and until when it may. Pure: time comes in.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::limits::Limits;

/// What a connection is doing.
#[derive(Debug)]
pub(crate) struct Activity {
    /// Whether it is one of HTTP/2: its frames are no request's head.
    is_http2: bool,
    /// Whether it has asked for anything yet.
    has_asked: bool,
    /// Requests whose head is read and whose answer is not written.
    under_way: usize,
    /// Bodies that are read on though they were refused.
    lingering: usize,
    /// Since when there is none.
    quiet_since: Instant,
    /// When the first byte of a head came that is not whole yet.
    head_since: Option<Instant>,
    /// Since when the other side takes nothing, though there is something to take.
    stuck_since: Option<Instant>,
    /// Answers that are being written, and when somebody last took a piece of each.
    answers: HashMap<u64, Instant>,
    next_answer: u64,
}

/// Why a connection has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// The head of a request did not come.
    Head,
    /// Nothing was asked.
    Idle,
    /// The other side took nothing of its answer.
    Stalled,
}

impl Activity {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            is_http2: false,
            has_asked: false,
            under_way: 0,
            lingering: 0,
            quiet_since: now,
            head_since: None,
            stuck_since: None,
            answers: HashMap::new(),
            next_answer: 0,
        }
    }

    /// It begins as HTTP/2 does.
    pub(crate) fn begins_as_http2(&mut self) {
        self.is_http2 = true;
    }

    /// Whether it is one of HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// Bytes came in.
    pub(crate) fn read(&mut self, now: Instant) {
        if self.under_way == 0 && self.lingering == 0 && !self.is_http2 {
            self.head_since.get_or_insert(now);
        }
    }

    /// The head of a request is whole.
    pub(crate) fn request_begins(&mut self) {
        self.under_way += 1;
        self.has_asked = true;
        self.head_since = None;
    }

    /// A request is answered, or given up.
    ///
    /// # Panics
    /// When none is under way.
    pub(crate) fn request_ends(&mut self, now: Instant) {
        assert!(self.under_way > 0, "a request ends that never began");
        self.under_way -= 1;
        self.quiet_since = now;
    }

    /// A body is read on though it was refused.
    pub(crate) fn linger_begins(&mut self) {
        self.lingering += 1;
    }

    /// It is not, any more.
    ///
    /// # Panics
    /// When none was.
    pub(crate) fn linger_ends(&mut self, now: Instant) {
        assert!(self.lingering > 0, "a body lingers no more that never did");
        self.lingering -= 1;
        self.quiet_since = now;
    }

    /// An answer is to be written; its number.
    pub(crate) fn answer_begins(&mut self, now: Instant) -> u64 {
        self.next_answer += 1;
        self.answers.insert(self.next_answer, now);
        self.next_answer
    }

    /// A piece of it was taken.
    pub(crate) fn answer_moves(&mut self, answer: u64, now: Instant) {
        if let Some(moved_at) = self.answers.get_mut(&answer) {
            *moved_at = now;
        }
    }

    /// All of it was taken, or nobody wants it any more.
    pub(crate) fn answer_ends(&mut self, answer: u64) {
        self.answers.remove(&answer);
    }

    /// Whether an answer is being written.
    pub(crate) fn is_writing(&self) -> bool {
        !self.answers.is_empty()
    }

    /// The other side takes no more for now.
    pub(crate) fn write_blocks(&mut self, now: Instant) {
        self.stuck_since.get_or_insert(now);
    }

    /// It took something.
    pub(crate) fn write_moves(&mut self) {
        self.stuck_since = None;
    }

    /// Since when nobody would miss it; `None` while a request is under way. One that has never asked, or
    /// has its answer and still sends, goes before one that has asked.
    pub(crate) fn quiet_since(&self) -> Option<(bool, Instant)> {
        let is_missed = self.has_asked && self.lingering == 0;
        (self.under_way == 0).then_some((is_missed, self.quiet_since))
    }

    /// When it has to go if nothing happens, and why; `None` while only the handler is waited for.
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
        let quiet = (self.under_way == 0 && self.lingering == 0).then(quiet);
        stalled.into_iter().chain(quiet).min_by_key(|(at, _)| *at)
    }
}
