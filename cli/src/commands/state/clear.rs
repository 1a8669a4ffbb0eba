//! Entries of a state are removed.

use super::{
    change::{Change, Outcome},
    flags::{How, Of},
    stored::{Entries, read, version},
};
use crate::{client::Client, error::Error, output::sheet::counted, terminal::confirm};

/// Which entries.
#[derive(Debug, clap::Args)]
pub struct Clear {
    #[command(flatten)]
    of: Of,

    /// Names of the entries; all of them unless given.
    #[arg(value_name = "STATE_KEY")]
    entries: Vec<String>,

    /// Do not ask.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    how: How,
}

pub(super) async fn clear(flags: &Clear) -> Result<(), Error> {
    let client = Client::new(flags.how.server.admin.clone());
    let state = read(&client, &flags.of).await?;
    let change = change(flags, &state)?;
    if change.is_empty() {
        let outcome = "unchanged: the key has no state".to_owned();
        return Outcome { outcome, behind: None, version: None }.print(&flags.how);
    }
    let Of { service, key } = &flags.of;
    let what = counted(change.clear.len() as u64, "entry", "entries");
    let question =
        format!("{}Remove {what} of {service}/{key} at {}?", change.lines(&state), client.url());
    confirm(&question, flags.yes)?;
    change.carry_out(&client, &flags.of, &flags.how).await
}

/// Without names, it is for the version that was read: what comes in between is not lost unseen.
fn change<'a>(flags: &'a Clear, state: &'a Entries) -> Result<Change<'a>, Error> {
    let object_key = flags.of.key.as_str();
    if flags.entries.is_empty() {
        let version = version(state);
        let clear = state.keys().map(String::as_str).collect();
        return Ok(Change { object_key, clear, version: Some(version), ..Change::default() });
    }
    if let Some(absent) = flags.entries.iter().find(|entry| !state.contains_key(*entry)) {
        return Err(Error::NotFound {
            what: "state entry",
            name: absent.clone(),
            whereabouts: "abide state get shows all entries of the key",
        });
    }
    let clear = flags.entries.iter().map(String::as_str).collect();
    Ok(Change { object_key, clear, ..Change::default() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, RecordBatch, StringArray},
        ipc::writer::StreamWriter,
    };
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        client::served::{Answer, server_of},
        error::UsageError,
    };

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        clear: Clear,
    }

    #[test]
    fn what_is_named_has_to_be_there_and_without_names_it_is_all() {
        let state = Entries::from(["a", "b"].map(|key| (key.to_owned(), b"1".to_vec())));
        let of = |names: &[&str]| {
            let line = Line::parse_from(["clear", "Cart", "k"].iter().chain(names));
            let change = change(&line.clear, &state).map_err(|error| error.to_string())?;
            Ok::<_, String>((change.clear.join(" "), change.version.is_some()))
        };
        assert_eq!(of(&[]), Ok(("a b".to_owned(), true)));
        assert_eq!(of(&["b"]), Ok(("b".to_owned(), false)));
        assert!(of(&["a", "x"]).unwrap_err().contains("no state entry 'x'"));
    }

    /// What a query of the state is answered: two entries.
    fn rows() -> Answer {
        let column = |texts: [&str; 2]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        let columns = [("key", column(["b", "a"])), ("hex", column(["2274776f22", "31"]))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
        writer.write(&batch).unwrap();
        (200, "application/vnd.apache.arrow.stream", writer.into_inner().unwrap())
    }

    /// Runs it on a server with these answers; returns the bodies that it sent.
    async fn run(more: &[&str], answers: Vec<Answer>) -> (Result<(), Error>, Vec<Value>) {
        let (client, served) = server_of(answers.into_iter().map(Some).collect());
        let url = client.url().to_string();
        let line = ["clear", "Cart", "o'k", "--json", "--admin", &url];
        let line = Line::parse_from(line.iter().chain(more));
        let end = clear(&line.clear).await;
        (end, served.join().unwrap().into_iter().map(|(_, body)| body).collect())
    }

    #[tokio::test]
    async fn it_reads_the_state_and_removes_that_version_of_it() {
        let applied = (202, "application/json", br#"{"outcome":"applied"}"#.to_vec());
        let (end, sent) = run(&["--yes"], vec![rows(), applied]).await;
        end.unwrap();
        let query = sent[0]["query"].as_str().unwrap();
        assert!(query.ends_with("service_name = 'Cart' and service_key = 'o''k'"), "{query}");
        let expected = json!({
            "object_key": "o'k",
            "set": {},
            "clear": ["a", "b"],
            "version": "FJ5BT-2St_W4pnvThRAOWImbcwtRM2nk1yP6tmWxqFI",
        });
        assert_eq!(sent[1], expected);
    }

    #[tokio::test]
    async fn nobody_is_there_to_confirm_it() {
        let (end, sent) = run(&["a"], vec![rows()]).await;
        let Err(Error::Usage(UsageError::Unconfirmed(question))) = end else { panic!("{end:?}") };
        assert!(question.starts_with("- a: 1\nRemove 1 entry of Cart/o'k at http"), "{question}");
        assert_eq!(sent.len(), 1, "nothing was changed");
    }
}
