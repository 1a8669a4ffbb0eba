//! Which invocations: flags that select them, and the SQL that they become.

use clap::builder::PossibleValuesParser;

use crate::sql_text::{contained, literal, one_of};

/// All statuses that are not the end, and the end.
pub(super) const UNFINISHED: [&str; 7] =
    ["scheduled", "pending", "ready", "running", "backing-off", "suspended", "paused"];
pub(super) const COMPLETED: &str = "completed";
/// Selects every status.
const ALL: &str = "all";

/// The flags that select invocations.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only those of this service.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Only those of this handler.
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,

    /// Only those of this key of a virtual object or workflow.
    #[arg(long)]
    key: Option<String>,

    /// Only those in one of these statuses, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = statuses())]
    status: Vec<String>,

    /// Only those for which this holds: a condition on the columns of sys_invocation, in SQL.
    #[arg(long = "where", value_name = "SQL", value_parser = contained)]
    condition: Option<String>,
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(UNFINISHED.into_iter().chain([COMPLETED, ALL]))
}

/// What is selected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) filter: &'a Filter,
    /// Only those pinned to this deployment. The flag has another name where invocations move.
    pub(super) deployment: Option<&'a str>,
    /// The statuses, unless the filter has its own.
    pub(super) usual_statuses: &'a [&'a str],
    /// What else has to hold, unless the filter has its own statuses.
    pub(super) usual_condition: Option<&'a str>,
}

impl Selection<'_> {
    /// Whether nothing was said about what to select.
    pub(super) fn is_unsaid(&self) -> bool {
        let Filter { service, handler, key, status, condition } = self.filter;
        let texts = [service, handler, key, condition];
        texts.iter().all(|it| it.is_none()) && status.is_empty() && self.deployment.is_none()
    }

    /// Whether only what the operation is of use for is selected.
    pub(super) fn is_usual(&self) -> bool {
        self.filter.status.is_empty()
    }

    /// The condition on rows of `sys_invocation`.
    pub(super) fn condition(&self) -> String {
        let Filter { service, handler, key, status, condition } = self.filter;
        let mut conditions = Vec::new();
        let columns = [
            ("target_service_name", service.as_deref()),
            ("target_handler_name", handler.as_deref()),
            ("target_service_key", key.as_deref()),
            ("pinned_deployment_id", self.deployment),
        ];
        for (column, wanted) in columns {
            conditions.extend(wanted.map(|wanted| format!("{column} = {}", literal(wanted))));
        }
        if self.is_usual() {
            conditions.push(one_of("status", self.usual_statuses));
            conditions.extend(self.usual_condition.map(str::to_owned));
        } else if !status.iter().any(|status| status == ALL) {
            conditions.push(one_of("status", status));
        }
        // On lines of its own, so that a comment at its end does not swallow the parenthesis.
        conditions.extend(condition.as_ref().map(|condition| format!("(\n{condition}\n)")));
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filter: Filter,
    }

    fn parsed(flags: &[&str]) -> Result<Filter, clap::Error> {
        Line::try_parse_from(["list"].iter().chain(flags)).map(|line| line.filter)
    }

    fn condition(flags: &[&str]) -> String {
        let filter = parsed(flags).unwrap();
        let usual_statuses = &["paused", "running"];
        let usual_condition = None;
        Selection { filter: &filter, deployment: None, usual_statuses, usual_condition }.condition()
    }

    #[test]
    fn all_that_was_said_has_to_hold() {
        let flags = ["--service", "Cart", "--handler", "add", "--key", "c-1", "--status", "paused"];
        let all = "target_service_name = 'Cart' and target_handler_name = 'add' and \
                   target_service_key = 'c-1' and status in ('paused')";
        assert_eq!(condition(&flags), all);
    }

    #[test]
    fn the_usual_statuses_are_for_those_who_name_none() {
        assert_eq!(condition(&[]), "status in ('paused', 'running')");
        let some = condition(&["--status", "suspended,completed", "--status", "ready"]);
        assert_eq!(some, "status in ('suspended', 'completed', 'ready')");
        assert_eq!(condition(&["--status", "all"]), "true");
        let said = parsed(&["--status", "Running"]).unwrap_err().to_string();
        assert!(said.contains("backing-off"), "it lists the statuses: {said}");
    }

    #[test]
    fn hostile_values_stay_values() {
        let quoted = condition(&["--status", "all", "--key", "x' or '1'='1"]);
        assert_eq!(quoted, "target_service_key = 'x'' or ''1''=''1'");
        let commented = condition(&["--status", "all", "--service", "'; --"]);
        assert_eq!(commented, "target_service_name = '''; --'");
    }

    #[test]
    fn a_condition_in_sql_stands_apart() {
        let or = condition(&["--where", "retry_count > 3 or true -- any"]);
        assert_eq!(or, "status in ('paused', 'running') and (\nretry_count > 3 or true -- any\n)");
    }

    #[test]
    fn an_empty_filter_is_noticed() {
        let is_unsaid = |flags: &[&str], deployment| {
            let filter = parsed(flags).unwrap();
            let usual = Selection {
                filter: &filter,
                deployment,
                usual_statuses: &[],
                usual_condition: None,
            };
            usual.is_unsaid()
        };
        assert!(is_unsaid(&[], None));
        assert!(!is_unsaid(&[], Some("dp_1")));
        assert!(!is_unsaid(&["--where", "true"], None));
        assert!(!is_unsaid(&["--status", "all"], None));
    }
}
