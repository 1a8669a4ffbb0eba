//! The resolved configuration: flags, then environment, then the file, then defaults, as typed
//! values.

pub(crate) mod settings;
pub(crate) mod sql;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use protocol::{ProtocolVersion, wire::frame::DEFAULT_MAX_MESSAGE_SIZE_BYTES};
use runtime_core::registry::Defaults;
use runtime_http::{Hosts, Limits};
use runtime_ingress::{Access, access::Origins};
use runtime_invoker::tls::{Identity, Tls};

use crate::args::Serve;
use settings::{Address, Environment, List, Settings};

/// The complete configuration of the server. Every value is resolved.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The data directory.
    pub(crate) data_dir: PathBuf,
    /// The address where the ingress listens.
    pub(crate) ingress_address: Address,
    /// The address where the admin API listens.
    pub(crate) admin_address: Address,
    /// The settings of SQL.
    pub(crate) sql: sql::Sql,
    /// Number of partitions of a new data directory. `None` if not configured.
    pub(crate) partitions: Option<u16>,
    /// Newest service protocol version to use.
    pub(crate) max_protocol: ProtocolVersion,
    /// Largest number of concurrent attempts.
    pub(crate) attempts_max: usize,
    /// Whether attempts whose request was never sent count against their retry policy.
    pub(crate) count_unsent_attempts: bool,
    /// Largest number of concurrent client connections.
    pub(crate) connections_max: usize,
    /// Which requests are let in, and which of their headers handlers don't see.
    pub(crate) access: Access,
    /// Largest request body, in bytes.
    pub(crate) request_size_max_bytes: usize,
    /// Memory for bodies, attempts and responses outside of the partitions, in bytes.
    pub(crate) memory_budget_bytes: usize,
    /// Size at which a log segment is closed, in bytes.
    pub(crate) log_segment_bytes: u64,
    /// Settings of handlers whose manifest sets none.
    pub(crate) defaults: Defaults,
    /// Settings of the partitions.
    pub(crate) partition: runtime_partition::Settings,
    /// TLS towards endpoints: the authorities that are trusted, and the client certificate of this
    /// server.
    pub(crate) endpoint_tls: Tls,
}

/// The real server's port for clients.
const INGRESS_PORT: u16 = 8080;
/// The real server's port for operators.
const ADMIN_PORT: u16 = 9070;
/// One for each core of a small machine. Each further one costs a file and a thread.
pub(crate) const DEFAULT_PARTITIONS: u16 = 2;
/// One node gains nothing from more partitions than this.
pub(crate) const PARTITIONS_MAX: u16 = 256;
/// Half of the largest log record, so that everything that accompanies a body fits, too.
const REQUEST_SIZE_MAX_BYTES: usize = 64 << 20;
/// Half a gigabyte: twice what eight of the largest messages need.
const DEFAULT_MEMORY_BUDGET_BYTES: usize = 512 << 20;
/// How many concurrent streams a service process can be trusted with.
const DEFAULT_ATTEMPTS_MAX: usize = 10_000;
/// More streams than one machine has ports, endpoints and memory for.
const ATTEMPTS_MAX: usize = 1_000_000;
/// Small enough that trimming frees space soon, large enough that segments rarely roll over.
const DEFAULT_LOG_SEGMENT_BYTES: u64 = 64 << 20;
/// The block size of a disk.
const LOG_SEGMENT_BYTES_MIN: u64 = 4096;
/// An hour. A restart replays everything in the log that the tables don't have yet.
const CHECKPOINT_INTERVAL_MS_MAX: u64 = 3_600_000;
/// Enough for a few typical turns. With less, partitions would do little but write tables.
const OVERLAY_BYTES_MIN: usize = 1 << 20;

