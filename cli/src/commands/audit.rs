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

    /// Only this operation: cancel, kill, pause, resume, restart-as-new, purge, purge-journal,
    /// replace-state, patch-state, register-deployment, update-deployment, remove-deployment or
    /// configure-service.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,

    /// Only what was asked for this invocation.
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// Only what was asked for this deployment, or moved an invocation there.
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,

    /// Only what was asked for this service, its invocations and its states.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// How many to show.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,

    #[command(flatten)]
    list: ListFlags,
}

/// What a narrow terminal can do without, the least important first.
const LEAST: [&str; 5] =
    ["stranded_json", "status_before", "changes_json", "operator", "deployment_id"];

pub(super) async fn run(audit: &Audit) -> Result<(), Error> {
    let watched = Watched { title: "audit", statement: &statement(audit) };
    list(&audit.list, watched, &LEAST).await.map(drop)
}

fn statement(audit: &Audit) -> String {
    let filters = [
        ("operator", &audit.operator),
        ("operation", &audit.operation),
        ("invocation_id", &audit.id),
        ("deployment_id", &audit.deployment),
        ("target_service_name", &audit.service),
    ];
    let conditions = filters.into_iter().filter_map(|(column, wanted)| {
        wanted.as_ref().map(|wanted| format!("{column} = {}", literal(wanted)))
    });
    let conditions: Vec<String> = conditions.collect();
    format!(
        "select at, operator, operation, invocation_id, target, status_before, outcome, \
         deployment_id, changes_json, stranded_json, \
         reason from sys_audit{} order by at desc limit {}",
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
        let flags = ["--deployment", "dp_1", "--service", "S"];
        let conditions = "where deployment_id = 'dp_1' and target_service_name = 'S' order by";
        assert!(asked(&flags).contains(conditions), "{}", asked(&flags));
    }
}
