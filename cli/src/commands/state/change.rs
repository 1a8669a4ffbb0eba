//! Changes of a state: what is different, and sending it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    document::is_same,
    flags::{How, Of},
    stored::Entries,
};
use crate::{
    args::ReasonFlag,
    client::{Client, ClientError, segment},
    error::Error,
    output::text::{cut, printable},
    printer::print_json,
    terminal::{is_to_terminal, say},
};

/// How much of a value is shown, in columns of a terminal.
const SHOWN_COLUMNS: usize = 100;

/// Changes of some entries, as they are sent.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Change<'a> {
    pub(super) object_key: &'a str,
    pub(super) set: BTreeMap<&'a str, Value<'a>>,
    pub(super) clear: Vec<&'a str>,
    /// The version of the state that is to be changed; `None` for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
}

/// A value as it is sent: as text, or else as a list of bytes.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or(Self::Bytes(bytes), Self::Text)
    }
}

/// What has become of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) outcome: String,
    /// The invocation that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) behind: Option<String>,
    /// The version of the state afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
}

impl<'a> Change<'a> {
    /// What makes `after` of `before`, which has this version.
    pub(super) fn between(
        object_key: &'a str,
        before: &'a Entries,
        after: &'a Entries,
        version: String,
    ) -> Self {
        let is_changed = |(key, value): &(&String, &Vec<u8>)| {
            before.get(*key).is_none_or(|before| !is_same(before, value))
        };
        let set = after.iter().filter(is_changed);
        let set = set.map(|(key, value)| (key.as_str(), Value::from(&value[..]))).collect();
        let clear = before.keys().filter(|key| !after.contains_key(*key));
        let clear = clear.map(String::as_str).collect();
        Self { object_key, set, clear, version: Some(version) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.clear.is_empty()
    }

    /// What is different, for people: a line for each value that goes, and for each that comes.
    pub(super) fn lines(&self, before: &Entries) -> String {
        let mut lines = BTreeMap::new();
        for key in &self.clear {
            lines.insert(*key, (before.get(*key), None));
        }
        for (key, value) in &self.set {
            lines.insert(*key, (before.get(*key), Some(value)));
        }
        let line = |sign: char, key: &str, value: &Value<'_>, from: usize| {
            format!("{sign} {}: {}\n", printable(key), value.shown(from))
        };
        let both = lines.into_iter().map(|(key, (before, after))| {
            let before = before.map(|value| Value::from(&value[..]));
            let from = match (&before, after) {
                (Some(Value::Text(before)), Some(Value::Text(after))) => shown_from(before, after),
                (Some(_) | None, _) => 0,
            };
            let goes = before.map(|value| line('-', key, &value, from));
            let comes = after.map(|value| line('+', key, value, from));
            goes.unwrap_or_default() + &comes.unwrap_or_default()
        });
        both.collect()
    }

    /// Sends it.
    pub(super) async fn send(
        &self,
        client: &Client,
        service: &str,
        why: &ReasonFlag,
    ) -> Result<Outcome, ClientError> {
        let path = why.said_in(&format!("/services/{}/state", segment(service)));
        client.patch(&path, self).await
    }

    /// Sends it, and says what has become of it.
    pub(super) async fn carry_out(&self, client: &Client, of: &Of, how: &How) -> Result<(), Error> {
        let outcome = self.send(client, &of.service, &how.why).await?;
        outcome.print(how)
    }
}

/// Where a line that shows two texts has to begin, for their first difference to be in it.
fn shown_from(one: &str, other: &str) -> usize {
    let pairs = one.char_indices().zip(other.chars());
    let alike = pairs.take_while(|((_, a), b)| a == b).map(|((at, _), _)| at);
    let starts: Vec<usize> = alike.collect();
    if starts.len() < SHOWN_COLUMNS / 2 {
        return 0;
    }
    starts[starts.len() - SHOWN_COLUMNS / 4]
}

impl Value<'_> {
    /// As much as fits into a line, after so many bytes.
    fn shown(&self, from: usize) -> String {
        match self {
            Self::Text(text) => {
                let text = printable(&text[from..]);
                let shown = cut(&text, SHOWN_COLUMNS);
                let before = if from > 0 { "…" } else { "" };
                let more = if shown.len() < text.len() { "…" } else { "" };
                format!("{before}{shown}{more}")
            }
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
        }
    }
}