impl Config {
    /// Resolves the configuration. Flags take precedence over the environment, the environment over
    /// the file, and the file over the defaults.
    ///
    /// # Errors
    /// Returns an error that names the setting if a value is not valid.
    pub(crate) fn resolve(serve: &Serve, environment: &Environment) -> Result<Self> {
        let set = settings::read(serve.config.as_deref(), environment)?;
        let request_size_max_bytes = request_size(&set)?;
        let partitions = serve.partitions.or(set.partitions);
        within("partitions", partitions.unwrap_or(DEFAULT_PARTITIONS), 1..=PARTITIONS_MAX)?;
        let connections_max =
            set.connections_max.unwrap_or_else(|| Limits::default().connections_max);
        at_least("connections-max", connections_max, 1)?;
        let attempts_max = set.attempts_max.unwrap_or(DEFAULT_ATTEMPTS_MAX);
        within("attempts-max", attempts_max, 1..=ATTEMPTS_MAX)?;
        let log_segment_bytes = set.log_segment_bytes.unwrap_or(DEFAULT_LOG_SEGMENT_BYTES);
        at_least("log-segment-bytes", log_segment_bytes, LOG_SEGMENT_BYTES_MIN)?;
        let version = serve.max_service_protocol_version.or(set.max_service_protocol_version);
        let max_protocol = version
            .map_or(Ok(ProtocolVersion::MAX), |version| u32::from(version).try_into())
            .context("max-service-protocol-version")?;
        Ok(Self {
            memory_budget_bytes: memory_budget(&set, request_size_max_bytes)?,
            defaults: defaults(serve, &set),
            partition: partition(&set)?,
            access: access(&set)?,
            endpoint_tls: endpoint_tls(&set)?,
            sql: sql::resolve(serve, &set)?,
            count_unsent_attempts: set.count_unsent_attempts.unwrap_or(false),
            data_dir: serve
                .data_dir
                .clone()
                .or(set.data_dir)
                .unwrap_or_else(|| "abide-data".into()),
            ingress_address: serve
                .ingress_address
                .clone()
                .or(set.ingress_address)
                .unwrap_or_else(|| Address::local(INGRESS_PORT)),
            admin_address: serve
                .admin_address
                .clone()
                .or(set.admin_address)
                .unwrap_or_else(|| Address::local(ADMIN_PORT)),
            partitions,
            max_protocol,
            attempts_max,
            connections_max,
            request_size_max_bytes,
            log_segment_bytes,
        })
    }
}

/// Refuses a value outside of its bounds, naming the setting.
fn within<T: PartialOrd + Display>(name: &str, value: T, bounds: RangeInclusive<T>) -> Result<()> {
    let (least, most) = bounds.into_inner();
    ensure!(least <= value && value <= most, "{name} is {value}, expected {least} to {most}");
    Ok(())
}

/// Refuses a value that is too small, naming the setting.
fn at_least<T: PartialOrd + Display>(name: &str, value: T, least: T) -> Result<()> {
    ensure!(least <= value, "{name} is {value}, expected at least {least}");
    Ok(())
}

fn request_size(set: &Settings) -> Result<usize> {
    let default = runtime_ingress::DEFAULT_REQUEST_SIZE_MAX_BYTES;
    let bytes = set.request_size_max_bytes.unwrap_or(default);
    // The body has to fit into the largest log record.
    within("request-size-max-bytes", bytes, 1..=REQUEST_SIZE_MAX_BYTES)?;
    Ok(bytes)
}

fn memory_budget(set: &Settings, request_size_max_bytes: usize) -> Result<usize> {
    let bytes = set.memory_budget_bytes.unwrap_or(DEFAULT_MEMORY_BUDGET_BYTES);
    let least = 8 * request_size_max_bytes.max(DEFAULT_MAX_MESSAGE_SIZE_BYTES as usize);
    ensure!(
        bytes >= least,
        "memory-budget-bytes is {bytes}, expected at least {least}: eight times the larger of \
         request-size-max-bytes and the largest message"
    );
    Ok(bytes)
}

fn defaults(serve: &Serve, set: &Settings) -> Defaults {
    let mut defaults = Defaults::default();
    put(
        &mut defaults.handler.inactivity_timeout_ms,
        serve.inactivity_timeout_ms.or(set.inactivity_timeout_ms),
    );
    put(&mut defaults.handler.abort_timeout_ms, set.abort_timeout_ms);
    put(&mut defaults.handler.lazy_state, serve.lazy_state.or(set.lazy_state));
    put(
        &mut defaults.journal_retention_ms,
        serve.journal_retention_ms.or(set.journal_retention_ms),
    );
    put(&mut defaults.idempotency_retention_ms, set.idempotency_retention_ms);
    put(&mut defaults.workflow_retention_ms, set.workflow_retention_ms);
    defaults
}

fn partition(set: &Settings) -> Result<runtime_partition::Settings> {
    let mut partition = runtime_partition::Settings::default();
    put(&mut partition.retention_budget_bytes, set.retention_budget_bytes);
    if let Some(interval_ms) = set.checkpoint_interval_ms {
        within("checkpoint-interval-ms", interval_ms, 1..=CHECKPOINT_INTERVAL_MS_MAX)?;
        partition.checkpoint_interval = Duration::from_millis(interval_ms);
    }
    put(&mut partition.overlay_bytes_max, set.overlay_bytes_max);
    at_least("overlay-bytes-max", partition.overlay_bytes_max, OVERLAY_BYTES_MIN)?;
    Ok(partition)
}

