//! The settings as written: keys of a file, and environment variables of the same names. Every key
//! is optional.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

/// The settings that have been set. Keys are these names with dashes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) ingress_address: Option<Address>,
    pub(crate) admin_address: Option<Address>,
    pub(crate) sql_address: Option<OrOff>,
    pub(crate) sql_users: Option<List>,
    pub(crate) sql_trust_everyone: Option<bool>,
    pub(crate) sql_certificate_file: Option<PathBuf>,
    pub(crate) sql_key_file: Option<PathBuf>,
    pub(crate) sql_queries_max: Option<usize>,
    pub(crate) sql_query_seconds: Option<u64>,
    pub(crate) partitions: Option<u16>,
    pub(crate) max_service_protocol_version: Option<u16>,
    pub(crate) attempts_max: Option<usize>,
    pub(crate) count_unsent_attempts: Option<bool>,
    pub(crate) connections_max: Option<usize>,
    pub(crate) allowed_hosts: Option<List>,
    pub(crate) cors_allowed_origins: Option<List>,
    pub(crate) dropped_headers: Option<List>,
    pub(crate) request_size_max_bytes: Option<usize>,
    pub(crate) memory_budget_bytes: Option<usize>,
    pub(crate) log_segment_bytes: Option<u64>,
    pub(crate) inactivity_timeout_ms: Option<u64>,
    pub(crate) abort_timeout_ms: Option<u64>,
    pub(crate) lazy_state: Option<bool>,
    pub(crate) journal_retention_ms: Option<u64>,
    pub(crate) idempotency_retention_ms: Option<u64>,
    pub(crate) workflow_retention_ms: Option<u64>,
    pub(crate) retention_budget_bytes: Option<u64>,
    pub(crate) checkpoint_interval_ms: Option<u64>,
    pub(crate) overlay_bytes_max: Option<usize>,
    pub(crate) endpoint_ca_file: Option<PathBuf>,
    pub(crate) endpoint_client_certificate_file: Option<PathBuf>,
    pub(crate) endpoint_client_key_file: Option<PathBuf>,
}

/// All keys, as written in a file.
pub(crate) const KEYS: [&str; 33] = [
    "data-dir",
    "ingress-address",
    "admin-address",
    "sql-address",
    "sql-users",
    "sql-trust-everyone",
    "sql-certificate-file",
    "sql-key-file",
    "sql-queries-max",
    "sql-query-seconds",
    "partitions",
    "max-service-protocol-version",
    "attempts-max",
    "count-unsent-attempts",
    "connections-max",
    "allowed-hosts",
    "cors-allowed-origins",
    "dropped-headers",
    "request-size-max-bytes",
    "memory-budget-bytes",
    "log-segment-bytes",
    "inactivity-timeout-ms",
    "abort-timeout-ms",
    "lazy-state",
    "journal-retention-ms",
    "idempotency-retention-ms",
    "workflow-retention-ms",
    "retention-budget-bytes",
    "checkpoint-interval-ms",
    "overlay-bytes-max",
    "endpoint-ca-file",
    "endpoint-client-certificate-file",
    "endpoint-client-key-file",
];

/// The variable for the path of the configuration file.
const CONFIG_VARIABLE: &str = "ABIDE_CONFIG";
/// Prefix of our environment variables.
const PREFIX: &str = "ABIDE_";

/// Our environment variables. One that is set to the empty string counts as absent, because that is
/// how tools that start programs unset variables.
#[derive(Debug, Default, Clone)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// Returns an error if one of our variables is not UTF-8.
    pub(crate) fn of_process() -> Result<Self> {
        let ours = std::env::vars_os()
            .filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with(PREFIX)));
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.to_string_lossy().into_owned();
            let value = value.into_string().map_err(|_| anyhow!("{name} is not UTF-8 text"))?;
            Ok((name, value))
        };
        Ok(Self(ours.map(text).collect::<Result<_>>()?))
    }

    #[cfg(test)]
    pub(crate) fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(variables.into_iter().map(owned).collect())
    }

    /// Variables that have our prefix but set nothing.
    pub(crate) fn unknown(&self) -> Vec<&str> {
        let known: Vec<String> = KEYS.iter().map(|key| variable(key)).collect();
        let is_known = |name: &str| name == CONFIG_VARIABLE || known.iter().any(|one| one == name);
        let others = self.0.keys().map(String::as_str);
        // The command line's own is no setting of a server, but no mistake either.
        let elsewhere = [crate::telemetry::VARIABLE, cli::ADMIN_URL_VARIABLE];
        others.filter(|name| !elsewhere.contains(name) && !is_known(name)).collect()
    }

    /// The value of a variable, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The name of the variable that sets a key.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('-', "_").to_ascii_uppercase())
}

