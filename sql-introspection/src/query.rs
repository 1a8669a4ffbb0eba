//! A query that runs: it is a task of its own, so that its client is answered in time whatever it
//! computes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    common::ParamValues,
    logical_expr::LogicalPlan,
};
use futures::{Stream, StreamExt};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    abandoned::{Abandoned, UntilDropped},
    engine::{Engine, turn},
    error::SqlError,
    running::{Noted, Running},
};

/// Runs queries of one client, which may have only so many at a time.
#[derive(Debug, Clone)]
pub struct Client {
    engine: Arc<Engine>,
    running: Arc<Semaphore>,
    /// Whether a query beyond the number waits for another one to end. A connection that holds
    /// queries open would wait for itself.
    waits: bool,
}

impl Client {
    /// A client of an engine. All clones share its number of queries.
    pub fn new(engine: &Arc<Engine>, queries_max: usize) -> Self {
        let running = Arc::new(Semaphore::new(queries_max));
        Self { engine: Arc::clone(engine), running, waits: false }
    }

    /// The same, for requests that are independent of each other: they wait for their turn.
    pub fn of_many(engine: &Arc<Engine>, queries_max: usize) -> Self {
        Self { waits: true, ..Self::new(engine, queries_max) }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs a plan. Its rows are of one moment after the call, but for each partition another.
    /// The time limit counts from the call, so it includes the wait for a turn.
    ///
    /// # Errors
    /// Returns an error if the client has too many queries open, or the query cannot start.
    pub async fn run(
        &self,
        plan: LogicalPlan,
        parameters: Option<ParamValues>,
    ) -> Result<Batches, SqlError> {
        let limit = self.engine.query_timeout();
        let deadline = Instant::now() + limit;
        let run = async {
            let own = self.turn().await?;
            let (started, start) = oneshot::channel();
            let (sender, receiver) = mpsc::channel(1);
            let abandoned = Abandoned::after(deadline, limit);
            // Dropped with this future, it ends the task.
            let until = abandoned.when_dropped();
            let running = Running { abandoned, memory: self.engine.own_memory() };
            let running = self.engine.running_queries().note(running);
            let query = Query { engine: Arc::clone(&self.engine), plan, parameters, running };
            self.engine.threads().spawn(query.run(started, sender));
            let schema = start.await.map_err(|_| ended(&until))??;
            let deadline = Box::pin(sleep_until(deadline));
            Ok(Batches { schema, rows: receiver, is_over: false, deadline, until, _own: own })
        };
        let too_long = |_| SqlError::too_long(limit.as_secs());
        tokio::time::timeout_at(deadline, run).await.map_err(too_long)?
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, SqlError> {
        if self.waits {
            return turn(&self.running).await;
        }
        Arc::clone(&self.running).try_acquire_owned().map_err(|_| {
            SqlError::new("53400", "this connection has too many queries open")
                .hint("read the results of the others to their end, or close them")
        })
    }
}

/// What comes of a query: batches, and none at its end.
type Piece = Result<Option<RecordBatch>, SqlError>;

/// A query that is about to run.
struct Query {
    engine: Arc<Engine>,
    plan: LogicalPlan,
    parameters: Option<ParamValues>,
    running: Noted,
}

impl Query {
    /// Runs to the end, or until it is abandoned or its time is over. The permit is held for as long
    /// as anything is computed.
    async fn run(
        self,
        started: oneshot::Sender<Result<SchemaRef, SqlError>>,
        sender: mpsc::Sender<Piece>,
    ) {
        let Self { engine, plan, parameters, running } = self;
        let abandoned = &running.abandoned;
        // What fails once it is abandoned fails because of that.
        let why = |error: SqlError| abandoned.reason().unwrap_or(error);
        let work = async {
            let start = async {
                let permit = engine.turn().await?;
                let rows = engine.start(plan, parameters, &running).await?;
                Ok::<_, SqlError>((permit, rows))
            };
            let (_permit, mut rows) = match start.await {
                Ok(running) => running,
                Err(error) => return drop(started.send(Err(why(error)))),
            };
            // A send fails if nobody waits for rows any more.
            if started.send(Ok(rows.schema())).is_err() {
                return;
            }
            while let Some(batch) = rows.next().await {
                let is_over = batch.is_err();
                let piece = batch.map(Some).map_err(|error| why(error.into()));
                if sender.send(piece).await.is_err() || is_over {
                    return;
                }
            }
            let _ = sender.send(Ok(None)).await;
        };
        tokio::select! {
            () = work => (),
            () = abandoned.told() => (),
        }
        // Whatever is left of it elsewhere ends as well. After a panic, its client sees to it.
        abandoned.end();
    }
}

/// The rows of a query, in batches. They are read only a little faster than they are taken.
#[derive(Debug)]
pub struct Batches {
    schema: SchemaRef,
    rows: mpsc::Receiver<Piece>,
    /// Nothing comes after the end, nor after an error.
    is_over: bool,
    /// Wakes who waits for rows.
    deadline: Pin<Box<Sleep>>,
    until: UntilDropped,
    /// The client's own permit.
    _own: OwnedSemaphorePermit,
}

impl Batches {
    /// Columns of the rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Stream for Batches {
    type Item = Result<RecordBatch, SqlError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let piece = if self.deadline.as_mut().poll(context).is_ready() {
            self.rows.close();
            Err(ended(&self.until))
        } else {
            ready!(self.rows.poll_recv(context)).unwrap_or_else(|| Err(ended(&self.until)))
        };
        self.is_over = !matches!(piece, Ok(Some(_)));
        Poll::Ready(piece.transpose())
    }
}

/// Why a query has ended without saying so: it was given up, or its task has panicked.
fn ended(query: &UntilDropped) -> SqlError {
    query.reason().unwrap_or_else(|| {
        let what = "the query has ended without an answer, which is a fault of the server";
        SqlError::new("XX000", what).hint("its log says more")
    })
}
