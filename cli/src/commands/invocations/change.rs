//! What is to be done to which invocations: the flags of the operations.

use clap::value_parser;

use super::{
    batch::Order,
    filter::{Filter, Selection},
    operation::Operation,
};
use crate::{
    args::{LayoutFlags, ReasonFlag, ServerFlags},
    error::UsageError,
};

/// The flags of most operations.
#[derive(Debug, clap::Args)]
pub struct Change {
    #[command(flatten)]
    chosen: Chosen,

    /// Only those pinned to this deployment.
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,

    #[command(flatten)]
    how: How,
}

/// The flags of `resume`, where `--deployment` says where invocations go on.
#[derive(Debug, clap::Args)]
pub struct Resume {
    #[command(flatten)]
    chosen: Chosen,

    /// Only those pinned to this deployment.
    #[arg(long, value_name = "ID")]
    from: Option<String>,

    /// Where they go on: `keep` for the deployment that they are pinned to, `latest` for the latest
    /// one of their service, or the id of a deployment.
    #[arg(long, value_name = "keep|latest|ID")]
    deployment: Option<String>,

    #[command(flatten)]
    how: How,
}

/// The flags of `restart`, where `--deployment` says where the new invocations run.
#[derive(Debug, clap::Args)]
pub struct Restart {
    #[command(flatten)]
    chosen: Chosen,

    /// Only those pinned to this deployment.
    #[arg(long, value_name = "ID")]
    from: Option<String>,

    /// Begin with the journal up to this entry, as sys_journal numbers it: its commands keep their
    /// results, and are not carried out again. Without it, only the input is kept.
    #[arg(long, value_name = "INDEX")]
    entry: Option<u32>,

    /// Where they run: `latest` for the latest deployment of their service, which is the default,
    /// `keep` for the one that they were pinned to, or the id of a deployment.
    #[arg(long, value_name = "keep|latest|ID")]
    deployment: Option<String>,

    #[command(flatten)]
    how: How,
}

/// Which invocations.
#[derive(Debug, clap::Args)]
pub(super) struct Chosen {
    /// Ids of invocations; or else, flags that select them.
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<String>,

    #[command(flatten)]
    filter: Filter,

    /// At most so many of those that are selected, the newest first.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
}

/// How it is done.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    #[command(flatten)]
    why: ReasonFlag,

    /// Count the invocations, and do nothing.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Do not ask.
    #[arg(short, long)]
    pub(super) yes: bool,

    #[command(flatten)]
    pub(super) layout: LayoutFlags,

    #[command(flatten)]
    pub(super) server: ServerFlags,
}

/// What was typed, for any operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) order: Order<'a>,
    pub(super) chosen: &'a Chosen,
    pinned_to: Option<&'a str>,
    pub(super) how: &'a How,
}

impl Change {
    pub(super) fn of(&self, operation: Operation) -> Work<'_> {
        let reason = self.how.why.reason.as_deref();
        let order = Order { operation, deployment: None, from: None, reason, key: None };
        let pinned_to = self.deployment.as_deref();
        Work { order, chosen: &self.chosen, pinned_to, how: &self.how }
    }
}

impl Resume {
    pub(super) fn work(&self) -> Work<'_> {
        let operation = Operation::Resume;
        let deployment = self.deployment.as_deref();
        let reason = self.how.why.reason.as_deref();
        let order = Order { operation, deployment, from: None, reason, key: None };
        Work { order, chosen: &self.chosen, pinned_to: self.from.as_deref(), how: &self.how }
    }
}

impl Restart {
    pub(super) fn work(&self) -> Work<'_> {
        let order = Order {
            operation: Operation::Restart,
            deployment: self.deployment.as_deref(),
            from: self.entry,
            reason: self.how.why.reason.as_deref(),
            key: None,
        };
        Work { order, chosen: &self.chosen, pinned_to: self.from.as_deref(), how: &self.how }
    }
}

