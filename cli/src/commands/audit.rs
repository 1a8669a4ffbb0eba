//! `abide audit`: what operators have asked for.

use crate::{
    args::ListFlags,
    error::Error,
    sql_text::{all_of, literal},
    watch::{Watched, list},
};

/// The flags of `abide audit`.
#[derive(Debug, clap::Args)]
pub struct Audit {
    /// Only what this operator asked for.
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,

    /// Only this operation: cancel, kill, pause, resume, purge, purge-journal, replace-state or
    /// patch-state.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,

    /// Only what was asked for this invocation.
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// How many to show.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,

    #[command(flatten)]
    list: ListFlags,
}

pub(super) async fn run(audit: &Audit) -> Result<(), Error> {
    let watched = Watched { title: "audit", statement: &statement(audit) };
    list(&audit.list, watched).await.map(drop)
}

fn statement(audit: &Audit) -> String {
    let filters = [
        ("operator", &audit.operator),
        ("operation", &audit.operation),
        ("invocation_id", &audit.id),
    ];
    let conditions = filters.into_iter().filter_map(|(column, wanted)| {
        wanted.as_ref().map(|wanted| format!("{column} = {}", literal(wanted)))
    });
    let conditions: Vec<String> = conditions.collect();
    format!(
        "select at, operator, operation, invocation_id, target, status_before, outcome, \
         deployment_id as moved_to, changes_json as changes, reason from sys_audit{} order by at desc limit {}",
        all_of(&conditions),
        audit.limit
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        audit: Audit,
    }

    fn asked(flags: &[&str]) -> String {
        let line = Line::try_parse_from(["audit"].iter().chain(flags)).unwrap();
        statement(&line.audit)
    }

    #[test]
    fn every_filter_has_to_hold() {
        assert!(asked(&[]).ends_with("from sys_audit order by at desc limit 100"));
        let flags = ["--id", "a'b", "--operation", "kill", "--operator", "ann", "--limit", "5"];
        let end = "from sys_audit where operator = 'ann' and operation = 'kill' and \
                   invocation_id = 'a''b' order by at desc limit 5";
        assert!(asked(&flags).ends_with(end), "{}", asked(&flags));
    }
}