/// Reads the configuration file, if one is named, and overrides it with the environment.
///
/// # Errors
/// Returns an error if the file can't be read, or if a value is not valid, naming it.
pub(crate) fn read(file: Option<&Path>, environment: &Environment) -> Result<Settings> {
    let file = file.or_else(|| environment.get(CONFIG_VARIABLE).map(Path::new));
    let mut table = file.map_or_else(|| Ok(toml::Table::new()), read_file)?;
    for key in KEYS {
        let variable = variable(key);
        if let Some(text) = environment.get(&variable) {
            let value = value(key, text).with_context(|| format!("{variable} is '{text}'"))?;
            table.insert(key.to_owned(), value);
        }
    }
    // Each value has been checked on its own, with its name.
    table.try_into().context("the settings are not consistent")
}

fn read_file(path: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
    let read = || -> Result<toml::Table, toml::de::Error> {
        // Parse it as `Settings` first: that error shows the line.
        toml::from_str::<Settings>(&text)?;
        toml::from_str(&text)
    };
    let read = read().map_err(|error| anyhow!("{}", plain(&error.to_string())));
    read.with_context(|| format!("the configuration file {} is not valid", path.display()))
}

/// Parses the text of a variable as the value of a key: first as plain text, then as TOML.
fn value(key: &str, text: &str) -> Result<toml::Value> {
    let alone = |value: &toml::Value| {
        let table = toml::Table::from_iter([(key.to_owned(), value.clone())]);
        table.try_into::<Settings>()
    };
    let text = toml::Value::String(text.to_owned());
    let Err(as_text) = alone(&text) else { return Ok(text) };
    let said = |error: &toml::de::Error| anyhow!("{}", plain(error.message()));
    let written = text.as_str().unwrap_or_default();
    let Ok(written) = toml::from_str::<toml::Table>(&format!("value = {written}")) else {
        return Err(said(&as_text));
    };
    let written = written.get("value").cloned().unwrap_or(text);
    match alone(&written) {
        Ok(_) => Ok(written),
        // If the key takes text, report what is wrong with the text.
        Err(_) if !as_text.message().starts_with("invalid type") => Err(said(&as_text)),
        Err(error) => Err(said(&error)),
    }
}

/// An error message without the names of Rust types.
fn plain(message: &str) -> String {
    let numbers = ["usize", "u64", "u32", "u16"];
    numbers.iter().fold(message.to_owned(), |message, ty| {
        message.replace(
            &format!("expected {ty}"),
            "expected a number that is not negative and not too large",
        )
    })
}

/// A list of texts: a TOML array, or one text separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct List(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = List;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of strings, or one string separated by commas")
            }

            fn visit_str<E>(self, text: &str) -> Result<List, E> {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(List(items.map(str::to_owned).collect()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List, A::Error> {
                let mut list = List::default();
                while let Some(item) = items.next_element()? {
                    list.0.push(item);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

/// An address to listen on: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, or `:8080` for all
/// addresses of this machine. Port 0 picks a free port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address {
    host: String,
    port: u16,
}

/// A text that is not an address.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{0}' is not an address: expected HOST:PORT, such as 127.0.0.1:8080, localhost:8080 or :8080"
)]
pub(crate) struct BadAddress(String);

impl Address {
    /// An address that only this machine can reach.
    pub(crate) fn local(port: u16) -> Self {
        Self { host: Ipv4Addr::LOCALHOST.to_string(), port }
    }

    /// Whether only this machine can reach it.
    pub(crate) fn is_loopback(&self) -> bool {
        let resolved = self.resolve().unwrap_or_default();
        !resolved.is_empty() && resolved.iter().all(|address| address.ip().is_loopback())
    }

    /// Resolves the address to socket addresses, in the order in which to try them.
    ///
    /// # Errors
    /// Returns an error if the host name can't be resolved.
    pub(crate) fn resolve(&self) -> Result<Vec<SocketAddr>> {
        if self.host.is_empty() {
            return Ok(vec![(Ipv4Addr::UNSPECIFIED, self.port).into()]);
        }
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let found = (host, self.port).to_socket_addrs();
        let found =
            found.with_context(|| format!("the host '{}' cannot be resolved", self.host))?;
        let mut found: Vec<_> = found.collect();
        // If a name has both IPv4 and IPv6, most clients try IPv4, or both.
        found.sort_by_key(SocketAddr::is_ipv6);
        ensure!(!found.is_empty(), "the host '{}' has no address", self.host);
        Ok(found)
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let is_v6 = host.starts_with('[') && host.ends_with(']');
        let is_name = !host.contains([':', '/', '[', ']', '@', ' ']);
        if !(is_v6 || is_name) {
            return Err(bad());
        }
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| bad())? })
    }
}