impl Outcome {
    pub(super) fn print(&self, how: &How) -> Result<(), Error> {
        if how.layout.is_json(is_to_terminal()) {
            return print_json(self);
        }
        Ok(say(&self.words())?)
    }

    fn words(&self) -> String {
        match &self.behind {
            Some(holder) => format!(
                "{}: {holder} holds the key; abide audit shows what has become of it when that one \
                 has ended\n",
                self.outcome
            ),
            None => format!("{}\n", self.outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::served::server;

    fn state(entries: &[(&str, &str)]) -> Entries {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), value.as_bytes().to_vec());
        entries.iter().map(owned).collect()
    }

    #[test]
    fn only_what_is_different_is_sent() {
        let before = state(&[("a", "1"), ("b", "{\"x\":1}"), ("c", "3")]);
        let mut after = state(&[("a", "2"), ("b", "{ \"x\": 1 }"), ("d", "\"new\"")]);
        after.insert("e".to_owned(), vec![0xff]);
        let change = Change::between("k", &before, &after, "v1".to_owned());
        let sent = json!({
            "object_key": "k",
            "set": { "a": "2", "d": "\"new\"", "e": [255] },
            "clear": ["c"],
            "version": "v1",
        });
        assert_eq!(serde_json::to_value(&change).unwrap(), sent);
        let lines = "- a: 1\n+ a: 2\n- c: 3\n+ d: \"new\"\n+ e: 1 bytes\n";
        assert_eq!(change.lines(&before), lines);
        assert!(Change::between("k", &before, &before, String::new()).is_empty());
    }

    #[test]
    fn a_value_is_shown_on_one_line_that_no_terminal_obeys() {
        let long = "x".repeat(200);
        assert_eq!(Value::Text(&long).shown(0), "x".repeat(100) + "…");
        // What is alike for long is left out, as far as it is not needed to recognise the place.
        let (one, other) = (format!("{long}é{long}"), format!("{long}è{long}"));
        let from = shown_from(&one, &other);
        assert!(Value::Text(&one).shown(from).starts_with(&format!("…{}é", "x".repeat(25))));
        assert_eq!((shown_from("ab", "ac"), shown_from(&long, &long)), (0, long.len() - 25));
        assert_eq!(Value::Text("a\nb\u{1b}").shown(0), "a\\nb\\x1b");
    }

    #[tokio::test]
    async fn the_server_says_what_has_become_of_it() {
        let (client, served) = server(vec![
            Some((202, json!({ "outcome": "applied", "version": "v2" }))),
            Some((202, json!({ "outcome": "queued", "behind": "inv_1" }))),
            Some((409, json!({ "message": "the state of Cart/k has version v3" }))),
        ]);
        let after = state(&[("a", "1")]);
        let before = Entries::new();
        let change = Change::between("k", &before, &after, "v1".to_owned());
        let why = ReasonFlag { reason: Some("a b".to_owned()) };
        let applied = change.send(&client, "Cart/x", &why).await.unwrap();
        let why = ReasonFlag { reason: None };
        assert_eq!((applied.words(), applied.version), ("applied\n".to_owned(), Some("v2".into())));
        let queued = change.send(&client, "Cart", &why).await.unwrap();
        assert!(queued.words().starts_with("queued: inv_1 holds the key;"), "{queued:?}");
        let refused = change.send(&client, "Cart", &why).await.unwrap_err();
        assert_eq!(refused.to_string(), "the state of Cart/k has version v3");
        let served = served.join().unwrap();
        let paths: Vec<&str> = served.iter().map(|(line, _)| line.as_str()).collect();
        let expected = [
            "PATCH /services/Cart%2Fx/state?reason=a%20b HTTP/1.1",
            "PATCH /services/Cart/state HTTP/1.1",
            "PATCH /services/Cart/state HTTP/1.1",
        ];
        assert_eq!(paths, expected);
        assert_eq!(served[0].1["set"], json!({ "a": "1" }));
    }
}
