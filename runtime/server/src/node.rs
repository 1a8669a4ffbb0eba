//! Starts everything in order, from top to bottom, and stops it in reverse.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use runtime_admin::{Admin, BodyMemory};
use runtime_core::{Lsn, attempt::NodeOptions};
use runtime_http::{Limits, Pressure};
use runtime_ingress::{Ingress, LongChecks, Memory};
use runtime_invoker::Invoker;
use runtime_log::{FileLog, Log, LogOptions, OpenError, Owner};
use runtime_partition::{
    Clock, Node, NodeClock, Observer, budget::Share, checkpoint::CheckpointThread, node::Parts,
    node::store_file,
};
use runtime_schema::SharedRegistry;
use runtime_store::{Store, StoreName};
use tokio::net::TcpListener;

use crate::{
    config::{Config, DEFAULT_PARTITIONS, settings::Address},
    data_dir::DataDir,
    descriptors::{self, Shares},
    discovery::HttpDiscovery,
    edges::NodeEdges,
    formats, memory_watch, panics,
    shutdown::{Reason, Shutdown},
    sql, telemetry,
    wire::{
        backups::NodeBackups,
        changes::Changes,
        queries::AdminQueries,
        sql::{Following, Snapshots},
    },
};

/// The start of 2020. This software did not exist before.
const TIME_MIN_US: u64 = 1_577_836_800 * 1_000_000;
/// The start of 9999, the last year that an HTTP date can express.
const TIME_MAX_US: u64 = 253_370_764_800 * 1_000_000;

/// Largest number of concurrent operator connections: people, their tools, and health checks.
const ADMIN_CONNECTIONS_MAX: usize = 128;
/// Largest number of concurrent requests on an operator's HTTP/2 connection. The memory budget does
/// not count request heads there, so that operators are never refused. All of them together must
/// therefore be affordable.
const ADMIN_STREAMS_MAX: u32 = 16;

/// Largest number of concurrent connections for SQL: dashboards keep many open that do nothing. With
/// those that are on their way in.
const SQL_CONNECTIONS_MAX: usize = 1024 + sql_introspection::pgwire::CONNECTIONS_WAITING_MAX;

/// Minimum number of connections to endpoints, however few attempts there may be, if the limit of
/// open files allows it.
const ENDPOINT_CONNECTIONS_MIN: usize = 1024;

