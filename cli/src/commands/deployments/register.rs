//! An endpoint is registered.

use std::collections::BTreeMap;
use std::str::FromStr;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::offered::{self, Info, Service};
use crate::{
    args::{LayoutFlags, ReasonFlag, ServerFlags},
    client::Client,
    error::Error,
    output::sheet::Sheet,
    printer::print_json,
    terminal::{confirm, is_to_terminal, say},
};

/// What to register, and how.
#[derive(Debug, clap::Args)]
pub struct Register {
    /// Address of the endpoint, with http:// or https://.
    #[arg(value_name = "URL")]
    uri: String,

    /// Ask the endpoint again if it is registered already, and replace what is known about it. This
    /// changes the code underneath invocations that have begun there.
    #[arg(long)]
    force: bool,

    /// Let a service change its kind.
    #[arg(long)]
    breaking: bool,

    /// Ask the endpoint and show what would be registered, but do not register it.
    #[arg(long)]
    dry_run: bool,

    /// Header to send with every request to the endpoint; may be repeated.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<Pair>,

    /// Anything worth noting about the deployment; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<Pair>,

    /// Use HTTP/1.1 for requests to the endpoint.
    #[arg(long = "use-http1.1")]
    use_http_11: bool,

    #[command(flatten)]
    why: ReasonFlag,

    /// Do not ask, which is done with --force or --breaking only.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

/// A name with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair(String, String);

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) = pair.ok_or("expected a name and a value, as in team=checkout")?;
        Ok(Self(name.to_owned(), value.to_owned()))
    }
}

#[derive(Serialize)]
struct Body<'a> {
    uri: &'a str,
    additional_headers: BTreeMap<&'a str, &'a str>,
    metadata: BTreeMap<&'a str, &'a str>,
    use_http_11: bool,
    force: bool,
    breaking: bool,
    dry_run: bool,
}

/// What a sheet needs of the answer.
#[derive(Deserialize)]
struct Registered {
    id: String,
    services: Vec<Service>,
    #[serde(default)]
    sdk_version: Option<String>,
    #[serde(default)]
    info: Vec<Info>,
}

pub(super) async fn register(flags: &Register) -> Result<(), Error> {
    let client = Client::new(flags.server.admin.clone());
    if (flags.force || flags.breaking) && !flags.dry_run {
        let question = format!(
            "Register {}, even if that changes the code of invocations that have begun?",
            flags.uri
        );
        confirm(&question, flags.yes)?;
    }
    let (status, registered): (_, Value) =
        client.post(&flags.why.said_in("/deployments"), &body(flags)).await?;
    if flags.layout.is_json(is_to_terminal()) {
        return print_json(&registered);
    }
    let sheet = sheet(&client.read(registered)?, status, flags)?;
    Ok(say(&sheet.text())?)
}

fn body(flags: &Register) -> Body<'_> {
    Body {
        uri: &flags.uri,
        additional_headers: by_name(&flags.headers),
        metadata: by_name(&flags.metadata),
        use_http_11: flags.use_http_11,
        force: flags.force,
        breaking: flags.breaking,
        dry_run: flags.dry_run,
    }
}

pub(super) fn by_name(pairs: &[Pair]) -> BTreeMap<&str, &str> {
    pairs.iter().map(|Pair(name, value)| (name.as_str(), value.as_str())).collect()
}

fn sheet(registered: &Registered, status: StatusCode, flags: &Register) -> Result<Sheet, Error> {
    let (id, is_new) = (&registered.id, status == StatusCode::CREATED);
    let mut sheet = Sheet::about(&match (flags.dry_run, is_new) {
        // A dry run makes up the id of a new one.
        (true, true) => format!("{} would be registered; nothing was done", flags.uri),
        (true, false) => format!("{id} has this address already; nothing was done"),
        (false, true) => format!("{id} is registered"),
        (false, false) if flags.force => format!("{id} is registered anew"),
        (false, false) => format!("{id} was registered already; nothing was done"),
    });
    sheet.field_if("sdk", registered.sdk_version.as_ref());
    offered::summarize(&registered.services, &mut sheet)?;
    offered::remark(&registered.info, &mut sheet);
    Ok(sheet)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        register: Register,
    }

    fn parsed(arguments: &[&str]) -> Result<Value, clap::Error> {
        let line = Line::try_parse_from(["register"].iter().chain(arguments))?;
        Ok(serde_json::to_value(body(&line.register)).unwrap())
    }

    #[test]
    fn the_request_has_what_was_typed() {
        let flags =
            ["http://h:1", "--header", "a=b=c", "--header=x=", "--use-http1.1", "--dry-run"];
        let expected = json!({
            "uri": "http://h:1",
            "additional_headers": { "a": "b=c", "x": "" },
            "metadata": {},
            "use_http_11": true,
            "force": false,
            "breaking": false,
            "dry_run": true,
        });
        assert_eq!(parsed(&flags).unwrap(), expected);
    }

    #[test]
    fn a_header_without_a_value_is_refused_with_an_example() {
        for bad in ["authorization", "=x", ""] {
            let said = parsed(&["http://h", "--header", bad]).unwrap_err().to_string();
            assert!(said.contains("as in team=checkout"), "{bad}: {said}");
        }
    }
}
