//! A list of invocations, newest first.

use super::filter::{Filter, Selection, UNFINISHED};
use crate::{
    args::ListFlags,
    error::Error,
    terminal::remark,
    watch::{Watched, list as show},
};

/// Which invocations to list.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,

    /// Only those pinned to this deployment.
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,

    /// How many to show.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,

    #[command(flatten)]
    list: ListFlags,
}

/// What a narrow terminal can do without, the least important first.
const LEAST: [&str; 5] =
    ["created_at", "pinned_deployment_id", "next_retry_at", "retry_count", "modified_at"];

pub(super) async fn list(flags: &List) -> Result<(), Error> {
    let watched = Watched { title: "invocations", statement: &statement(flags) };
    let count = show(&flags.list, watched, &LEAST).await?;
    if count == u64::from(flags.limit) {
        remark("There may be more: --limit sets how many are shown.");
    }
    Ok(())
}

fn statement(flags: &List) -> String {
    let deployment = flags.deployment.as_deref();
    let selection = Selection {
        filter: &flags.filter,
        deployment,
        usual_statuses: &UNFINISHED,
        usual_condition: None,
    };
    format!(
        "select id, target, status, modified_at, created_at, \
         pinned_deployment_id, retry_count, next_retry_at, \
         split_part(coalesce(completion_failure, last_failure), chr(10), 1) as failure \
         from sys_invocation where {} order by created_at desc, id desc limit {}",
        selection.condition(),
        flags.limit
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        list: List,
    }

    #[test]
    fn what_has_completed_is_listed_only_when_it_is_asked_for() {
        let asked = |flags: &[&str]| {
            let line = Line::try_parse_from(["list"].iter().chain(flags)).unwrap();
            statement(&line.list)
        };
        assert!(!asked(&[]).contains("'completed'"));
        assert!(asked(&["--status", "completed"]).contains("status in ('completed')"));
        let pinned = asked(&["--deployment", "dp_1", "--limit", "7"]);
        assert!(pinned.contains("pinned_deployment_id = 'dp_1' and status in"), "{pinned}");
        assert!(pinned.ends_with(" limit 7"), "{pinned}");
    }
}