fn access(set: &Settings) -> Result<Access> {
    let mut access = Access::default();
    let texts = |List(texts): &'_ List| texts.clone();
    if let Some(hosts) = set.allowed_hosts.as_ref().map(texts) {
        access.hosts = Hosts::parse(hosts.iter().map(String::as_str)).context("allowed-hosts")?;
    }
    if let Some(origins) = set.cors_allowed_origins.as_ref().map(texts) {
        let origins = Origins::parse(origins.iter().map(String::as_str));
        access.origins = origins.context("cors-allowed-origins")?;
    }
    if let Some(List(names)) = &set.dropped_headers {
        let names = names.iter().map(|name| {
            name.parse().with_context(|| format!("dropped-headers: '{name}' is not a header name"))
        });
        access.dropped_headers = names.collect::<Result<_>>()?;
    }
    Ok(access)
}

/// The files are read once, at startup. A changed certificate needs a restart.
fn endpoint_tls(set: &Settings) -> Result<Tls> {
    let authorities = set.endpoint_ca_file.as_deref().map(read_file).transpose();
    let authorities = authorities.context("endpoint-ca-file")?;
    let certificate = (CLIENT_CERTIFICATE, set.endpoint_client_certificate_file.as_deref());
    let identity = read_pair(certificate, (CLIENT_KEY, set.endpoint_client_key_file.as_deref()))?;
    // Parse each file on its own first, so that the error names the right one.
    Tls::new(authorities.as_deref(), None).context("endpoint-ca-file")?;
    let identity = identity.as_ref().map(|(certificates, key)| Identity { certificates, key });
    Tls::new(authorities.as_deref(), identity)
        .with_context(|| format!("{CLIENT_CERTIFICATE} and {CLIENT_KEY}"))
}

const CLIENT_CERTIFICATE: &str = "endpoint-client-certificate-file";
const CLIENT_KEY: &str = "endpoint-client-key-file";

