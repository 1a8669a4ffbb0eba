//! `abide why`: what something waits for, what that waits for, and so on to the causes, with what
//! would help.

mod answer;
mod text;

use std::io::{self, Write};

use http::StatusCode;
use serde_json::Value;

use self::answer::{Answer, Chain, Verdict};
use crate::{
    args::{LayoutFlags, ServerFlags, WatchFlag},
    client::{Client, ClientError, segment},
    error::Error,
    interval::Interval,
    output::screen::Screen,
    printer::print_json,
    terminal::{is_to_terminal, say},
    watch::repeat,
};

/// What follows the flags in the help.
pub(super) const HELP: &str = "\
Exit codes of its own:
  0  it runs, has ended, or waits for a time or for something from outside
  5  it is stuck: somebody should look at it, and the output says where

";

/// What to ask about.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// An invocation (inv_…), a deployment (dp_…), a Service, or a Service/key.
    #[arg(value_name = "ID|SERVICE[/KEY]")]
    what: String,

    #[command(flatten)]
    watch: WatchFlag,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

pub(super) async fn run(flags: &Why) -> Result<(), Error> {
    let client = Client::new(flags.server.admin.clone());
    let path = path(&flags.what);
    let is_json = flags.layout.is_json(is_to_terminal());
    match flags.watch.every {
        Some(every) => watch(&client, &path, is_json, every).await,
        None => match show(&client, &path, is_json, &mut io::stdout()).await? {
            Verdict::Stuck => Err(Error::Stuck),
            Verdict::Moving | Verdict::Waiting => Ok(()),
        },
    }
}

/// Where the admin API says why. Everything after the first slash is the key.
fn path(what: &str) -> String {
    if what.starts_with("inv_") {
        return format!("/invocations/{}/why", segment(what));
    }
    if what.starts_with("dp_") {
        return format!("/deployments/{}/why", segment(what));
    }
    match what.split_once('/') {
        Some((service, key)) => format!("/services/{}/keys/{}/why", segment(service), segment(key)),
        None => format!("/services/{}/why", segment(what)),
    }
}

/// What an invocation waits for: as the admin API says it, and for people, without causes and advice.
/// `None` if there is no such invocation.
pub(super) async fn waits_of(client: &Client, id: &str) -> Result<Option<(Value, String)>, Error> {
    let found: Value = match client.get(&path(id)).await {
        Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
            return Ok(None);
        }
        found => found?,
    };
    let chain: Chain = client.read(found.clone())?;
    Ok(Some((found, text::of_chain(&chain))))
}

/// Asks once, and writes the answer.
async fn show(
    client: &Client,
    path: &str,
    is_json: bool,
    to: &mut dyn Write,
) -> Result<Verdict, Error> {
    let found: Value = client.get(path).await?;
    let answer: Answer = client.read(found.clone())?;
    if is_json {
        print_json(&found)?;
    } else {
        let written = to.write_all(text::of(&answer).as_bytes()).and_then(|()| to.flush());
        written.map_err(crate::output::OutputError::Write)?;
    }
    Ok(answer.verdict())
}

/// Asks again and again, in one place on a terminal.
async fn watch(client: &Client, path: &str, is_json: bool, every: Interval) -> Result<(), Error> {
    let is_drawn = is_to_terminal() && !is_json;
    let round = async |_| {
        if !is_drawn {
            return show(client, path, is_json, &mut io::stdout()).await.map(drop);
        }
        let mut screen = Screen::of_terminal();
        show(client, path, is_json, &mut screen).await?;
        Ok(say(&screen.drawn())?)
    };
    repeat(every, round).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_found_whatever_its_key() {
        for (what, asked) in [
            ("inv_1a", "/invocations/inv_1a/why"),
            ("dp_1a", "/deployments/dp_1a/why"),
            ("Cart", "/services/Cart/why"),
            ("Cart/c-1", "/services/Cart/keys/c-1/why"),
            ("Cart/a/b c?%", "/services/Cart/keys/a%2Fb%20c%3F%25/why"),
            ("inv/inv_1", "/services/inv/keys/inv_1/why"),
        ] {
            assert_eq!(path(what), asked, "{what}");
        }
    }
}
