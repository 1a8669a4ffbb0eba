//! What the word before the cursor may become.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::timeout;

use super::describe;
use crate::{client::Client, error::Error, output::cells::each_row};

/// How long the prompt waits for the names of a busy server.
const NAMES_TIMEOUT: Duration = Duration::from_secs(3);

/// The keywords of queries.
const KEYWORDS: [&str; 44] = [
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "count",
    "cross",
    "desc",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "from",
    "full",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "intersect",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "over",
    "right",
    "select",
    "then",
    "union",
    "using",
    "when",
    "where",
];

/// The commands.
const COMMANDS: [&str; 7] = ["\\?", "\\d", "\\d+", "\\dt", "\\q", "\\watch", "\\x"];

/// Words that a table follows.
const BEFORE_TABLES: [&str; 5] = ["from", "join", "\\d", "\\d+", "\\dt"];

/// The tables of a server with their columns. Without any, only keywords are completed.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    /// Asks a server. One without `information_schema`, or without time, has no names.
    ///
    /// # Errors
    /// Returns an error if there is no server.
    pub(crate) async fn fetch(client: &Client) -> Result<Self, Error> {
        match timeout(NAMES_TIMEOUT, Self::ask(client)).await {
            Ok(Err(Error::Client(error))) if error.is_unreachable() => Err(error.into()),
            Ok(names) => Ok(names.unwrap_or_default()),
            Err(_) => Ok(Self::default()),
        }
    }

    async fn ask(client: &Client) -> Result<Self, Error> {
        let mut names = Self::default();
        let mut rows = client.query(describe::COLUMNS).await?;
        while let Some(batch) = rows.next().await? {
            each_row(&batch, |cells| {
                if let [Some(schema), Some(table), Some(column)] = cells.as_slice() {
                    names.add(schema, table, column);
                }
                Ok(())
            })?;
        }
        Ok(names)
    }

    /// Adds a column of a table. Tables of other schemas than the usual one are written with it.
    fn add(&mut self, schema: &str, table: &str, column: &str) {
        let table = match schema {
            "public" => table.to_owned(),
            _ => format!("{schema}.{table}"),
        };
        self.0.entry(table).or_default().insert(column.to_owned());
    }

    /// Where the word before the cursor begins, and what it may become.
    pub(crate) fn complete(&self, text: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = &text[..cursor];
        let is_part = |it: char| it.is_alphanumeric() || "_.\\?".contains(it);
        let begin = before.trim_end_matches(is_part).len();
        let word = &before[begin..];
        let previous = before[..begin].split_whitespace().next_back().unwrap_or_default();
        if word.starts_with('\\') {
            return (begin, matching(word, COMMANDS));
        }
        if BEFORE_TABLES.contains(&previous.to_lowercase().as_str()) {
            // Tables of other schemas are many, and seldom meant.
            let tables = self.0.keys().filter(|table| !word.is_empty() || !table.contains('.'));
            return (begin, matching(word, tables));
        }
        if let Some((table, column)) = word.rsplit_once('.') {
            let of_table = self.0.get(&table.to_lowercase());
            // Anything else is an alias, of a table that the statement names.
            let columns = of_table.map_or_else(|| self.columns(text), |it| it.iter().collect());
            return (begin + table.len() + 1, matching(column, columns));
        }
        // Nothing but what has begun: the list of everything is of no use.
        if word.is_empty() {
            return (begin, Vec::new());
        }
        let columns = self.columns(text).into_iter().map(String::as_str);
        (begin, matching(word, columns.chain(KEYWORDS).collect::<BTreeSet<_>>()))
    }

    /// The columns of the tables that a statement names; all columns if it names none yet.
    fn columns(&self, statement: &str) -> BTreeSet<&String> {
        let statement = statement.to_lowercase();
        let is_part = |it: char| it.is_alphanumeric() || "_.".contains(it);
        let words: BTreeSet<&str> = statement.split(|it| !is_part(it)).collect();
        let named: Vec<_> =
            self.0.iter().filter(|(table, _)| words.contains(table.as_str())).collect();
        let own = self.0.iter().filter(|(table, _)| !table.contains('.'));
        let tables = if named.is_empty() { own.collect() } else { named };
        tables.into_iter().flat_map(|(_, columns)| columns).collect()
    }
}

/// The candidates that begin like the word, in capitals if the word is.
fn matching(word: &str, candidates: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let lower = word.to_lowercase();
    let is_upper = word.contains(char::is_uppercase) && !word.contains(char::is_lowercase);
    let candidates = candidates.into_iter();
    let found = candidates.filter(|it| it.as_ref().starts_with(&lower));
    let cased = |it: &str| {
        if is_upper && KEYWORDS.contains(&it) { it.to_uppercase() } else { it.to_owned() }
    };
    found.map(|it| cased(it.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> (usize, Vec<String>) {
        let mut names = Names::default();
        for (schema, table, column) in [
            ("public", "state", "service_name"),
            ("public", "state", "key"),
            ("public", "sys_service", "name"),
            ("public", "sys_service", "revision"),
            ("pg_catalog", "pg_class", "relname"),
        ] {
            names.add(schema, table, column);
        }
        let cursor = text.find('|').unwrap();
        names.complete(&text.replace('|', ""), cursor)
    }

    fn words(text: &str) -> Vec<String> {
        complete(text).1
    }

    #[test]
    fn tables_come_after_from_and_join() {
        assert_eq!(words("select * from s|"), ["state", "sys_service"]);
        assert_eq!(words("select * FROM state JOIN sys|"), ["sys_service"]);
        assert_eq!(words("select * from |"), ["state", "sys_service"]);
        assert_eq!(words("select * from p|"), ["pg_catalog.pg_class"]);
        assert_eq!(words("select * from pg_catalog.pg|"), ["pg_catalog.pg_class"]);
        assert_eq!(words("\\d st|"), ["state"]);
        assert_eq!(words("\\d+ st|"), ["state"]);
    }

    #[test]
    fn columns_are_those_of_the_tables_that_are_named() {
        assert_eq!(words("select k| from state"), ["key"]);
        assert_eq!(words("select k| from sys_service"), Vec::<String>::new());
        assert_eq!(words("select re|"), ["revision"]);
        assert_eq!(words("select rel|"), Vec::<String>::new());
        assert_eq!(complete("select state.k|"), (13, vec!["key".to_owned()]));
        assert_eq!(words("select s.k| from state s"), ["key"]);
    }

    #[test]
    fn keywords_keep_the_case_of_the_word() {
        assert_eq!(words("sel|"), ["select"]);
        assert_eq!(words("SEL|"), ["SELECT"]);
        assert_eq!(words("\\w|"), ["\\watch"]);
        assert_eq!(words("select |"), Vec::<String>::new());
    }

    #[test]
    fn a_server_without_names_leaves_the_keywords() {
        assert_eq!(Names::default().complete("select * fr", 11), (9, vec!["from".to_owned()]));
    }
}
