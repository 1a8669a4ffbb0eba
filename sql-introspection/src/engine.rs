//! A query from its text to its rows.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    common::ParamValues,
    execution::{
        SendableRecordBatchStream, SessionState, SessionStateBuilder,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::{FairSpillPool, TrackConsumersPool},
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::LogicalPlan,
    physical_plan::execute_stream,
    prelude::{SQLOptions, SessionConfig, SessionContext},
    sql::{parser::Statement as EngineStatement, sqlparser::ast::Statement},
};
use futures::Stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::{Sleep, sleep_until},
};

use crate::{
    catalog, column::UTC, cooperation::GiveWay, counting::Counting, dialect, error::SqlError,
    growth, snapshot::QuerySnapshot, source::Source,
};

/// Limits on queries.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Memory for the intermediate results of all queries, in bytes.
    pub memory_bytes: usize,
    /// Number of queries that run at once. Others wait for one of them to end.
    pub queries_max: usize,
    /// How long a query may take, waiting included.
    pub query_timeout: Duration,
    /// Number of threads that a query uses at most.
    pub threads: usize,
}

/// Runs queries.
pub struct Engine {
    state: SessionState,
    source: Arc<dyn Source>,
    parser: dialect::Parser,
    running: Arc<Semaphore>,
    settings: Settings,
}

/// How many of the largest users of memory an error names.
const NAMED_CONSUMERS: std::num::NonZeroUsize = std::num::NonZeroUsize::new(3).unwrap();

/// How much is read ahead of each partition where their rows are merged in order.
const READ_AHEAD_BYTES: usize = 1 << 20;

/// The engine's rules that hand conditions down in plans.
const FILTER_PUSHDOWN: &str = "FilterPushdown";

impl Engine {
    /// Sets the tables up.
    ///
    /// # Errors
    /// Returns an error if the catalogue cannot be built, which is a fault of this software.
    pub async fn new(source: Arc<dyn Source>, settings: Settings) -> Result<Self, SqlError> {
        let pool = FairSpillPool::new(settings.memory_bytes);
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, NAMED_CONSUMERS)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let config = SessionConfig::new()
            .with_default_catalog_and_schema(catalog::DATABASE, catalog::SCHEMA)
            .with_target_partitions(settings.threads);
        let mut config = config;
        let options = config.options_mut();
        // Rows that are read ahead where a source keeps an order: a batch or two are enough.
        options.execution.sort_pushdown_buffer_capacity = READ_AHEAD_BYTES;
        // Without a zone, now() and timestamptz would be times without one.
        options.execution.time_zone = Some(UTC.to_owned());
        let context = SessionContext::new_with_config_rt(config, runtime);
        let mut state = dialect::teach(catalog::set_up(&context).await?)?;
        growth::bound(&mut state)?;
        // Our scans take no conditions of plans, and through a right join they reach the wrong side.
        let physical = state.physical_optimizers().iter();
        let physical = physical.filter(|rule| !rule.name().starts_with(FILTER_PUSHDOWN));
        let physical = physical.cloned().collect();
        let state = SessionStateBuilder::new_from_existing(state)
            .with_optimizer_rule(Arc::new(Counting))
            .with_physical_optimizer_rules(physical)
            .with_physical_optimizer_rule(Arc::new(GiveWay))
            .build();
        Ok(Self {
            state,
            source,
            parser: dialect::Parser::new(),
            running: Arc::new(Semaphore::new(settings.queries_max)),
            settings,
        })
    }

    /// Parses statements that are separated by semicolons.
    ///
    /// # Errors
    /// Returns an error if the text is not SQL.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>, SqlError> {
        self.parser.parse(sql)
    }

    /// Parses and plans a text that has to be a single statement.
    ///
    /// # Errors
    /// See [`Self::parse`] and [`Self::plan`].
    pub async fn plan_one(&self, sql: &str) -> Result<LogicalPlan, SqlError> {
        let mut statements = self.parse(sql)?.into_iter();
        match (statements.next(), statements.next()) {
            (Some(statement), None) => self.plan(statement).await,
            (None, _) => Err(SqlError::new("42601", "the query is empty")),
            (Some(_), Some(_)) => Err(SqlError::new(
                "42601",
                "there is more than one statement; send them one by one",
            )),
        }
    }

    /// Plans a statement.
    ///
    /// # Errors
    /// Returns an error if it refers to what does not exist, or would change something.
    pub async fn plan(&self, statement: Statement) -> Result<LogicalPlan, SqlError> {
        if let Some(what) = changes(&statement) {
            return Err(SqlError::read_only(what));
        }
        let statement = EngineStatement::Statement(Box::new(statement));
        let plan = self.state.statement_to_plan(statement).await?;
        let allowed = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        allowed.verify_plan(&plan)?;
        dialect::check_plan(&plan)?;
        Ok(plan)
    }

    async fn start(
        &self,
        plan: LogicalPlan,
        parameters: Option<ParamValues>,
    ) -> Result<Running, SqlError> {
        let permit = turn(&self.running).await?;
        let plan = match parameters {
            Some(values) => plan.replace_params_with_values(&values)?,
            None => plan,
        };
        let mut state = self.state.clone();
        QuerySnapshot::add(state.config_mut(), &self.source);
        state.mark_start_execution();
        let plan = state.create_physical_plan(&plan).await?;
        Ok(Running { stream: execute_stream(plan, state.task_ctx())?, _permit: permit })
    }
}

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
        let limit = self.engine.settings.query_timeout;
        let deadline = tokio::time::Instant::now() + limit;
        let start = async {
            let own = self.turn().await?;
            Ok::<_, SqlError>((own, self.engine.start(plan, parameters).await?))
        };
        let seconds = limit.as_secs();
        let too_long = |_| SqlError::too_long(seconds);
        let (own, running) = tokio::time::timeout_at(deadline, start).await.map_err(too_long)??;
        Ok(Batches::new(running, own, deadline, seconds))
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

