//! The state of a key is shown.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    args::ListFlags,
    client::Client,
    error::Error,
    output::Format,
    printer::{fetch, print_json},
    sql_text::{all_of, literal},
    terminal::is_to_terminal,
    watch::{Watched, list, repeat},
};

/// Which state.
#[derive(Debug, clap::Args)]
pub struct Get {
    /// Name of the virtual object or workflow.
    service: String,

    /// Its key.
    key: String,

    /// Only the entry with this name.
    #[arg(value_name = "STATE_KEY")]
    entry: Option<String>,

    #[command(flatten)]
    list: ListFlags,
}

pub(super) async fn get(get: &Get) -> Result<(), Error> {
    let count = match get.list.format.resolve(is_to_terminal()) {
        Format::Json => get_json(get).await?,
        Format::Table | Format::Expanded | Format::Csv => {
            let title = format!("state of {}/{}", get.service, get.key);
            let statement = statement(get, TEXTS);
            list(&get.list, Watched { title: &title, statement: &statement }, &[]).await?
        }
    };
    match &get.entry {
        Some(entry) if count == 0 && get.list.watch.every.is_none() => Err(Error::NotFound {
            what: "state entry",
            name: entry.clone(),
            whereabouts: "without STATE_KEY, all entries of the key are shown",
        }),
        Some(_) | None => Ok(()),
    }
}

/// A state entry. Values are nearly always JSON, and are shown as what they are.
#[derive(Debug, Serialize)]
struct Entry {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    /// The bytes of a value that is not JSON, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    /// How many.
    bytes: u64,
}

/// The same as SQL has it.
#[derive(Debug, Deserialize)]
struct Row {
    key: String,
    value_utf8: Option<String>,
    hex: Option<String>,
    bytes: u64,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        let value = row.value_utf8.and_then(|text| serde_json::from_str(&text).ok());
        let raw = value.is_none().then(|| format!("\\x{}", row.hex.unwrap_or_default()));
        Self { key: row.key, value, raw, bytes: row.bytes }
    }
}

async fn get_json(get: &Get) -> Result<u64, Error> {
    let client = Client::new(get.list.server.admin.clone());
    let statement = statement(get, BYTES);
    let print = async || {
        let rows: Vec<Row> = fetch(&client, &statement).await?;
        let entries: Vec<_> = rows.into_iter().map(Entry::from).collect();
        print_json(&entries).map(|()| entries.len() as u64)
    };
    match get.list.watch.every {
        None => print().await,
        Some(every) => repeat(every, async |_| print().await.map(drop)).await.map(|()| 0),
    }
}

/// Values for people: those that are not text as bytes, in hexadecimal.
const TEXTS: &str = "coalesce(value_utf8, '\\x' || encode(value, 'hex')) as value";
const BYTES: &str = "value_utf8, encode(value, 'hex') as hex";

fn statement(get: &Get, values: &str) -> String {
    let mut conditions = vec![
        format!("service_name = {}", literal(&get.service)),
        format!("service_key = {}", literal(&get.key)),
    ];
    conditions.extend(get.entry.iter().map(|entry| format!("key = {}", literal(entry))));
    format!(
        "select key, {values}, value_length as bytes from state{} order by key",
        all_of(&conditions)
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        get: Get,
    }

    fn asked(arguments: &[&str]) -> String {
        let line = Line::try_parse_from(["get"].iter().chain(arguments)).unwrap();
        statement(&line.get, TEXTS)
    }

    #[test]
    fn a_value_is_shown_as_json_and_otherwise_as_its_bytes() {
        let shown = |text: Option<&str>, hex: &str| {
            let (value_utf8, hex) = (text.map(str::to_owned), Some(hex.to_owned()));
            let row = Row { key: "k".to_owned(), value_utf8, hex, bytes: 2 };
            serde_json::to_string(&Entry::from(row)).unwrap()
        };
        // As it was written: a number may have more digits than fit.
        for json in
            ["{\"a\":[1,null]}", "\"x\"", "1.00000000000000000001", "12345678901234567890123"]
        {
            assert_eq!(shown(Some(json), ""), format!(r#"{{"key":"k","value":{json},"bytes":2}}"#));
        }
        for (text, hex) in [(Some("hi"), "6869"), (None, "c328"), (Some(""), "")] {
            assert_eq!(shown(text, hex), format!(r#"{{"key":"k","raw":"\\x{hex}","bytes":2}}"#));
        }
    }

    #[test]
    fn names_are_taken_as_they_are() {
        let all = asked(&["Cart", "o'neil"]);
        assert!(
            all.ends_with("where service_name = 'Cart' and service_key = 'o''neil' order by key")
        );
        let one = asked(&["Cart", "c", "x' or true"]);
        assert!(one.contains("and key = 'x'' or true' order by"), "{one}");
    }
}