/// Reads the files of a certificate and its key, which two settings name together or not at all.
fn read_pair(
    certificate: (&str, Option<&Path>),
    key: (&str, Option<&Path>),
) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let read = |name: &str, path: &Path| read_file(path).with_context(|| name.to_owned());
    match (certificate, key) {
        ((_, None), (_, None)) => Ok(None),
        ((name, Some(path)), (key_name, Some(key_path))) => {
            Ok(Some((read(name, path)?, read(key_name, key_path)?)))
        }
        ((name, _), (key_name, _)) => {
            bail!("{name} and {key_name} must be set together, and one of them is missing")
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn put<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const DOCS: &str = include_str!("../../../docs/configuration.md");

    fn resolve(serve: &Serve) -> Result<Config> {
        Config::resolve(serve, &Environment::default())
    }

    /// Rows of the first table: key, flag, variable, default.
    fn rows() -> Vec<[&'static str; 4]> {
        let rows = DOCS.lines().take_while(|line| !line.starts_with("## "));
        rows.filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let key = cells.next()?.trim_end_matches('`');
            Some([key, cells.next()?, cells.next()?, cells.next()?])
        })
        .collect()
    }

    #[test]
    fn every_setting_is_documented_with_its_variable_and_no_other() {
        let error = toml::from_str::<Settings>("no-such-key = 1").unwrap_err().to_string();
        let (_, known) = error.split_once("expected one of ").unwrap();
        let known: Vec<_> = known.trim().split(", ").map(|key| key.trim_matches('`')).collect();
        assert_eq!(known, settings::KEYS);
        let documented: Vec<_> = rows().into_iter().map(|[key, ..]| key).collect();
        assert_eq!(documented, known);
        for [key, _, variable, _] in rows() {
            assert_eq!(variable, format!("`{}`", settings::variable(key)));
        }
    }

    #[test]
    fn flags_are_documented_where_they_exist() {
        let command = crate::args::Args::command();
        let serve = command.find_subcommand("serve").unwrap();
        let mut with_flag = 0;
        for [key, flag, ..] in rows() {
            let argument = serve.get_arguments().find(|argument| argument.get_long() == Some(key));
            let expected = argument.map_or_else(String::new, |_| format!("`--{key}`"));
            assert_eq!(flag, expected, "{key}");
            with_flag += usize::from(argument.is_some());
        }
        // The remaining argument is `--config`, the file itself.
        assert_eq!(with_flag + 1, serve.get_arguments().count());
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = resolve(&Serve::default()).unwrap();
        let defaults = [
            ("data-dir", config.data_dir.display().to_string()),
            ("ingress-address", config.ingress_address.to_string()),
            ("admin-address", config.admin_address.to_string()),
            ("sql-address", config.sql.address.unwrap().to_string()),
            ("sql-trust-everyone", "false".to_owned()),
            ("sql-queries-max", config.sql.queries_max.to_string()),
            ("sql-query-seconds", config.sql.query_timeout.as_secs().to_string()),
            ("partitions", DEFAULT_PARTITIONS.to_string()),
            ("attempts-max", config.attempts_max.to_string()),
            ("connections-max", config.connections_max.to_string()),
            ("cors-allowed-origins", "*".to_owned()),
            (
                "dropped-headers",
                config
                    .access
                    .dropped_headers
                    .iter()
                    .map(|name| name.as_str())
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            ("request-size-max-bytes", config.request_size_max_bytes.to_string()),
            ("memory-budget-bytes", config.memory_budget_bytes.to_string()),
            ("log-segment-bytes", config.log_segment_bytes.to_string()),
            ("inactivity-timeout-ms", config.defaults.handler.inactivity_timeout_ms.to_string()),
            ("abort-timeout-ms", config.defaults.handler.abort_timeout_ms.to_string()),
            ("lazy-state", config.defaults.handler.lazy_state.to_string()),
            ("journal-retention-ms", config.defaults.journal_retention_ms.to_string()),
            ("idempotency-retention-ms", config.defaults.idempotency_retention_ms.to_string()),
            ("workflow-retention-ms", config.defaults.workflow_retention_ms.to_string()),
            ("retention-budget-bytes", config.partition.retention_budget_bytes.to_string()),
            (
                "checkpoint-interval-ms",
                config.partition.checkpoint_interval.as_millis().to_string(),
            ),
            ("overlay-bytes-max", config.partition.overlay_bytes_max.to_string()),
        ];
        for (key, default) in defaults {
            let [.., documented] = rows().into_iter().find(|[found, ..]| *found == key).unwrap();
            let documented = documented.split(' ').next().unwrap().trim_matches('`');
            assert_eq!(documented, default, "{key}");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abide.toml");
        for (text, says) in [
            ("attempts-max = 0", "attempts-max is 0, expected 1 to 1000000"),
            ("connections-max = 0", "connections-max is 0, expected at least 1"),
            ("memory-budget-bytes = 1000", "memory-budget-bytes is 1000, expected at least"),
            ("partitions = 0", "partitions is 0, expected 1 to 256"),
            ("request-size-max-bytes = 100000000", "request-size-max-bytes is 100000000"),
            ("request-size-max-bytes = 0", "request-size-max-bytes is 0, expected 1 to 67108864"),
            ("log-segment-bytes = 0", "log-segment-bytes is 0, expected at least 4096"),
            ("checkpoint-interval-ms = 0", "checkpoint-interval-ms is 0, expected 1 to 3600000"),
            ("overlay-bytes-max = 0", "overlay-bytes-max is 0, expected at least 1048576"),
            ("allowed-hosts = 'a b'", "allowed-hosts: 'a b' is not a host name"),
            ("cors-allowed-origins = ['a.b']", "cors-allowed-origins: 'a.b' is not an origin"),
            ("dropped-headers = 'a:b'", "dropped-headers: 'a:b' is not a header name"),
            ("admin-address = '9070'", "'9070' is not an address: expected HOST:PORT"),
            ("atempts-max = 1", "unknown field `atempts-max`"),
            (
                "sql-address = '0.0.0.0:1'",
                "sql-address is 0.0.0.0:1, which other machines can reach",
            ),
            ("sql-address = 'on'", "'on' is not an address: expected HOST:PORT"),
            ("sql-users = 'ann'", "sql-users: expected NAME:PASSWORD"),
            ("sql-users = ['a:b', 'a:c']", "sql-users names the user 'a' twice"),
            ("sql-users = []", "sql-users is empty, so nobody could connect"),
            (
                "sql-address = '0.0.0.0:1'\nsql-users = []",
                "sql-users is empty, so nobody could connect",
            ),
            ("sql-key-file = 'x'", "sql-certificate-file and sql-key-file must be set together"),
            ("sql-queries-max = 0", "sql-queries-max is 0, expected 1 to 1000"),
            ("sql-query-seconds = 0", "sql-query-seconds is 0, expected 1 to 86400"),
        ] {
            std::fs::write(&path, text).unwrap();
            let serve = Serve { config: Some(path.clone()), ..Serve::default() };
            let refusal = format!("{:#}", resolve(&serve).unwrap_err());
            assert!(refusal.contains(says), "{refusal}");
        }
    }

    #[test]
    fn sql_may_be_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abide.toml");
        std::fs::write(&path, "sql-address = 'off'").unwrap();
        let serve = Serve { config: Some(path), ..Serve::default() };
        assert_eq!(resolve(&serve).unwrap().sql.address, None);
    }
}
