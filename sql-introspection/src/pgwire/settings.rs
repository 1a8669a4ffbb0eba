//! Settings of a session. Clients set and ask for many; few change anything here.

use std::collections::BTreeMap;

use crate::error::SqlError;

/// What `server_version` says before the version of this software. Clients choose the queries for
/// `\d` and the like by it; a newer one makes older versions of psql print a warning.
pub(crate) const SERVER_VERSION: &str = "15.0";

/// The settings that clients ask for, and their values unless they set others.
const DEFAULTS: &[(&str, &str)] = &[
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("lock_timeout", "0"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("row_security", "on"),
    ("search_path", "public"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", "150000"),
    ("session_authorization", "abide"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("synchronize_seqscans", "on"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
];

/// How many settings of other names a session keeps.
const OTHERS_MAX: usize = 64;

/// The settings of a session.
#[derive(Debug, Default)]
pub(super) struct SessionSettings(BTreeMap<String, String>);

impl SessionSettings {
    /// Changes a setting.
    ///
    /// # Errors
    /// Returns an error if results could not be what the client then expects.
    pub(super) fn set(&mut self, name: String, value: String) -> Result<(), SqlError> {
        let value = value.trim().to_owned();
        let is = |accepted: &[&str]| accepted.iter().any(|it| it.eq_ignore_ascii_case(&value));
        let is_accepted = match name.as_str() {
            "client_encoding" => is(&["utf8", "utf-8", "unicode", "sql_ascii", "default"]),
            "standard_conforming_strings" => is(&["on", "true", "1", "default"]),
            "bytea_output" => is(&["hex", "default"]),
            "timezone" => is(&[
                "utc",
                "gmt",
                "etc/utc",
                "universal",
                "zulu",
                "0",
                "+00:00",
                "default",
                "local",
            ]),
            "default_transaction_read_only" | "transaction_read_only" => {
                is(&["on", "true", "1", "default"])
            }
            _ => true,
        };
        // Clients set their own zone without being asked, and convert times themselves.
        if !is_accepted && name != "timezone" {
            return Err(SqlError::new(
                "22023",
                format!("invalid value for parameter \"{name}\": \"{value}\""),
            ));
        }
        if !is_accepted {
            return Ok(());
        }
        if self.0.len() >= OTHERS_MAX && !self.0.contains_key(&name) {
            return Err(SqlError::new("53400", format!("a session may set {OTHERS_MAX} settings")));
        }
        self.0.insert(name, value);
        Ok(())
    }

    /// Forgets what was set.
    pub(super) fn reset(&mut self, name: Option<&str>) {
        match name {
            Some(name) => _ = self.0.remove(name),
            None => self.0.clear(),
        }
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// Returns an error if there is no such setting.
    pub(super) fn show(&self, name: &str) -> Result<String, SqlError> {
        let default = || DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        match self.0.get(name).map(String::as_str).or_else(default) {
            Some(value) => Ok(value.to_owned()),
            None => Err(SqlError::new(
                "42704",
                format!("unrecognized configuration parameter \"{name}\""),
            )),
        }
    }
}
