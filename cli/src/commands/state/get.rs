//! The state of a key is shown.

use crate::{
    args::ListFlags,
    error::Error,
    sql_text::{all_of, literal},
    watch::{Watched, list},
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
    let title = format!("state of {}/{}", get.service, get.key);
    let count = list(&get.list, Watched { title: &title, statement: &statement(get) }).await?;
    match &get.entry {
        Some(entry) if count == 0 && get.list.watch.every.is_none() => Err(Error::NotFound {
            what: "state entry",
            name: entry.clone(),
            whereabouts: "without STATE_KEY, all entries of the key are shown",
        }),
        Some(_) | None => Ok(()),
    }
}

/// Values that are not text are shown as bytes, in hexadecimal.
fn statement(get: &Get) -> String {
    let mut conditions = vec![
        format!("service_name = {}", literal(&get.service)),
        format!("service_key = {}", literal(&get.key)),
    ];
    conditions.extend(get.entry.iter().map(|entry| format!("key = {}", literal(entry))));
    format!(
        "select key, coalesce(value_utf8, '\\x' || encode(value, 'hex')) as value, \
         value_length as bytes from state{} order by key",
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
        statement(&line.get)
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
