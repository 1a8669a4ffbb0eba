//! Settings of a session. Clients set and ask for many; few change anything here.

use std::collections::{BTreeMap, HashMap};

use crate::error::SqlError;

/// What `server_version` says before the version of this software. Clients choose the queries for
/// `\d` and the like by it; a newer one makes older versions of psql print a warning.
pub(crate) const SERVER_VERSION: &str = "15.0";

/// The settings that clients ask for, and their values unless they set others.
pub(crate) const DEFAULTS: &[(&str, &str)] = &[
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_table_access_method", "heap"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("jit", "off"),
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

/// What a setting is unless a session sets it.
///
/// # Errors
/// Returns an error if there is no such setting.
pub(crate) fn default_setting(name: &str) -> Result<&'static str, SqlError> {
    let known = DEFAULTS.iter().find(|(known, _)| *known == name);
    known.map(|(_, value)| *value).ok_or_else(|| {
        SqlError::new("42704", format!("unrecognized configuration parameter \"{name}\""))
    })
}

/// The encodings that are UTF-8, or part of it.
const ENCODINGS: [&str; 4] = ["utf8", "unicode", "sqlascii", "default"];

/// How many settings of other names a session keeps.
const OTHERS_MAX: usize = 64;

/// What the first message of a client has besides settings.
const NO_SETTINGS: [&str; 4] = ["user", "database", "options", "replication"];

/// The settings of a session.
#[derive(Debug, Default)]
pub(crate) struct SessionSettings {
    set: BTreeMap<String, String>,
    /// What is in force again after a reset.
    started: BTreeMap<String, String>,
}

impl SessionSettings {
    /// Takes over the settings of a client's first message: its own, and those in its `options`,
    /// written as for the command line of PostgreSQL's server.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(crate) fn start(&mut self, parameters: &HashMap<String, String>) -> Result<(), SqlError> {
        let options = parameters.get("options").map(String::as_str).unwrap_or_default();
        let is_setting = |name: &str| !NO_SETTINGS.contains(&name) && !name.starts_with("_pq_");
        let own = parameters.iter().filter(|(name, _)| is_setting(name));
        let own = own.map(|(name, value)| (name.clone(), value.clone()));
        for (name, value) in of_options(options).into_iter().chain(own) {
            self.set(name.to_lowercase(), value)?;
        }
        self.started = self.set.clone();
        Ok(())
    }

    /// Changes a setting.
    ///
    /// # Errors
    /// Returns an error if results could not be what the client then expects.
    pub(crate) fn set(&mut self, name: String, value: String) -> Result<(), SqlError> {
        let value = value.trim().to_owned();
        let is = |accepted: &[&str]| accepted.iter().any(|it| it.eq_ignore_ascii_case(&value));
        let is_accepted = match name.as_str() {
            // As in PostgreSQL, only letters and digits tell encodings apart: asyncpg sends 'utf-8'.
            "client_encoding" => ENCODINGS.contains(&letters_and_digits(&value).as_str()),
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
        if self.set.len() >= OTHERS_MAX && !self.set.contains_key(&name) {
            return Err(SqlError::new("53400", format!("a session may set {OTHERS_MAX} settings")));
        }
        self.set.insert(name, value);
        Ok(())
    }

    /// Goes back to what the session started with.
    pub(crate) fn reset(&mut self, name: Option<&str>) {
        let Some(name) = name else {
            self.set = self.started.clone();
            return;
        };
        match self.started.get(name) {
            Some(value) => _ = self.set.insert(name.to_owned(), value.clone()),
            None => _ = self.set.remove(name),
        }
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// Returns an error if there is no such setting.
    pub(crate) fn show(&self, name: &str) -> Result<String, SqlError> {
        match self.set.get(name) {
            Some(value) => Ok(value.clone()),
            None => default_setting(name).map(str::to_owned),
        }
    }
}

fn letters_and_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// The settings in `-c name=value --name=value`, where a backslash quotes the next character.
fn of_options(options: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        let last = words.len() - 1;
        match character {
            ' ' => words.push(String::new()),
            '\\' => words[last].extend(characters.next()),
            other => words[last].push(other),
        }
    }
    let setting = |word: &str| {
        let word = word.trim_start_matches("-c").trim_start_matches("--");
        let (name, value) = word.split_once('=')?;
        // Dashes and underscores are the same there.
        Some((name.replace('-', "_"), value.to_owned()))
    };
    words.iter().filter_map(|word| setting(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_a_command_line() {
        let options = r"-c geqo=off  -cwork_mem=1\ MB --search-path=a -c broken";
        let settings = of_options(options);
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(settings, [("geqo", "off"), ("work_mem", "1 MB"), ("search_path", "a")]);
    }

    #[test]
    fn a_reset_goes_back_to_the_start() {
        let mut settings = SessionSettings::default();
        let parameters = [("application_name", "a"), ("user", "b")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        settings.start(&parameters).unwrap();
        settings.set("application_name".into(), "c".into()).unwrap();
        settings.set("geqo".into(), "off".into()).unwrap();
        assert_eq!(settings.show("application_name").unwrap(), "c");
        settings.reset(Some("application_name"));
        assert_eq!(settings.show("application_name").unwrap(), "a");
        settings.reset(None);
        assert_eq!(settings.show("application_name").unwrap(), "a");
        assert!(settings.show("geqo").is_err() && settings.show("user").is_err());
    }
}
