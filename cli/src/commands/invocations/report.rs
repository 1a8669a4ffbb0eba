//! What an operation came to: how often it was done, how often not, and why. Its size does not
//! depend on the number of invocations.

use serde::Serialize;

use super::{
    batch::{Batched, Failed, Succeeded},
    operation::Operation,
};
use crate::output::sheet::{Sheet, counted, grouped};

/// How many ids an outcome shows.
const EXAMPLES_MAX: usize = 3;
/// How many reasons are told apart. Messages may contain anything, so no two might be the same.
const REASONS_MAX: usize = 20;
const OTHER_REASONS: &str = "for other reasons";

/// What has been done so far.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    operation: &'static str,
    /// How many invocations were named or selected.
    matched: u64,
    done: Outcome,
    /// What nobody knows: the answer did not arrive.
    unknown: Outcome,
    /// What was not done, by the reason.
    not_done: Vec<Reason>,
}

/// So many invocations, and some of them.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Outcome {
    count: u64,
    examples: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Reason {
    reason: String,
    #[serde(flatten)]
    outcome: Outcome,
}

impl Outcome {
    fn add(&mut self, id: &str) {
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(id.to_owned());
        }
    }
}

impl Report {
    pub(super) fn new(operation: Operation, matched: u64) -> Self {
        Self {
            operation: operation.name(),
            matched,
            done: Outcome::default(),
            unknown: Outcome::default(),
            not_done: Vec::new(),
        }
    }

    /// Adds what has become of a batch.
    pub(super) fn add(&mut self, batched: &Batched) {
        for succeeded in &batched.succeeded {
            match succeeded {
                Succeeded::Same(id) => self.done.add(id),
                Succeeded::Restarted { old_invocation_id: old, new_invocation_id: new } => {
                    self.done.add(&format!("{old} as {new}"));
                }
            }
        }
        for Failed { invocation_id, error } in &batched.failed {
            self.reason(without(invocation_id, error)).add(invocation_id);
        }
    }

    /// Adds a batch whose answer did not arrive.
    pub(super) fn add_unknown(&mut self, ids: &[String]) {
        ids.iter().for_each(|id| self.unknown.add(id));
    }

    fn reason(&mut self, reason: String) -> &mut Outcome {
        let known = self.not_done.iter().position(|it| it.reason == reason);
        let is_full = known.is_none() && self.not_done.len() >= REASONS_MAX;
        let at = known.unwrap_or(if is_full { REASONS_MAX } else { self.not_done.len() });
        if at == self.not_done.len() {
            let reason = if is_full { OTHER_REASONS.to_owned() } else { reason };
            self.not_done.push(Reason { reason, outcome: Outcome::default() });
        }
        &mut self.not_done[at].outcome
    }

    /// How many invocations it was tried on.
    pub(super) fn tried(&self) -> u64 {
        self.done.count + self.not_done()
    }

    /// How many of them it was not done to, as far as is known.
    pub(super) fn not_done(&self) -> u64 {
        let refused: u64 = self.not_done.iter().map(|it| it.outcome.count).sum();
        refused + self.unknown.count
    }

    /// It in words.
    pub(super) fn sheet(&self) -> Sheet {
        if self.matched == 0 {
            let title = format!("{}: no invocation matches, so nothing was done", self.operation);
            return Sheet::about(&title);
        }
        let mut sheet = Sheet::about(&format!(
            "{}: done to {} of {}",
            self.operation,
            grouped(self.done.count),
            counted(self.matched, "invocation", "invocations"),
        ));
        examples(&self.done, &mut sheet);
        for Reason { reason, outcome } in &self.not_done {
            sheet.section(&format!("not done to {}: {reason}", grouped(outcome.count)));
            examples(outcome, &mut sheet);
        }
        if self.unknown.count > 0 {
            let count = grouped(self.unknown.count);
            sheet.section(&format!("perhaps done to {count}: the answer did not arrive"));
            examples(&self.unknown, &mut sheet);
        }
        let untried = self.matched.saturating_sub(self.tried());
        if untried > 0 {
            let count = grouped(untried);
            sheet.section(&format!(
                "not tried on {count}: they no longer match, or it ended before them"
            ));
        }
        sheet
    }
}