/// How long requests and attempts in progress may take to end once the node is shutting down.
/// Together with the last checkpoint this stays below the ten seconds that container tools wait
/// before they kill.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn run(config: Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name(panics::EDGE_THREAD)
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<()> {
    let started = Instant::now();
    let shutdown = Shutdown::new();
    shutdown.on_signals().context("cannot listen for signals")?;

    // Bind the ports first: a second server fails on them before it touches any data.
    let ingress_listener = bind("ingress", &config.ingress_address).await?;
    let admin_listener = bind("admin", &config.admin_address).await?;
    let sql_listener = match &config.sql.address {
        Some(address) => Some(bind("server of SQL", address).await?),
        None => None,
    };
    let ingress_address = ingress_listener.local_addr().context("the ingress has no address")?;
    let admin_address = admin_listener.local_addr().context("the admin has no address")?;
    let sql_address = sql_listener.as_ref().map(TcpListener::local_addr).transpose();
    let sql_address = sql_address.context("the server of SQL has no address")?;
    let wanted = config.partitions.unwrap_or(DEFAULT_PARTITIONS);
    let data_dir = DataDir::open(&config.data_dir, wanted)?;
    if config.partitions.is_some_and(|wanted| wanted != data_dir.partitions) {
        tracing::warn!(
            "the data directory was created with {} partitions and keeps them, regardless of the configuration",
            data_dir.partitions
        );
    }
    let wanted = Shares {
        ingress: config.connections_max,
        admin: ADMIN_CONNECTIONS_MAX,
        sql: if sql_listener.is_some() { SQL_CONNECTIONS_MAX } else { 0 },
        // An attempt needs at most one, and some idle ones stay open for a while.
        endpoints: config.attempts_max.max(ENDPOINT_CONNECTIONS_MIN),
    };
    let shares = descriptors::take(data_dir.partitions, wanted)?;

    let registry = SharedRegistry::new(config.defaults.clone());
    let clock: Arc<dyn Clock> = Arc::new(NodeClock::start());
    check_time(clock.wall_us())?;
    let (changes, keeper) = Changes::new();
    let (mut node, invoker) = recover(
        &config,
        &data_dir,
        shares.endpoints,
        (&registry, Arc::clone(&changes) as _),
        Arc::clone(&clock),
    )?;
    data_dir.note_use()?;
    let stopped = shutdown.clone();
    node.spawn(move |partition| {
        tracing::debug!(partition = partition.0, "a partition has stopped");
        stopped.start(Reason::Partition);
    })?;
    let (partitions, cuts) = (node.partitions().clone(), node.cuts().clone());

    let budget = Budget::of(config.memory_budget_bytes);
    let (pressure, body_pressure) = (Pressure::default(), Pressure::default());
    let ingress = Ingress {
        partitions: partitions.clone(),
        registry: registry.clone(),
        clock: Arc::clone(&clock),
        derivation: data_dir.derivation,
        request_size_max_bytes: config.request_size_max_bytes,
        memory: Memory {
            requests: Share::new(budget.requests),
            results: Share::new(budget.results),
            answers: Share::new(budget.answers),
            pressure: pressure.clone(),
            body_pressure: body_pressure.clone(),
        },
        access: Arc::new(config.access.clone()),
        long_checks: LongChecks::Aside,
    };
    let ingress_url = format!("http://{ingress_address}/");
    let snapshots = Snapshots::new(
        partitions.clone(),
        registry.clone(),
        budget.snapshots,
        Following {
            derivation: data_dir.derivation,
            attempts: Arc::clone(&invoker) as _,
            ingress_url: ingress_url.clone(),
        },
    );
    let until = |shutdown: &Shutdown| {
        let shutdown = shutdown.clone();
        async move {
            shutdown.started().await;
        }
    };
    let limits = |connections_max| Limits { connections_max, ..Limits::default() };
    let ingress_server = tokio::spawn(runtime_ingress::serve(
        ingress_listener,
        Limits { pressure, body_pressure, ..limits(shares.ingress) },
        ingress,
        until(&shutdown),
    ));
    // After the ingress, whose first answer need not wait for the catalogue.
    let (sql, engine) = sql::Running::start(
        sql_listener,
        &config.sql,
        (shares.sql, budget.queries),
        Arc::new(snapshots),
        Arc::clone(&changes) as _,
        until(&shutdown),
    )
    .await?;
    sql.handle().spawn(keeper.run(until(&shutdown)));
    sql.handle().spawn(memory_watch::watch(Arc::clone(&engine), config.memory_budget_bytes));

    let wall = Arc::clone(&clock);
    let body_pressure = Pressure::default();
    // A quarter of the connections may wait for memory.
    let waiting_max = (shares.admin / 4).max(1);
    let admin = Admin {
        partitions,
        registry,
        clock,
        attempts: Arc::clone(&invoker) as _,
        discovery: Arc::new(HttpDiscovery(config.endpoint_tls.clone())),
        max_protocol: config.max_protocol,
        derivation: data_dir.derivation,
        queries: Arc::new(AdminQueries::new(&engine, config.sql.queries_max, sql.handle())),
        changes,
        backups: Arc::new(NodeBackups::new(cuts, data_dir.identity(), wall, sql.handle())),
        ingress_url: ingress_url.clone(),
        memory: BodyMemory::new(budget.admin, waiting_max, body_pressure.clone()),
        hosts: config.access.hosts.clone(),
        version: formats::VERSION,
    };
    let admin_server = tokio::spawn(runtime_admin::serve(
        admin_listener,
        Limits {
            streams_max: ADMIN_STREAMS_MAX,
            bodies_give_way: true,
            body_pressure,
            ..limits(shares.admin)
        },
        admin,
        until(&shutdown),
    ));

    // Marks a new directory, so that one created for a mistyped path is noticed.
    let psql = sql_address.map_or_else(
        || "off".to_owned(),
        |address| psql(address, config.sql.first_user.as_deref()),
    );
    let addresses = (ingress_address, admin_address, psql);
    announce(addresses, &data_dir, !data_dir.is_in_use, started);
    let reason = shutdown.started().await;
    // Stop in reverse order: first requests and attempts, then records.
    let under_way =
        async { tokio::join!(ingress_server, admin_server, sql.stopped(), invoker.stop()) };
    if reason == Reason::Signal && tokio::time::timeout(SHUTDOWN_TIMEOUT, under_way).await.is_err()
    {
        tracing::info!(
            "some requests or attempts were still in progress; the attempts will run again"
        );
    }
    tokio::task::spawn_blocking(move || node.stop()).await.context("the node did not stop")?;
    match reason {
        Reason::Signal => Ok(()),
        Reason::Partition => bail!("a partition has stopped; see the log above for the reason"),
    }
}

