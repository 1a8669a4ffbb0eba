//! Settings of a session. Clients set and ask for many; few change anything here.

mod timeout;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    (STATEMENT_TIMEOUT, "0"),
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
const ENCODINGS: [&str; 3] = ["utf8", "unicode", "sqlascii"];

/// How many settings of other names a session keeps.
const OTHERS_MAX: usize = 64;

/// What the first message of a client has besides settings.
const NO_SETTINGS: [&str; 4] = ["user", "database", "options", "replication"];

/// Settings that are times, in milliseconds.
const TIMEOUTS: [&str; 3] =
    ["idle_in_transaction_session_timeout", "lock_timeout", STATEMENT_TIMEOUT];

/// How long a statement may take.
const STATEMENT_TIMEOUT: &str = "statement_timeout";

/// Settings that a session and its queries share.
pub(crate) type SharedSettings = Arc<Mutex<SessionSettings>>;

/// For how long a setting is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Until it is changed again.
    Session,
    /// Until the transaction ends.
    Transaction,
}

/// The settings of a session.
#[derive(Debug, Default)]
pub(crate) struct SessionSettings {
    set: BTreeMap<String, String>,
    /// What is in force until the transaction ends.
    local: BTreeMap<String, String>,
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
            self.set(&name, Some(&value), Scope::Session)?;
        }
        self.started = self.set.clone();
        Ok(())
    }

    /// Changes a setting; without a value, to what the session started with.
    ///
    /// # Errors
    /// Returns an error if results could not be what the client then expects.
    pub(crate) fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
        scope: Scope,
    ) -> Result<(), SqlError> {
        let name = name.to_lowercase();
        let value = match (value, scope) {
            (Some(value), _) => accepted(&name, value.trim())?,
            (None, Scope::Session) => {
                self.reset(Some(&name));
                return Ok(());
            }
            (None, Scope::Transaction) => match self.started.get(&name) {
                Some(value) => Some(value.clone()),
                None => Some(default_setting(&name)?.to_owned()),
            },
        };
        // Nothing is changed by what is ignored.
        let Some(value) = value else { return Ok(()) };
        let (changed, other) = match scope {
            Scope::Session => (&mut self.set, Some(&mut self.local)),
            Scope::Transaction => (&mut self.local, None),
        };
        if changed.len() >= OTHERS_MAX && !changed.contains_key(&name) {
            return Err(SqlError::new("53400", format!("a session may set {OTHERS_MAX} settings")));
        }
        if let Some(other) = other {
            other.remove(&name);
        }
        changed.insert(name, value);
        Ok(())
    }

    /// Goes back to what the session started with.
    pub(crate) fn reset(&mut self, name: Option<&str>) {
        let Some(name) = name else {
            self.set = self.started.clone();
            self.local.clear();
            return;
        };
        self.local.remove(name);
        match self.started.get(name) {
            Some(value) => _ = self.set.insert(name.to_owned(), value.clone()),
            None => _ = self.set.remove(name),
        }
    }

    /// Goes back to what was in force before the transaction changed it for itself.
    pub(crate) fn end_transaction(&mut self) {
        self.local.clear();
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// Returns an error if there is no such setting.
    pub(crate) fn show(&self, name: &str) -> Result<String, SqlError> {
        let name = name.to_lowercase();
        match self.local.get(&name).or_else(|| self.set.get(&name)) {
            Some(value) => Ok(value.clone()),
            None => default_setting(&name).map(str::to_owned),
        }
    }

    /// How long a statement may take, if the session limits it.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        let limit = self.show(STATEMENT_TIMEOUT).ok()?;
        timeout::read(&limit).ok().filter(|limit| !limit.is_zero())
    }
}

/// What a client is told whose value of a setting is ignored; `None` if it is not.
pub(crate) fn notice(name: &str, value: &str) -> Option<SqlError> {
    let is_ignored = matches!(accepted(&name.to_lowercase(), value.trim()), Ok(None));
    is_ignored.then(|| {
        let what = format!("the time zone \"{value}\" is ignored: all times are in UTC here");
        let hint = format!("write created_at at time zone '{value}' for what a clock there shows");
        SqlError::new("01000", what).hint(hint)
    })
}

/// A value as it is kept; `None` if it is ignored.
fn accepted(name: &str, value: &str) -> Result<Option<String>, SqlError> {
    if TIMEOUTS.contains(&name) {
        let timeout = timeout::read(value).map_err(|refused| refused.of(name, value))?;
        return Ok(Some(timeout::shown(timeout)));
    }
    let is = |accepted: &[&str]| accepted.iter().any(|it| it.eq_ignore_ascii_case(value));
    let is_accepted = match name {
        // As in PostgreSQL, only letters and digits tell encodings apart: asyncpg sends 'utf-8'.
        "client_encoding" => ENCODINGS.contains(&letters_and_digits(value).as_str()),
        "standard_conforming_strings" => is(&["on", "true", "1"]),
        "bytea_output" => is(&["hex"]),
        "timezone" => is(&["utc", "gmt", "etc/utc", "universal", "zulu", "0", "+00:00", "local"]),
        "default_transaction_read_only" | "transaction_read_only" => is(&["on", "true", "1"]),
        _ => true,
    };
    // Clients set their own zone without being asked, and convert times themselves: see `notice`.
    if !is_accepted && name != "timezone" {
        let what = format!("invalid value for parameter \"{name}\": \"{value}\"");
        return Err(SqlError::new("22023", what));
    }
    Ok(is_accepted.then(|| value.to_owned()))
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
    fn who_sets_another_zone_is_told_that_it_makes_no_difference() {
        assert_eq!(notice("timezone", "UTC"), None);
        assert_eq!(notice("application_name", "a"), None);
        let notice = notice("TimeZone", "Europe/Berlin").unwrap();
        assert!(notice.message.contains("Europe/Berlin"), "{notice}");
    }

    #[test]
    fn a_reset_goes_back_to_the_start() {
        let mut settings = SessionSettings::default();
        let parameters = [("application_name", "a"), ("user", "b")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        settings.start(&parameters).unwrap();
        settings.set("application_name", Some("c"), Scope::Session).unwrap();
        settings.set("geqo", Some("off"), Scope::Session).unwrap();
        assert_eq!(settings.show("application_name").unwrap(), "c");
        settings.reset(Some("application_name"));
        assert_eq!(settings.show("application_name").unwrap(), "a");
        settings.reset(None);
        assert_eq!(settings.show("application_name").unwrap(), "a");
        assert!(settings.show("geqo").is_err() && settings.show("user").is_err());
    }

    #[test]
    fn what_is_set_for_a_transaction_ends_with_it() {
        let mut settings = SessionSettings::default();
        settings.set("Statement_Timeout", Some("1min"), Scope::Session).unwrap();
        settings.set("statement_timeout", Some("1500"), Scope::Transaction).unwrap();
        assert_eq!(settings.show("statement_timeout").unwrap(), "1500ms");
        assert_eq!(settings.statement_timeout(), Some(Duration::from_millis(1500)));
        settings.set("statement_timeout", None, Scope::Transaction).unwrap();
        assert_eq!(settings.statement_timeout(), None);
        settings.end_transaction();
        assert_eq!(settings.show("STATEMENT_TIMEOUT").unwrap(), "1min");
        settings.set("statement_timeout", None, Scope::Session).unwrap();
        assert_eq!(settings.show("statement_timeout").unwrap(), "0");
    }
}
