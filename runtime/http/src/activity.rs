//! What a connection is doing, and until when it may. Pure: time comes in.

use std::collections::HashMap;
use std::time::Duration;

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
    /// Bodies of requests that somebody has.
    bodies: usize,
    /// Those whose next piece is waited for, and from when on each is too slow when places are short.
    awaited: HashMap<u64, Instant>,
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
    next_number: u64,
}

/// How little a connection would be missed; the least comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Missed {
    /// It has never asked, or has its answer and still sends.
    Never,
    /// It has all its answers, and may ask again.
    Perhaps,
    /// It has requests under way, and all of them wait for the other side: for bodies that are slower than
    /// they may be, or for somebody to take the answers.
    Surely,
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
        if !self.is_busy() && self.lingering == 0 && !self.is_http2 {
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

    /// A request's body is handed over; its number.
    pub(crate) fn body_begins(&mut self) -> u64 {
        self.bodies += 1;
        self.number()
    }

    /// The next piece of a body is waited for, which is too slow from `late` on when places are short.
    pub(crate) fn body_is_awaited(&mut self, body: u64, late: Instant) {
        self.awaited.insert(body, late);
    }

    /// A piece of it came.
    pub(crate) fn body_moves(&mut self, body: u64) {
        self.awaited.remove(&body);
    }

    /// Nobody has it any more.
    ///
    /// # Panics
    /// When nobody had.
    pub(crate) fn body_ends(&mut self, body: u64, now: Instant) {
        assert!(self.bodies > 0, "a body ends that never began");
        self.bodies -= 1;
        self.awaited.remove(&body);
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
        let number = self.number();
        self.answers.insert(number, now);
        number
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

    /// How little it would be missed, and since when; `None` while it waits for us. An answer of which
    /// nothing was taken for `stall` waits for the other side, as a late body does.
    pub(crate) fn missed(&self, now: Instant, stall: Duration) -> Option<(Missed, Instant)> {
        if self.is_busy() {
            let answers = self.answers.values().map(|moved_at| *moved_at + stall);
            let late =
                || self.awaited.values().copied().chain(answers.clone()).filter(|at| *at <= now);
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
        let quiet = (!self.is_busy() && self.lingering == 0).then(quiet);
        stalled.into_iter().chain(quiet).min_by_key(|(at, _)| *at)
    }
}