async fn turn(running: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, SqlError> {
    let turn = Arc::clone(running).acquire_owned().await;
    turn.map_err(|_| SqlError::new("57P01", "the server is stopping"))
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine {:?}", self.settings)
    }
}

/// What a statement would do, if it would change something.
fn changes(statement: &Statement) -> Option<&'static str> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the engine refuses the others by itself")]
    match statement {
        Statement::Insert(_) => Some("INSERT"),
        Statement::Update(_) => Some("UPDATE"),
        Statement::Delete(_) => Some("DELETE"),
        Statement::Merge(_) => Some("MERGE"),
        Statement::Truncate(_) => Some("TRUNCATE"),
        Statement::CreateTable(_) | Statement::CreateView { .. } => Some("CREATE"),
        Statement::Drop { .. } => Some("DROP"),
        Statement::AlterTable { .. } => Some("ALTER"),
        Statement::Copy { .. } => Some("COPY"),
        _ => None,
    }
}

/// The rows of a query, in batches. They are read only as fast as they are taken.
pub struct Batches {
    schema: SchemaRef,
    /// Taken away when the time is over, even if nobody polls.
    running: Arc<Mutex<Option<Running>>>,
    seconds: u64,
    /// Wakes who waits for rows.
    deadline: Pin<Box<Sleep>>,
    watch: AbortHandle,
    /// The client's own permit.
    _own: OwnedSemaphorePermit,
}

struct Running {
    stream: SendableRecordBatchStream,
    _permit: OwnedSemaphorePermit,
}

impl Batches {
    fn new(
        running: Running,
        own: OwnedSemaphorePermit,
        deadline: tokio::time::Instant,
        seconds: u64,
    ) -> Self {
        let schema = running.stream.schema();
        let running = Arc::new(Mutex::new(Some(running)));
        let watched = Arc::clone(&running);
        let watch = tokio::spawn(async move {
            sleep_until(deadline).await;
            watched.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        let deadline = Box::pin(sleep_until(deadline));
        Self { schema, running, seconds, deadline, watch: watch.abort_handle(), _own: own }
    }

    /// Columns of the rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Stream for Batches {
    type Item = Result<RecordBatch, SqlError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let is_over = self.deadline.as_mut().poll(context).is_ready();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if is_over {
            running.take();
        }
        let Some(Running { stream, .. }) = &mut *running else {
            return Poll::Ready(Some(Err(SqlError::too_long(self.seconds))));
        };
        let polled = Pin::new(stream).poll_next(context);
        polled.map(|batch| batch.map(|batch| batch.map_err(SqlError::from)))
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
