//! What was meant: flags and environment, then the file, then the defaults, as typed values.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use protocol::{ProtocolVersion, wire::frame::DEFAULT_MAX_MESSAGE_SIZE_BYTES};
use runtime_http::Limits;
use runtime_invoker::tls::{Identity, Tls};
use runtime_partition::Settings;
use runtime_schema::Defaults;
use serde::Deserialize;

use crate::args::Serve;

/// Everything the server needs to know, with nothing left open.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where the data is.
    pub(crate) data_dir: PathBuf,
    /// Where clients call.
    pub(crate) ingress_address: SocketAddr,
    /// Where operators call.
    pub(crate) admin_address: SocketAddr,
    /// Partitions of a new data directory.
    pub(crate) partitions: u16,
    /// Newest service protocol to speak.
    pub(crate) max_protocol: ProtocolVersion,
    /// Attempts that may be under way at the same time.
    pub(crate) attempts_max: usize,
    /// Whether attempts whose request was not even sent use up attempts of their retry policy.
    pub(crate) count_unsent_attempts: bool,
    /// Clients' connections at the same time.
    pub(crate) connections_max: usize,
    /// Largest request body, in bytes.
    pub(crate) request_size_max_bytes: usize,
    /// What bodies, attempts and answers may hold in memory at the edges, in bytes.
    pub(crate) memory_budget_bytes: usize,
    /// Size at which a log segment is closed, in bytes.
    pub(crate) log_segment_bytes: u64,
    /// What applies to handlers whose manifest is silent.
    pub(crate) defaults: Defaults,
    /// Limits of the partitions' work.
    pub(crate) partition: Settings,
    /// Whom endpoints with TLS are trusted by, and who this server is to them.
    pub(crate) endpoint_tls: Tls,
}

/// The file. Every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    data_dir: Option<PathBuf>,
    ingress_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    partitions: Option<u16>,
    max_service_protocol_version: Option<u16>,
    attempts_max: Option<usize>,
    count_unsent_attempts: Option<bool>,
    connections_max: Option<usize>,
    request_size_max_bytes: Option<usize>,
    memory_budget_bytes: Option<usize>,
    log_segment_bytes: Option<u64>,
    inactivity_timeout_ms: Option<u64>,
    abort_timeout_ms: Option<u64>,
    lazy_state: Option<bool>,
    journal_retention_ms: Option<u64>,
    idempotency_retention_ms: Option<u64>,
    workflow_retention_ms: Option<u64>,
    retention_budget_bytes: Option<u64>,
    checkpoint_interval_ms: Option<u64>,
    overlay_bytes_max: Option<usize>,
    endpoint_ca_file: Option<PathBuf>,
    endpoint_client_certificate_file: Option<PathBuf>,
    endpoint_client_key_file: Option<PathBuf>,
}

/// The real server's port for clients.
const INGRESS_PORT: u16 = 8080;
/// The real server's port for operators.
const ADMIN_PORT: u16 = 9070;
/// One for each core of a small machine; more cost a file and a thread each.
const DEFAULT_PARTITIONS: u16 = 2;
/// More partitions than this are of no use to one node.
pub(crate) const PARTITIONS_MAX: u16 = 256;
/// Half of what a record can have, so that there is room for all that comes with a body.
const REQUEST_SIZE_MAX_BYTES: usize = 64 << 20;
/// Half a gigabyte: twice what eight of the largest messages need.
const DEFAULT_MEMORY_BUDGET_BYTES: usize = 512 << 20;
/// Streams that a service process is trusted with at the same time.
const DEFAULT_ATTEMPTS_MAX: usize = 10_000;
/// Small enough that trimming frees space soon, large enough that rolling is rare.
const DEFAULT_LOG_SEGMENT_BYTES: u64 = 64 << 20;