/// Refuses a clock that was never set: it would date everything wrongly, with dates that HTTP can't
/// even express.
pub(crate) fn check_time(wall_us: u64) -> Result<()> {
    let (from, until) = (TIME_MIN_US, TIME_MAX_US);
    ensure!(
        (from..until).contains(&wall_us),
        "the system's clock is {} s after 1970, which is not in the years 2020 to 9998: set it, then \
         start again",
        wall_us / 1_000_000
    );
    Ok(())
}

/// How the memory budget is divided, in bytes.
struct Budget {
    /// For the bodies of new work.
    requests: usize,
    /// For results that clients send.
    results: usize,
    /// For what operators send.
    admin: usize,
    /// For responses to clients.
    answers: usize,
    /// For journals and state in transit to attempts.
    outgoing: usize,
    /// For messages from attempts.
    incoming: usize,
    /// For what queries work on.
    queries: usize,
    /// For changed rows that queries still read.
    snapshots: usize,
}

impl Budget {
    fn of(bytes: usize) -> Self {
        let (quarter, eighth, sixteenth) = (bytes / 4, bytes / 8, bytes / 16);
        Self {
            requests: quarter - sixteenth,
            admin: sixteenth,
            results: eighth,
            answers: quarter - sixteenth,
            outgoing: quarter - sixteenth,
            incoming: eighth,
            queries: sixteenth,
            snapshots: sixteenth,
        }
    }
}

fn recover(
    config: &Config,
    data_dir: &DataDir,
    connections_max: usize,
    (registry, observer): (&SharedRegistry, Arc<dyn Observer>),
    clock: Arc<dyn Clock>,
) -> Result<(Node, Arc<Invoker>)> {
    let (log, stores) = open(config, data_dir)?;
    let parts = Parts {
        stores,
        log: Arc::new(log),
        clock: Arc::clone(&clock),
        derivation: data_dir.derivation,
        checkpoints: Arc::new(CheckpointThread::spawn()?),
        observer: Some(observer),
        settings: config.partition.clone(),
    };
    let budget = Budget::of(config.memory_budget_bytes);
    let mut made = None;
    let edges = |partitions| {
        let invoker = Invoker::new(
            partitions,
            registry.clone(),
            Arc::clone(&clock),
            runtime_invoker::Settings {
                attempts_max: config.attempts_max,
                connections_max,
                attempts: NodeOptions {
                    max_protocol: config.max_protocol,
                    derivation: data_dir.derivation,
                    counts_unsent: config.count_unsent_attempts,
                    ..NodeOptions::default()
                },
                outgoing_bytes_max: budget.outgoing,
                incoming: Share::new(budget.incoming),
                ..Default::default()
            },
            &config.endpoint_tls,
        );
        made = Some(Arc::clone(&invoker));
        Arc::new(NodeEdges { invoker, registry: registry.clone() }) as Arc<_>
    };
    let node = Node::recover(parts, edges)?;
    Ok((node, made.context("the node has no invoker")?))
}

