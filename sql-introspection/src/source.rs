//! What this crate needs from the runtime: typed records of one moment, read in bounded pages.
//! Implemented where the server is wired.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::tables::{
    Attempt, Audited, Deployment, Event, Invocation, InvocationEntry, JournalEntry, Lock, Promise,
    Service, State, Timer, Wait, WhyLink,
};

/// Why rows cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The node is shutting down.
    #[error("the server is stopping; run the query again once it is back")]
    Stopping,
    /// Queries keep more changed rows in memory than the configuration allows, and this one is the
    /// oldest.
    #[error(
        "the queries under way keep too many changed rows in memory, and this is the oldest of \
         them; run it again, or raise memory-budget-bytes"
    )]
    Crowded,
}

/// Provides the rows of the node.
pub trait Source: Send + Sync + 'static {
    /// The rows as of some moment after the call, all of them durable. They include every change
    /// that was acknowledged before the call. Each partition has a moment of its own.
    ///
    /// # Errors
    /// Returns an error if the node is stopping.
    fn snapshot(&self) -> BoxFuture<'_, Result<Arc<dyn Rows>, Unavailable>>;
}

/// The rows of one moment, by type of record.
pub trait Rows:
    Scan<Invocation>
    + Scan<JournalEntry>
    + Scan<State>
    + Scan<InvocationEntry>
    + Scan<Lock>
    + Scan<Promise>
    + Scan<Timer>
    + Scan<Wait>
    + Scan<WhyLink>
    + Scan<Attempt>
    + Scan<Event>
    + Scan<Audited>
    + Scan<Deployment>
    + Scan<Service>
    + Send
    + Sync
{
    /// Number of partitions; each is read separately.
    fn partitions(&self) -> u16;
}

/// A type of record, and what can be asked of its source.
pub trait Record: Sized + Send + 'static {
    /// Conditions that the source understands.
    type Filter: Clone + std::fmt::Debug + Send + Sync + 'static;
    /// The parts of a record that may be left out.
    type Part: Copy + PartialEq + std::fmt::Debug + Send + Sync + 'static;
}

/// Provides one type of record.
pub trait Scan<R: Record> {
    /// Reads the next records of a partition. Blocks the thread for as long as that takes, which
    /// the limits of the page bound.
    ///
    /// # Errors
    /// Returns an error if the rows may not be read any longer.
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<R>,
        after: Option<&Cursor>,
        page: PageLimit,
    ) -> Result<Page<R>, Unavailable>;
}

/// Which records to read, and what of each.
pub struct Wanted<R: Record> {
    /// Records that do not match may be left out.
    pub filter: R::Filter,
    /// The parts that are looked at. The others may be left empty.
    pub parts: Vec<R::Part>,
    /// The direction of the type's own order, if the query needs it.
    pub order: Option<Direction>,
    /// Whether a record may stand for many that are equal in the wanted parts.
    pub is_counted: bool,
}

impl<R: Record> Clone for Wanted<R> {
    fn clone(&self) -> Self {
        let Self { filter, parts, order, is_counted } = self;
        let (filter, parts) = (filter.clone(), parts.clone());
        Self { filter, parts, order: *order, is_counted: *is_counted }
    }
}

impl<R: Record> fmt::Debug for Wanted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter {:?}, parts {:?}, order {:?}", self.filter, self.parts, self.order)?;
        f.write_str(if self.is_counted { ", counted" } else { "" })
    }
}

/// A direction of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest on.
    Ascending,
    /// From the largest on.
    Descending,
}

/// A position in a scan. Opaque to this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// How much to read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit {
    /// Number of records looked at.
    pub rows_max: usize,
    /// Their size in bytes; the last record may exceed it.
    pub bytes_max: usize,
}

impl<R> Page<R> {
    /// The same page of other records.
    pub fn map<T>(self, to: impl FnMut(R) -> T) -> Page<T> {
        let Self { records, counts, rest_after } = self;
        Page { records: records.into_iter().map(to).collect(), counts, rest_after }
    }
}

/// Records in the order in which they were read.
#[derive(Debug, Clone)]
pub struct Page<R> {
    /// The records.
    pub records: Vec<R>,
    /// How many each of them stands for, if that is not one each.
    pub counts: Option<Vec<u64>>,
    /// Where to continue; `None` at the end.
    pub rest_after: Option<Cursor>,
}
