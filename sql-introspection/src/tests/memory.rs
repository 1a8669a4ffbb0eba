//! A source of records in memory.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use tokio::runtime::Handle;

use crate::{
    Engine, Settings,
    source::{Cursor, Direction, Page, PageLimit, Record, Rows, Scan, Source, Unavailable, Wanted},
    tables::{
        Attempt, Audited, Deployment, Event, Invocation, InvocationEntry, JournalEntry, Lock,
        Promise, Service, State, Status, Timer, Wait, WhyLink, invocation::Part,
    },
};

const PARTITIONS: u16 = 3;

/// Invocations `inv_0`, `inv_1` and so on, a millisecond apart, every second one running.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Inner>);

struct Inner {
    invocations: usize,
    read: AtomicUsize,
    snapshots: AtomicUsize,
    wanted: Mutex<Option<Wanted<Invocation>>>,
}

impl Memory {
    pub(crate) fn of(invocations: usize) -> Self {
        Self(Arc::new(Inner {
            invocations,
            read: AtomicUsize::new(0),
            snapshots: AtomicUsize::new(0),
            wanted: Mutex::new(None),
        }))
    }

    /// How many invocations have been read since the last call.
    pub(crate) fn read(&self) -> usize {
        self.0.read.swap(0, Ordering::Relaxed)
    }

    /// How many snapshots have been taken.
    pub(crate) fn snapshots(&self) -> usize {
        self.0.snapshots.load(Ordering::Relaxed)
    }

    /// What the last query wanted of invocations.
    pub(crate) fn wanted(&self) -> Wanted<Invocation> {
        self.0.wanted.lock().unwrap().clone().unwrap()
    }
}

pub(crate) async fn engine(memory: &Memory) -> Arc<Engine> {
    Arc::new(Engine::new(Arc::new(memory.clone()), settings()).await.unwrap())
}

/// Settings with little memory.
pub(crate) fn settings() -> Settings {
    Settings {
        memory_bytes: 8 << 20,
        queries_max: 8,
        query_timeout: Duration::from_secs(60),
        parallelism: 2,
        threads: Handle::current(),
    }
}

pub(crate) async fn engine_with(
    memory: &Memory,
    query_timeout: Duration,
    queries_max: usize,
) -> Arc<Engine> {
    let settings = Settings { queries_max, query_timeout, ..settings() };
    Arc::new(Engine::new(Arc::new(memory.clone()), settings).await.unwrap())
}

impl Source for Memory {
    fn snapshot(&self) -> BoxFuture<'_, Result<Arc<dyn Rows>, Unavailable>> {
        self.0.snapshots.fetch_add(1, Ordering::Relaxed);
        let rows: Arc<dyn Rows> = Arc::new(self.clone());
        async { Ok(rows) }.boxed()
    }
}

impl Rows for Memory {
    fn partitions(&self) -> u16 {
        PARTITIONS
    }
}

/// A page of numbered records; the cursor is how many have been read.
fn page<R>(
    numbers: &[usize],
    after: Option<&Cursor>,
    limit: PageLimit,
    record: impl Fn(usize) -> R,
) -> Page<R> {
    let from = after.map_or(0, |cursor| cursor.0.parse().unwrap());
    let until = numbers.len().min(from + limit.rows_max);
    let records = numbers[from..until].iter().map(|number| record(*number)).collect();
    let rest_after = (until < numbers.len()).then(|| Cursor(until.to_string()));
    Page { records, counts: None, rest_after }
}

fn invocation(number: usize) -> Invocation {
    Invocation {
        id: format!("inv_{number}"),
        status: if number % 2 == 1 { Status::Running } else { Status::Completed },
        service: "Greeter".to_owned(),
        handler: "greet".to_owned(),
        created_at: number as u64,
        ..Invocation::default()
    }
}

impl Scan<Invocation> for Memory {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Invocation>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Invocation>, Unavailable> {
        *self.0.wanted.lock().unwrap() = Some(wanted.clone());
        let own = |number: &usize| number % usize::from(PARTITIONS) == usize::from(partition);
        let is_named = |number: &usize| {
            let id = format!("inv_{number}");
            wanted.filter.ids.as_ref().is_none_or(|ids| ids.contains(&id))
        };
        let mut numbers: Vec<_> = (0..self.0.invocations).filter(own).filter(is_named).collect();
        if wanted.order == Some(Direction::Descending) {
            numbers.reverse();
        }
        let found = if wanted.is_counted && wanted.parts.iter().all(|it| *it == Part::Status) {
            let (odd, even): (Vec<usize>, Vec<_>) = numbers.iter().partition(|it| *it % 2 == 1);
            let groups = [odd, even].into_iter().filter(|group| !group.is_empty());
            let groups = groups.map(|group| (group[0], group.len() as u64));
            let (firsts, counts): (Vec<_>, _) = groups.unzip();
            Page { counts: Some(counts), ..page(&firsts, after, limit, invocation) }
        } else {
            page(&numbers, after, limit, invocation)
        };
        self.0.read.fetch_add(found.records.len(), Ordering::Relaxed);
        Ok(found)
    }
}

impl Scan<State> for Memory {
    fn scan(
        &self,
        partition: u16,
        _: &Wanted<State>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<State>, Unavailable> {
        let numbers: &[usize] = if partition == 0 { &[1, 2] } else { &[] };
        Ok(page(numbers, after, limit, |number| State {
            partition_key: 7,
            service: "Order".to_owned(),
            alias: (number == 2).then(|| "Old".to_owned()),
            object_key: number.to_string(),
            key: "state".into(),
            value: r#"{"status":"NEW"}"#.into(),
        }))
    }
}

macro_rules! nothing_of {
    ($($record:ty),*) => {
        $(impl Scan<$record> for Memory {
            fn scan(
                &self,
                _: u16,
                _: &Wanted<$record>,
                _: Option<&Cursor>,
                _: PageLimit,
            ) -> Result<Page<$record>, Unavailable>
            where
                $record: Record,
            {
                Ok(Page { records: Vec::new(), counts: None, rest_after: None })
            }
        })*
    };
}

nothing_of!(
    Attempt,
    Audited,
    Event,
    JournalEntry,
    InvocationEntry,
    Lock,
    Promise,
    Timer,
    Wait,
    WhyLink,
    Deployment,
    Service
);
