//! Lists invocations in pages, by partition and by creation within it. A page therefore costs only
//! what it shows, however long the list is, and changes between two pages never move an invocation
//! from one to the other.
//!
//! A partition reads an index per status, and no unwanted row. It reads in turns that are bounded
//! in rows and bytes, so that other work proceeds in between.

use std::fmt;

use runtime_core::{Lsn, PartitionId, model::invocation::StatusKind};
use runtime_views::{invocation::List, page::Budget};

use super::{
    Invocations,
    view::{InvocationView, LISTED_TEXT_BYTES_MAX},
};
use crate::{Admin, error::Refusal, text};

/// Default number of invocations on a page.
const LIMIT: usize = 100;
/// Largest number of invocations on a page.
const LIMIT_MAX: usize = 1000;
/// Largest size of a page's JSON, in bytes. A page ends before the invocation that would exceed it.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Largest number of rows that a partition reads in one turn: well under a millisecond of work,
/// from memory.
const TURN_ROWS_MAX: usize = 64;
/// Bytes of rows after which a turn ends. The last row may exceed it: a result may have 32 MiB.
const TURN_BYTES_MAX: usize = 4 << 20;

/// A cursor: the partition and invocation after which the next page starts. Clients see it as
/// opaque text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    partition: PartitionId,
    lsn: Lsn,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.partition.0, self.lsn.0)
    }
}

impl Position {
    /// Before the first invocation.
    const START: Self = Self { partition: PartitionId(0), lsn: Lsn(0) };

    /// Parses a cursor. `partitions` is the number of partitions that exist.
    fn parse(text: &str, partitions: u16) -> Result<Self, Refusal> {
        let parsed = || {
            let (partition, lsn) = text.split_once('-')?;
            let partition = u16::from_str_radix(partition, 16).ok()?;
            let lsn = u64::from_str_radix(lsn, 16).ok()?;
            let position = Self { partition: PartitionId(partition), lsn: Lsn(lsn) };
            (partition < partitions).then_some(position)
        };
        parsed().ok_or_else(|| {
            Refusal::BadRequest(format!(
                "'after' is '{}', which is not the 'next' of any page; leave it out for the first page",
                text::shown(text)
            ))
        })
    }
}

/// Parses the limit of a page.
fn limit(text: Option<&str>) -> Result<usize, Refusal> {
    let Some(text) = text else { return Ok(LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        Refusal::BadRequest(format!(
            "'limit' is '{}', expected a number from 1 to {LIMIT_MAX}; use 'after' for the next page",
            text::shown(text)
        ))
    })
}

/// A page being filled.
#[derive(Debug)]
struct Page {
    limit: usize,
    bytes_max: usize,
    invocations: Vec<InvocationView>,
    bytes: usize,
    /// Cursor of the last invocation on the page.
    last: Position,
}

impl Page {
    /// Adds an invocation if it fits on the page. The first one is always added.
    fn take(&mut self, at: Position, invocation: InvocationView) -> bool {
        let bytes = invocation.json_bytes();
        let is_first = self.invocations.is_empty();
        let is_full = self.invocations.len() == self.limit || self.bytes + bytes > self.bytes_max;
        if is_full && !is_first {
            return false;
        }
        self.bytes += bytes;
        self.last = at;
        self.invocations.push(invocation);
        true
    }

    /// How many rows to read for the page: one more than fits, which tells whether there is another
    /// page.
    fn rows_wanted(&self) -> usize {
        self.limit - self.invocations.len() + 1
    }

    fn ended(self, is_full: bool) -> Invocations {
        let next = is_full.then(|| self.last.to_string());
        Invocations { invocations: self.invocations, next }
    }
}

/// Reads the page after a cursor.
pub(super) async fn read(
    admin: &Admin,
    wanted: Vec<StatusKind>,
    limit_text: Option<&str>,
    after: Option<&str>,
) -> Result<Invocations, Refusal> {
    let limit = limit(limit_text)?;
    let partitions = admin.partitions.count();
    let mut position =
        after.map_or(Ok(Position::START), |text| Position::parse(text, partitions))?;
    let mut page = Page {
        limit,
        bytes_max: PAGE_BYTES_MAX,
        invocations: Vec::new(),
        bytes: 0,
        last: position,
    };
    while position.partition.0 < partitions {
        let rows_max = page.rows_wanted().min(TURN_ROWS_MAX);
        let turn = List {
            statuses: wanted.clone(),
            after: position.lsn,
            budget: Budget { rows_max, bytes_max: TURN_BYTES_MAX },
            text_bytes_max: LISTED_TEXT_BYTES_MAX,
        };
        let found = admin.partitions.read(position.partition, turn).await?;
        for (lsn, invocation) in found.rows {
            if !page.take(Position { lsn, ..position }, invocation.into()) {
                return Ok(page.ended(true));
            }
        }
        position = match found.rest_after {
            Some(lsn) => Position { lsn, ..position },
            None => Position { partition: PartitionId(position.partition.0 + 1), lsn: Lsn(0) },
        };
    }
    Ok(page.ended(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> InvocationView {
        InvocationView {
            id: id.to_owned(),
            target: "S/h".to_owned(),
            status: "running",
            created_at: String::new(),
            modified_at: String::new(),
            next_retry_at: None,
            deployment_id: None,
            retry_count: 0,
            journal_size: 0,
            idempotency_key: None,
            last_failure: None,
            completion_failure: None,
            restarted_from: None,
        }
    }

    fn position(lsn: u64) -> Position {
        Position { partition: PartitionId(3), lsn: Lsn(lsn) }
    }

    fn page(limit: usize, bytes_max: usize) -> Page {
        Page { limit, bytes_max, invocations: Vec::new(), bytes: 0, last: Position::START }
    }

    #[test]
    fn a_page_ends_with_its_limit_and_says_where_the_next_begins() {
        let mut page = page(2, usize::MAX);
        assert!(page.take(position(7), named("a")));
        assert_eq!(page.rows_wanted(), 2, "one to take, and one that tells whether there is more");
        assert!(page.take(position(9), named("b")));
        assert!(!page.take(position(12), named("c")));
        let ended = page.ended(true);
        assert_eq!(ended.invocations.len(), 2);
        assert_eq!(Position::parse(&ended.next.unwrap(), 4).unwrap(), position(9));
    }

    #[test]
    fn a_page_has_no_more_bytes_than_it_may_but_one_invocation_in_any_case() {
        let bytes = named("a").json_bytes();
        let mut small = page(100, 2 * bytes);
        let taken: Vec<bool> = (1..=3).map(|lsn| small.take(position(lsn), named("a"))).collect();
        assert_eq!(taken, [true, true, false]);
        let mut tiny = page(100, 1);
        assert!(tiny.take(position(1), named("a")));
        assert!(!tiny.take(position(2), named("b")));
    }

    #[test]
    fn what_no_page_has_said_is_no_place() {
        for text in ["", "3", "3-", "-1", "x-1", "3-x", "4-1", "10000-1", "3-10000000000000000"] {
            let refused = Position::parse(text, 4).unwrap_err().to_string();
            assert!(refused.starts_with("'after' is '"), "{text}: {refused}");
        }
        for text in ["0", "1001", "-1", "x", "", "99999999999999999999"] {
            let refused = limit(Some(text)).unwrap_err().to_string();
            assert!(refused.contains("expected a number from 1 to 1000"), "{text}: {refused}");
        }
        assert_eq!(limit(None).unwrap(), 100);
        assert_eq!(limit(Some("1000")).unwrap(), 1000);
    }
}