impl Config {
    /// Flags and environment go before the file, the file before the defaults.
    pub(crate) fn resolve(serve: &Serve) -> Result<Self> {
        let file = match &serve.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let mut defaults = Defaults::default();
        set(
            &mut defaults.inactivity_timeout_ms,
            serve.inactivity_timeout_ms.or(file.inactivity_timeout_ms),
        );
        set(&mut defaults.abort_timeout_ms, file.abort_timeout_ms);
        set(&mut defaults.lazy_state, serve.lazy_state.or(file.lazy_state));
        set(
            &mut defaults.journal_retention_ms,
            serve.journal_retention_ms.or(file.journal_retention_ms),
        );
        set(&mut defaults.idempotency_retention_ms, file.idempotency_retention_ms);
        set(&mut defaults.workflow_retention_ms, file.workflow_retention_ms);
        let mut partition = Settings::default();
        set(&mut partition.retention_budget_bytes, file.retention_budget_bytes);
        set(
            &mut partition.checkpoint_interval,
            file.checkpoint_interval_ms.map(Duration::from_millis),
        );
        set(&mut partition.overlay_bytes_max, file.overlay_bytes_max);
        let partitions = serve.partitions.or(file.partitions).unwrap_or(DEFAULT_PARTITIONS);
        ensure!(
            (1..=PARTITIONS_MAX).contains(&partitions),
            "partitions is {partitions}, expected 1 to {PARTITIONS_MAX}"
        );
        let request_size_max_bytes =
            file.request_size_max_bytes.unwrap_or(runtime_ingress::DEFAULT_REQUEST_SIZE_MAX_BYTES);
        ensure!(
            request_size_max_bytes <= REQUEST_SIZE_MAX_BYTES,
            "request-size-max-bytes is {request_size_max_bytes}, expected at most \
             {REQUEST_SIZE_MAX_BYTES}, half of the largest record of the log"
        );
        let connections_max =
            file.connections_max.unwrap_or_else(|| Limits::default().connections_max);
        let attempts_max = file.attempts_max.unwrap_or(DEFAULT_ATTEMPTS_MAX);
        ensure!(attempts_max > 0, "attempts-max is 0, expected at least 1");
        let memory_budget_bytes = file.memory_budget_bytes.unwrap_or(DEFAULT_MEMORY_BUDGET_BYTES);
        let least = 8 * request_size_max_bytes.max(DEFAULT_MAX_MESSAGE_SIZE_BYTES as usize);
        ensure!(
            memory_budget_bytes >= least,
            "memory-budget-bytes is {memory_budget_bytes}, expected at least {least}: each of its \
             parts, the smallest is an eighth, has to hold the largest request and the largest message"
        );
        ensure!(connections_max > 0, "connections-max is 0, expected at least 1");
        let max_protocol = serve
            .max_service_protocol_version
            .or(file.max_service_protocol_version)
            .map_or(Ok(ProtocolVersion::MAX), |version| {
                ProtocolVersion::try_from(u32::from(version))
            })
            .context("max-service-protocol-version")?;
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let endpoint_tls = endpoint_tls(&file)?;
        Ok(Self {
            data_dir: serve
                .data_dir
                .clone()
                .or(file.data_dir)
                .unwrap_or_else(|| PathBuf::from("abide-data")),
            ingress_address: serve
                .ingress_address
                .or(file.ingress_address)
                .unwrap_or_else(|| local(INGRESS_PORT)),
            admin_address: serve
                .admin_address
                .or(file.admin_address)
                .unwrap_or_else(|| local(ADMIN_PORT)),
            partitions,
            max_protocol,
            attempts_max,
            count_unsent_attempts: file.count_unsent_attempts.unwrap_or(false),
            connections_max,
            request_size_max_bytes,
            memory_budget_bytes,
            log_segment_bytes: file.log_segment_bytes.unwrap_or(DEFAULT_LOG_SEGMENT_BYTES),
            defaults,
            partition,
            endpoint_tls,
        })
    }
}