fn examples(outcome: &Outcome, sheet: &mut Sheet) {
    outcome.examples.iter().for_each(|id| sheet.item(id));
    let more = outcome.count.saturating_sub(outcome.examples.len() as u64);
    if more > 0 {
        sheet.item(&format!("… and {} more", grouped(more)));
    }
}

/// A message without the id, so that the same reason is the same text for all.
fn without(id: &str, message: &str) -> String {
    message.replace(&format!("'{id}'"), "…").replace(id, "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batched(succeeded: &[&str], failed: &[(&str, &str)]) -> Batched {
        Batched {
            succeeded: succeeded.iter().map(|id| Succeeded::Same((*id).to_owned())).collect(),
            failed: failed
                .iter()
                .map(|(id, error)| Failed {
                    invocation_id: (*id).to_owned(),
                    error: (*error).to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn outcomes_are_grouped_with_examples() {
        let mut report = Report::new(Operation::Cancel, 8);
        report.add(&batched(
            &["inv_1", "inv_2"],
            &[("inv_3", "invocation 'inv_3' is completed: too late"), ("x", "'x' is no id")],
        ));
        report.add(&batched(
            &["inv_4", "inv_5"],
            &[("inv_6", "invocation 'inv_6' is completed: too late")],
        ));
        assert_eq!((report.tried(), report.not_done()), (7, 3));
        let shown = concat!(
            "cancel: done to 4 of 8 invocations\n",
            "  inv_1\n",
            "  inv_2\n",
            "  inv_4\n",
            "  … and 1 more\n",
            "\n",
            "not done to 2: invocation … is completed: too late\n",
            "  inv_3\n",
            "  inv_6\n",
            "\n",
            "not done to 1: … is no id\n",
            "  x\n",
            "\n",
            "not tried on 1: they no longer match, or it ended before them\n",
        );
        assert_eq!(report.sheet().text(), shown);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["done"]["count"], 4);
        assert_eq!(json["not_done"][0]["examples"], serde_json::json!(["inv_3", "inv_6"]));
    }

    #[test]
    fn what_is_restarted_shows_both_ids() {
        let answer = serde_json::json!({
            "succeeded": [{ "old_invocation_id": "inv_1", "new_invocation_id": "inv_2" }],
            "failed": [],
        });
        let mut report = Report::new(Operation::Restart, 1);
        report.add(&serde_json::from_value(answer).unwrap());
        let shown = "restart: done to 1 of 1 invocation\n  inv_1 as inv_2\n";
        assert_eq!(report.sheet().text(), shown);
    }

    #[test]
    fn an_answer_that_did_not_arrive_is_not_taken_for_done() {
        let mut report = Report::new(Operation::Kill, 2);
        report.add_unknown(&["inv_1".to_owned(), "inv_2".to_owned()]);
        assert_eq!((report.tried(), report.not_done()), (2, 2));
        let text = report.sheet().text();
        assert!(text.starts_with("kill: done to 0 of 2 invocations\n"), "{text}");
        assert!(text.contains("perhaps done to 2: the answer did not arrive\n  inv_1\n"), "{text}");
    }

    #[test]
    fn nothing_to_do_is_said() {
        let text = Report::new(Operation::Kill, 0).sheet().text();
        assert_eq!(text, "kill: no invocation matches, so nothing was done\n");
    }

    #[test]
    fn reasons_that_are_all_different_do_not_pile_up() {
        let mut report = Report::new(Operation::Kill, 100);
        for at in 0..100 {
            report.add(&batched(&[], &[("inv", &format!("reason {at}"))]));
        }
        assert_eq!(report.not_done.len(), REASONS_MAX + 1);
        assert_eq!(report.not_done(), 100);
        let rest = report.not_done.last().unwrap();
        assert_eq!((rest.reason.as_str(), rest.outcome.count), (OTHER_REASONS, 80));
    }
}
