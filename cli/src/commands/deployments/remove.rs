//! A deployment is removed.

use serde::Deserialize;
use serde_json::json;

use super::describe::path;
use crate::{
    args::{LayoutFlags, ReasonFlag, ServerFlags},
    client::Client,
    error::Error,
    printer::{fetch, print_json},
    sql_text::literal,
    terminal::{confirm, is_to_terminal, say},
};

/// Which deployment to remove.
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Its id, dp_….
    id: String,

    /// Remove it even if invocations still have to finish on it. They do not go on before they are
    /// moved to another one.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    why: ReasonFlag,

    /// Do not ask.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Deserialize)]
struct Needs {
    count: u64,
}

#[derive(Deserialize)]
struct Service {
    name: String,
}

/// Removes it, for which the admin API always wants to be forced: whether it is still needed is
/// looked up here. Invocations that start in between may still be pinned to it.
pub(super) async fn remove(flags: &Remove) -> Result<(), Error> {
    let client = Client::new(flags.server.admin.clone());
    let id = literal(&flags.id);
    let needs = format!(
        "select count(*) as count from sys_invocation \
         where pinned_deployment_id = {id} and status <> 'completed'"
    );
    let count = fetch::<Needs>(&client, &needs).await?.first().map_or(0, |needs| needs.count);
    if count > 0 && !flags.force {
        return Err(Error::StillNeeded { deployment: flags.id.clone(), count });
    }
    let latest = format!("select name from sys_service where deployment_id = {id} order by name");
    let services: Vec<Service> = fetch(&client, &latest).await?;
    confirm(&question(&flags.id, count, &services), flags.yes)?;
    client.delete(&flags.why.said_in(&format!("{}?force=true", path(&flags.id)))).await?;
    if flags.layout.is_json(is_to_terminal()) {
        return print_json(&json!({ "removed": flags.id, "stranded_invocations": count }));
    }
    Ok(say(&removed(&flags.id, count))?)
}

fn removed(id: &str, stranded: u64) -> String {
    if stranded == 0 {
        return format!("{id} is removed\n");
    }
    format!(
        "{id} is removed; abide invocations resume --from {id} --deployment latest moves what was still \
         on it ({stranded})\n"
    )
}

fn question(id: &str, count: u64, services: &[Service]) -> String {
    let mut question = format!("Remove {id}?");
    if count > 0 {
        question = format!(
            "{question} Its unfinished invocations ({count}) then wait until they are moved."
        );
    }
    if !services.is_empty() {
        let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
        question = format!(
            "{question} It is the latest deployment of {}: without an older one, they can no \
             longer be called.",
            names.join(", ")
        );
    }
    question
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_says_what_is_lost() {
        assert_eq!(question("dp_1", 0, &[]), "Remove dp_1?");
        let services = ["A", "B"].map(|name| Service { name: name.to_owned() });
        let all = "Remove dp_1? Its unfinished invocations (3) then wait until they are moved. It is \
                   the latest deployment of A, B: without an older one, they can no longer be called.";
        assert_eq!(question("dp_1", 3, &services), all);
    }
}