impl TryFrom<String> for Address {
    type Error = BadAddress;

    fn try_from(text: String) -> Result<Self, BadAddress> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// An address to listen on, or `off` for none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum OrOff {
    /// Nothing listens.
    Off,
    /// Where to listen.
    At(Address),
}

/// A text that is neither an address nor `off`.
#[derive(Debug, thiserror::Error)]
#[error("{0}, or off")]
pub(crate) struct NeitherAddressNorOff(BadAddress);

impl FromStr for OrOff {
    type Err = NeitherAddressNorOff;

    fn from_str(text: &str) -> Result<Self, NeitherAddressNorOff> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(NeitherAddressNorOff)
    }
}

impl TryFrom<String> for OrOff {
    type Error = NeitherAddressNorOff;

    fn try_from(text: String) -> Result<Self, NeitherAddressNorOff> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_be_names_or_all_of_this_machine() {
        let resolve = |text: &str| text.parse::<Address>().unwrap().resolve().unwrap();
        let first = |text| resolve(text).first().unwrap().to_string();
        assert_eq!(first("127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(first("[::1]:8080"), "[::1]:8080");
        assert_eq!(first("localhost:8080"), "127.0.0.1:8080");
        assert_eq!(first(":8080"), "0.0.0.0:8080");
        assert_eq!(first("127.0.0.1:0"), "127.0.0.1:0");
        for bad in ["8080", "localhost", "localhost:", "a:99999", "http://a:80", "::1:80", "a b:1"]
        {
            let refused = bad.parse::<Address>().unwrap_err().to_string();
            assert!(refused.contains(&format!("'{bad}' is not an address")), "{refused}");
        }
    }

    #[test]
    fn the_environment_goes_before_the_file_and_nothing_is_no_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abide.toml");
        std::fs::write(&path, "partitions = 3\nattempts-max = 5\nallowed-hosts = ['a.b']\n")
            .unwrap();
        let environment = Environment::of([
            ("ABIDE_CONFIG", path.to_str().unwrap()),
            ("ABIDE_PARTITIONS", "4"),
            ("ABIDE_ATTEMPTS_MAX", ""),
            ("ABIDE_DATA_DIR", "2024"),
            ("ABIDE_LAZY_STATE", "true"),
            ("ABIDE_INGRESS_ADDRESS", "localhost:1"),
            ("ABIDE_DROPPED_HEADERS", "x-a, x-b"),
            ("ABIDE_ADMIN_URL", "http://localhost:1"),
            ("ABIDE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ]);
        let settings = read(None, &environment).unwrap();
        assert_eq!(settings.partitions, Some(4));
        assert_eq!(settings.attempts_max, Some(5));
        assert_eq!(settings.data_dir, Some(PathBuf::from("2024")));
        assert_eq!(settings.lazy_state, Some(true));
        assert_eq!(settings.ingress_address.unwrap().to_string(), "localhost:1");
        assert_eq!(settings.allowed_hosts.unwrap().0, ["a.b"]);
        assert_eq!(settings.dropped_headers.unwrap().0, ["x-a", "x-b"]);
        assert_eq!(environment.unknown(), ["ABIDE_PORT_8080_TCP"]);
    }

    #[test]
    fn a_variable_that_makes_no_sense_is_named() {
        for (name, value, says) in [
            (
                "ABIDE_PARTITIONS",
                "many",
                "ABIDE_PARTITIONS is 'many': invalid type: string \"many\", expected a number",
            ),
            ("ABIDE_PARTITIONS", "-1", "ABIDE_PARTITIONS is '-1': invalid value: integer `-1`"),
            ("ABIDE_LAZY_STATE", "1", "ABIDE_LAZY_STATE is '1': invalid type: integer `1`"),
            ("ABIDE_ADMIN_ADDRESS", "9070", "'9070' is not an address: expected HOST:PORT"),
            ("ABIDE_CONFIG", "/no/such/file", "the configuration file /no/such/file"),
        ] {
            let refused = read(None, &Environment::of([(name, value)])).unwrap_err();
            assert!(format!("{refused:#}").contains(says), "{refused:#}");
        }
    }
}