/// Opens everything that exists before creating anything: a missing log or table file must not be
/// mistaken for a new one.
fn open(config: &Config, data_dir: &DataDir) -> Result<(FileLog, Vec<Store>)> {
    let name = |partition| StoreName {
        partition,
        partitions: data_dir.partitions,
        directory: data_dir.derivation.fingerprint(),
    };
    let mut stores = BTreeMap::new();
    for partition in 0..data_dir.partitions {
        let path = store_file(&data_dir.path, partition);
        if path.exists() {
            let store = Store::open_file(&path, name(partition))
                .with_context(|| format!("{} cannot be opened", path.display()))?;
            stores.insert(partition, store);
        }
    }
    let log_path = data_dir.log();
    let has_log = runtime_log::exists(&log_path)
        .with_context(|| format!("{} cannot be read", log_path.display()))?;
    let has_data = data_dir.is_in_use || stores.values().any(|store| store.applied() > Lsn(0));
    ensure!(
        has_log || !has_data,
        "{} is missing or empty, but this data directory was used before: restore the whole \
         data directory from one copy, or choose another with --data-dir",
        log_path.display()
    );
    let owner = Owner {
        directory: data_dir.derivation.fingerprint().unwrap_or_default(),
        partitions: data_dir.partitions,
    };
    let options = LogOptions { owner, ..LogOptions::from(config.log_segment_bytes) };
    // A missing table file has nothing applied. It is rebuilt if the log still has everything.
    let known = (0..data_dir.partitions).map(|partition| {
        let applied = stores.get(&partition).map_or(0, |store| store.applied().0);
        (runtime_log::PartitionId(partition), runtime_log::Lsn(applied))
    });
    let log = match FileLog::open_for(&log_path, options, &known.collect()) {
        Err(OpenError::BeginningMissing { partition, .. })
            if !stores.contains_key(&partition.0) =>
        {
            bail!(
                "{} is missing, and the log no longer has everything that was in it: restore the \
                 whole data directory from one copy",
                store_file(&data_dir.path, partition.0).display()
            )
        }
        opened => opened.with_context(|| format!("{} cannot be used", log_path.display()))?,
    };
    for partition in 0..data_dir.partitions {
        if stores.contains_key(&partition) {
            continue;
        }
        let path = store_file(&data_dir.path, partition);
        if log.last_lsn(runtime_log::PartitionId(partition)) > runtime_log::Lsn(0) {
            tracing::warn!("{} is missing; it is rebuilt from the log", path.display());
        }
        let store = Store::create_file(&path, name(partition))
            .with_context(|| format!("{} cannot be created", path.display()))?;
        stores.insert(partition, store);
    }
    Ok((log, stores.into_values().collect()))
}

async fn bind(what: &str, address: &Address) -> Result<TcpListener> {
    let resolved = address.resolve().with_context(|| format!("the {what} cannot listen"))?;
    TcpListener::bind(resolved.as_slice()).await.map_err(|error| {
        let known = [
            (ErrorKind::AddrInUse, "; stop the process that listens there, or choose another port"),
            (ErrorKind::AddrNotAvailable, "; it is not an address of this machine"),
        ];
        let advice = known.iter().find(|(kind, _)| *kind == error.kind());
        let advice = advice.map_or("", |(_, advice)| advice);
        anyhow!("the {what} cannot listen on {address}: {error}{advice}")
    })
}

/// Prints what the person who started the server needs to know.
fn announce(
    (ingress, admin, sql): (SocketAddr, SocketAddr, String),
    data_dir: &DataDir,
    is_new: bool,
    started: Instant,
) {
    telemetry::print(format_args!(
        "abide {} ready in {} ms\n  ingress  http://{ingress}\n  admin    http://{admin}\n  sql      {sql}\n  data     {} ({} partitions{})",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_millis(),
        data_dir.path.display(),
        data_dir.partitions,
        if is_new { ", new" } else { "" },
    ));
}

/// The command that connects to an address, as it can be pasted into a shell on this machine.
fn psql(address: SocketAddr, user: Option<&str>) -> String {
    // Where one can listen, and not connect.
    let local = match address {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
    };
    let host = if address.ip().is_unspecified() { local } else { address.ip() };
    let user = user.map_or_else(String::new, |user| format!(" -U {}", shell_word(user)));
    format!("psql -h {host} -p {}{user}", address.port())
}

/// A text as one word of a shell.
fn shell_word(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.@".contains(&byte)) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_command_connects() {
        let psql = |address: &str, user| psql(address.parse().unwrap(), user);
        assert_eq!(psql("127.0.0.1:9071", None), "psql -h 127.0.0.1 -p 9071");
        assert_eq!(psql("0.0.0.0:9071", Some("ann")), "psql -h 127.0.0.1 -p 9071 -U ann");
        assert_eq!(psql("[::]:1", Some("o'neill")), "psql -h ::1 -p 1 -U 'o'\\''neill'");
        assert_eq!(psql("10.0.0.5:1", None), "psql -h 10.0.0.5 -p 1");
    }
}