/// The files are read once, at the start: a certificate that changes needs a restart.
fn endpoint_tls(file: &File) -> Result<Tls> {
    let pem = |path: &Path| {
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let authorities = file.endpoint_ca_file.as_deref().map(pem).transpose();
    let authorities = authorities.context("endpoint-ca-file")?;
    let named = (&file.endpoint_client_certificate_file, &file.endpoint_client_key_file);
    let identity = match named {
        (None, None) => None,
        (Some(certificates), Some(key)) => Some((
            pem(certificates).context("endpoint-client-certificate-file")?,
            pem(key).context("endpoint-client-key-file")?,
        )),
        (Some(_), None) | (None, Some(_)) => bail!(
            "endpoint-client-certificate-file and endpoint-client-key-file belong together, and \
             one of them is missing"
        ),
    };
    // Each is tried alone first, so that the message names the right one.
    Tls::new(authorities.as_deref(), None).context("endpoint-ca-file")?;
    let identity = identity.as_ref().map(|(certificates, key)| Identity { certificates, key });
    Tls::new(authorities.as_deref(), identity)
        .context("endpoint-client-certificate-file and endpoint-client-key-file")
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
    toml::from_str(&text)
        .with_context(|| format!("the configuration file {} is not valid", path.display()))
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const DOCS: &str = include_str!("../../../docs/configuration.md");

    /// Rows of the first table: key, flag and environment, default.
    fn rows() -> Vec<[&'static str; 3]> {
        let rows = DOCS.lines().take_while(|line| !line.starts_with("## "));
        rows.filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let key = cells.next()?.trim_end_matches('`');
            Some([key, cells.next()?, cells.next()?])
        })
        .collect()
    }

    #[test]
    fn every_setting_is_documented_and_no_other() {
        let error = toml::from_str::<File>("no-such-key = 1").unwrap_err().to_string();
        let (_, known) = error.split_once("expected one of ").unwrap();
        let mut known: Vec<_> = known.trim().split(", ").map(|key| key.trim_matches('`')).collect();
        let mut documented: Vec<_> = rows().into_iter().map(|[key, ..]| key).collect();
        known.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, known);
    }

    #[test]
    fn flags_and_variables_are_documented_where_they_exist() {
        let command = crate::args::Args::command();
        let serve = command.find_subcommand("serve").unwrap();
        let mut with_flag = 0;
        for [key, flag, _] in rows() {
            let argument = serve.get_arguments().find(|argument| argument.get_long() == Some(key));
            let expected = argument.map_or_else(String::new, |argument| {
                let variable = argument.get_env().unwrap_or_default().to_string_lossy();
                format!("`--{key}`, `{variable}`")
            });
            assert_eq!(flag, expected, "{key}");
            with_flag += usize::from(argument.is_some());
        }
        // Beside those there is the file itself.
        let flags = serve.get_arguments().filter(|argument| argument.get_env().is_some()).count();
        assert_eq!(with_flag + 1, flags);
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = Config::resolve(&Serve::default()).unwrap();
        let defaults = [
            ("data-dir", config.data_dir.display().to_string()),
            ("ingress-address", config.ingress_address.to_string()),
            ("admin-address", config.admin_address.to_string()),
            ("partitions", config.partitions.to_string()),
            ("attempts-max", config.attempts_max.to_string()),
            ("connections-max", config.connections_max.to_string()),
            ("request-size-max-bytes", config.request_size_max_bytes.to_string()),
            ("memory-budget-bytes", config.memory_budget_bytes.to_string()),
            ("log-segment-bytes", config.log_segment_bytes.to_string()),
            ("inactivity-timeout-ms", config.defaults.inactivity_timeout_ms.to_string()),
            ("abort-timeout-ms", config.defaults.abort_timeout_ms.to_string()),
            ("lazy-state", config.defaults.lazy_state.to_string()),
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
            ("attempts-max = 0", "attempts-max is 0, expected at least 1"),
            ("connections-max = 0", "connections-max is 0, expected at least 1"),
            ("memory-budget-bytes = 1000", "memory-budget-bytes is 1000, expected at least"),
            ("partitions = 0", "partitions is 0, expected 1 to 256"),
            ("request-size-max-bytes = 100000000", "request-size-max-bytes is 100000000"),
            ("atempts-max = 1", "unknown field `atempts-max`"),
        ] {
            std::fs::write(&path, text).unwrap();
            let serve = Serve { config: Some(path.clone()), ..Serve::default() };
            let refusal = format!("{:#}", Config::resolve(&serve).unwrap_err());
            assert!(refusal.contains(says), "{refusal}");
        }
    }
}
