//! A query from its text to a plan that runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::{
    common::{ParamValues, config::ConfigNonZeroUsize},
    execution::{
        SendableRecordBatchStream, SessionState, SessionStateBuilder, TaskContext,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::{GreedyMemoryPool, TrackConsumersPool},
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::LogicalPlan,
    physical_plan::execute_stream,
    prelude::{SQLOptions, SessionConfig, SessionContext},
    sql::{
        parser::Statement as EngineStatement,
        sqlparser::ast::{CopyTarget, Statement},
    },
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{
    catalog,
    column::UTC,
    cooperation::GiveWay,
    counting::Counting,
    dialect,
    error::SqlError,
    growth::{self, batches, own::OwnMemory, texts::Room},
    of_query::OfQuery,
    running::{Running, RunningQueries},
    snapshot::QuerySnapshot,
    source::Source,
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
    pub parallelism: usize,
    /// Where queries compute. A query may keep a thread for long, so whatever has to be in time
    /// belongs elsewhere.
    pub threads: Handle,
}

/// Runs queries.
pub struct Engine {
    state: SessionState,
    source: Arc<dyn Source>,
    parser: dialect::Parser,
    running: Arc<Semaphore>,
    running_queries: RunningQueries,
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
        let pool = GreedyMemoryPool::new(settings.memory_bytes);
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, NAMED_CONSUMERS)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let config = SessionConfig::new()
            .with_default_catalog_and_schema(catalog::DATABASE, catalog::SCHEMA)
            .with_target_partitions(settings.parallelism);
        let mut config = config;
        let options = config.options_mut();
        // Rows that are read ahead where a source keeps an order: a batch or two are enough.
        options.execution.sort_pushdown_buffer_capacity = READ_AHEAD_BYTES;
        // One side is collected once; to distribute both would keep rows of each in memory meanwhile.
        options.optimizer.repartition_joins = false;
        // Nothing is written to disk, so nothing has to be kept free for that.
        options.execution.sort_spill_reservation_bytes = 0;
        options.execution.batch_size = ConfigNonZeroUsize::try_new(batches::ROWS_MAX)?;
        // Without a zone, now() and timestamptz would be times without one.
        options.execution.time_zone = Some(UTC.to_owned());
        let context = SessionContext::new_with_config_rt(config, runtime);
        let state = dialect::teach(catalog::set_up(&context).await?)?;
        let state = growth::bound(&state);
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
            running_queries: RunningQueries::default(),
            settings,
        })
    }

    /// Parses statements that are separated by semicolons. What is returned with them is kept until
    /// they are planned.
    ///
    /// # Errors
    /// Returns an error if the text is not SQL, or there is no room for it.
    pub fn parse(&self, sql: &str) -> Result<(Vec<Statement>, Room), SqlError> {
        let room = Room::of(sql, &self.state.runtime_env().memory_pool)?;
        Ok((self.parser.parse(sql, &room)?, room))
    }

    /// Parses and plans a text that has to be a single statement.
    ///
    /// # Errors
    /// See [`Self::parse`] and [`Self::plan`].
    pub async fn plan_one(&self, sql: &str) -> Result<LogicalPlan, SqlError> {
        let (statements, _room) = self.parse(sql)?;
        let mut statements = statements.into_iter();
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
        if matches!(statement, Statement::Copy { target: CopyTarget::Stdout, .. }) {
            return Err(SqlError::new("0A000", "COPY is not supported")
                .hint("psql --csv and abide sql --csv write the rows of a query as CSV"));
        }
        if let Some(what) = changes(&statement) {
            return Err(SqlError::read_only(what));
        }
        let statement = EngineStatement::Statement(Box::new(statement));
        let mut state = Box::new(self.state.clone());
        // Some of its constants, as the arguments of functions that are tables, are computed now.
        state.mark_start_execution();
        let plan = state.statement_to_plan(statement).await?;
        let allowed = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        allowed.verify_plan(&plan)?;
        dialect::check_plan(&plan)?;
        Ok(plan)
    }

    /// Starts a query, which gives up what it computes once it is abandoned.
    pub(crate) async fn start(
        &self,
        plan: LogicalPlan,
        parameters: Option<ParamValues>,
        query: &Running,
    ) -> Result<SendableRecordBatchStream, SqlError> {
        let plan = match parameters {
            Some(values) => plan.replace_params_with_values(&values)?,
            None => plan,
        };
        let mut state = self.state.clone();
        QuerySnapshot::add(state.config_mut(), &self.source);
        let Running { abandoned, memory } = query;
        abandoned.clone().add(state.config_mut());
        memory.clone().add(state.config_mut());
        state.mark_start_execution();
        memory.keep_constant(batches::constants(&plan)?)?;
        let plan = state.optimize(&plan)?;
        memory.planned()?;
        // Once constants are computed.
        let execution = &mut state.config_mut().options_mut().execution;
        execution.batch_size = batches::rows_max(&plan, execution.batch_size)?;
        let plan = state.query_planner().create_physical_plan(&plan, &state).await?;
        let own = RuntimeEnvBuilder::from_runtime_env(state.runtime_env());
        let own = own.with_memory_pool(memory.pool()).build_arc()?;
        let context = TaskContext::from(&state).with_runtime(own);
        Ok(execute_stream(plan, Arc::new(context))?)
    }

    /// A permit to run a query, once it is its turn.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, SqlError> {
        turn(&self.running).await
    }

    /// The queries that run.
    pub(crate) fn running_queries(&self) -> &RunningQueries {
        &self.running_queries
    }

    /// Waits until any query runs. Only one may wait.
    pub async fn until_busy(&self) {
        self.running_queries.any().await;
    }

    /// Gives up the query that has the most memory, because the process has too little, and waits until
    /// it has ended. What queries compute is bounded by what each step keeps; some of the engine's steps
    /// take more meanwhile.
    pub async fn give_up_largest(&self) {
        self.running_queries.give_up_largest().await;
    }

    /// Gives up all queries that run.
    pub fn give_up_all(&self) {
        self.running_queries.give_up_all();
    }

    /// A portion of the memory of all queries, for another one.
    pub(crate) fn own_memory(&self) -> OwnMemory {
        OwnMemory::of(&self.state.runtime_env().memory_pool)
    }

    /// Where queries compute.
    pub(crate) fn threads(&self) -> &Handle {
        &self.settings.threads
    }

    /// How long a query may take.
    pub(crate) fn query_timeout(&self) -> Duration {
        self.settings.query_timeout
    }
}

/// A permit of a number of them.
pub(crate) async fn turn(running: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, SqlError> {
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
