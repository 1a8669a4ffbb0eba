//! How a deployment is called is changed. It keeps its id, and the invocations that are pinned to it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{
    describe::{self, Deployment},
    register::{Pair, by_name},
};
use crate::{
    args::{LayoutFlags, ReasonFlag, ServerFlags},
    client::Client,
    error::Error,
    printer::print_json,
    terminal::{confirm, is_to_terminal},
};

/// Which deployment to change, and how.
#[derive(Debug, clap::Args)]
pub struct Update {
    /// Its id, dp_….
    id: String,

    #[command(flatten)]
    changes: Changes,

    /// Ask the endpoint and show what would be registered, but do not change it.
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    why: ReasonFlag,

    /// Do not ask, which is done with --overwrite only.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// The address to which the endpoint has moved, with http:// or https://.
    #[arg(long, value_name = "URL")]
    uri: Option<String>,

    /// Header to send with every request to the endpoint, in place of all that are sent now; may be
    /// repeated.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<Pair>,

    /// Send no headers of this kind any more.
    #[arg(long, conflicts_with = "headers")]
    no_headers: bool,

    /// Whether to use HTTP/1.1 for requests to the endpoint.
    #[arg(
        long = "use-http1.1",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    use_http_11: Option<bool>,

    /// Register what the endpoint offers now in place of what is registered, even if something is
    /// missing. This changes the code underneath invocations that have begun there.
    #[arg(long)]
    overwrite: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_headers: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_http_11: Option<bool>,
    overwrite: bool,
    dry_run: bool,
}

pub(super) async fn update(flags: &Update) -> Result<(), Error> {
    let client = Client::new(flags.server.admin.clone());
    if flags.changes.overwrite && !flags.dry_run {
        let question = format!(
            "Overwrite what {} offers, even if that changes the code of invocations that have begun?",
            flags.id
        );
        confirm(&question, flags.yes)?;
    }
    let updated: Value =
        client.patch(&flags.why.said_in(&describe::path(&flags.id)), &body(flags)).await?;
    if flags.layout.is_json(is_to_terminal()) {
        return print_json(&updated);
    }
    let updated: Deployment = client.read(updated)?;
    let title = if flags.dry_run {
        format!("{} would be called like this; nothing was done", updated.id)
    } else {
        format!("{} is changed", updated.id)
    };
    describe::show(&title, &updated)
}

fn body(Update { changes, dry_run, .. }: &Update) -> Body<'_> {
    let has_headers = changes.no_headers || !changes.headers.is_empty();
    Body {
        uri: changes.uri.as_deref(),
        additional_headers: has_headers.then(|| by_name(&changes.headers)),
        use_http_11: changes.use_http_11,
        overwrite: changes.overwrite,
        dry_run: *dry_run,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        update: Update,
    }

    fn typed(flags: &[&str]) -> Result<Value, String> {
        let line = Line::try_parse_from(["update", "dp_1"].iter().chain(flags));
        let line = line.map_err(|error| error.to_string())?;
        Ok(serde_json::to_value(body(&line.update)).unwrap())
    }

    #[test]
    fn what_is_not_typed_stays_as_it_is() {
        let expected = json!({ "uri": "http://h:2", "overwrite": false, "dry_run": true });
        assert_eq!(typed(&["--uri", "http://h:2", "--dry-run"]), Ok(expected));
        let expected = json!({
            "additional_headers": { "a": "b" }, "use_http_11": true,
            "overwrite": true, "dry_run": false,
        });
        assert_eq!(typed(&["--header", "a=b", "--use-http1.1", "--overwrite"]), Ok(expected));
        let expected = json!({
            "additional_headers": {}, "use_http_11": false, "overwrite": false, "dry_run": false,
        });
        assert_eq!(typed(&["--no-headers", "--use-http1.1=false"]), Ok(expected));
    }

    #[test]
    fn something_has_to_change() {
        let refused = typed(&["--dry-run"]).unwrap_err();
        assert!(refused.contains("--uri"), "{refused}");
        assert!(typed(&["--header", "a=b", "--no-headers"]).is_err());
    }
}