impl Work<'_> {
    /// What the flags select; `None` if ids are named instead.
    pub(super) fn selection(&self) -> Result<Option<Selection<'_>>, UsageError> {
        let selection = Selection {
            filter: &self.chosen.filter,
            deployment: self.pinned_to,
            usual_statuses: self.order.operation.usual_statuses(self.order.deployment.is_some()),
            usual_condition: self.order.operation.usual_condition(),
        };
        let is_named = !self.chosen.ids.is_empty();
        match (is_named, selection.is_unsaid()) {
            (true, true) if self.chosen.limit.is_none() => Ok(None),
            (true, _) => Err(UsageError::IdsAndFilter),
            (false, false) => Ok(Some(selection)),
            (false, true) => Err(UsageError::NoInvocations),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    enum Line {
        Kill(Change),
        Resume(Resume),
        Restart(Restart),
    }

    /// What the flags select, or why not.
    fn selected(line: &str) -> Result<Option<String>, String> {
        let line = Line::try_parse_from(["x"].into_iter().chain(line.split(' ')));
        let line = line.map_err(|error| error.to_string())?;
        let work = match &line {
            Line::Kill(flags) => flags.of(Operation::Kill),
            Line::Resume(flags) => flags.work(),
            Line::Restart(flags) => flags.work(),
        };
        let selection = work.selection().map_err(|error| error.to_string())?;
        Ok(selection.map(|selection| selection.condition()))
    }

    #[test]
    fn invocations_are_either_named_or_selected() {
        assert_eq!(selected("kill inv_1 inv_2"), Ok(None));
        let paused = "target_service_name = 'A' and status in ('paused')";
        assert_eq!(selected("kill --service A --status paused"), Ok(Some(paused.to_owned())));
        for both in ["kill inv_1 --service A", "kill inv_1 --limit 5", "resume inv_1 --from dp_1"] {
            assert!(selected(both).unwrap_err().contains("both ids and a filter"), "{both}");
        }
        for neither in ["kill --yes", "kill --limit 5", "resume --deployment latest"] {
            let said = selected(neither).unwrap_err();
            assert!(said.contains("--where true selects all"), "{neither}: {said}");
        }
        assert!(selected("kill --service A --limit 0").is_err());
    }

    #[test]
    fn a_filter_selects_what_the_operation_is_of_use_for() {
        let killed = selected("kill --where true").unwrap().unwrap();
        assert!(killed.contains("'running'") && !killed.contains("'completed'"), "{killed}");
        let resumed = selected("resume --from dp_1 --deployment dp_2").unwrap().unwrap();
        assert_eq!(
            resumed,
            "pinned_deployment_id = 'dp_1' and status in ('paused', 'backing-off', 'suspended')"
        );
        let resumed = selected("resume --from dp_1").unwrap().unwrap();
        assert_eq!(
            resumed,
            "pinned_deployment_id = 'dp_1' and status in ('paused', 'backing-off')"
        );
        let restarted = selected("restart --service A").unwrap().unwrap();
        assert!(restarted.contains("completion_result = 'failure' and id not in"), "{restarted}");
        let all = selected("restart --service A --status completed").unwrap().unwrap();
        assert_eq!(all, "target_service_name = 'A' and status in ('completed')");
    }

    /// Two such commands at once may select the same, and each restarts it at most once.
    #[test]
    fn what_is_selected_for_not_being_restarted_yet_is_restarted_under_one_key() {
        let key = |line: &str| {
            let line = Line::parse_from(["x"].into_iter().chain(line.split(' ')));
            let work = match &line {
                Line::Kill(flags) => flags.of(Operation::Kill),
                Line::Resume(flags) => flags.work(),
                Line::Restart(flags) => flags.work(),
            };
            work.selection().unwrap().and_then(|selection| work.order.operation.key(&selection))
        };
        assert_eq!(key("restart --service A"), Some("abide: first restart"));
        assert_eq!(key("restart --where true --limit 7"), Some("abide: first restart"));
        for on_purpose in ["restart inv_1", "restart --service A --status completed"] {
            assert_eq!(key(on_purpose), None, "{on_purpose}");
        }
        assert_eq!(key("kill --service A"), None);
    }

    #[test]
    fn what_is_restarted_begins_where_it_was_told_to() {
        let line = ["x", "restart", "inv_1", "--entry", "7", "--deployment", "keep"];
        let Line::Restart(flags) = Line::parse_from(line) else { unreachable!() };
        let Order { operation, deployment, from, .. } = flags.work().order;
        assert_eq!((operation, deployment, from), (Operation::Restart, Some("keep"), Some(7)));
    }

    #[test]
    fn what_is_resumed_goes_where_it_was_told_to() {
        let line = ["x", "resume", "inv_1", "--deployment", "latest", "--reason", "mended"];
        let Line::Resume(flags) = Line::parse_from(line) else { unreachable!() };
        let Order { operation, deployment, reason, .. } = flags.work().order;
        assert_eq!(operation, Operation::Resume);
        assert_eq!((deployment, reason), (Some("latest"), Some("mended")));
    }
}
