//! An answer for people: a line for each link, each below the one that leads to it, then the causes
//! and what would help.

use jiff::Timestamp;

use super::answer::{Answer, Chain, Group, Groups, Link, Verdict};
use crate::{
    commands::moments::distance,
    output::{
        sheet::{counted, grouped},
        text::printable,
    },
};

/// How many causes are shown with what would help.
const CAUSES_MAX: usize = 5;

/// The whole answer.
pub(super) fn of(answer: &Answer) -> String {
    let mut lines = Lines::default();
    match answer {
        Answer::Invocation(chain) => lines.whole(chain),
        Answer::Key { chain, invocations } => {
            lines.whole(chain);
            if !invocations.groups.is_empty() {
                lines.add("");
                lines.add("All invocations of the key:");
                lines.groups(invocations, Some(chain));
            }
        }
        Answer::Groups(groups) => {
            lines.add(&format!("{}{}", said(groups.verdict), dot(groups.groups.is_empty())));
            lines.groups(groups, None);
        }
    }
    lines.0
}

/// A line for each link of a chain, each below the one that leads to it.
pub(super) fn of_chain(chain: &Chain) -> String {
    let mut lines = Lines::default();
    lines.chain(chain, 0);
    lines.0
}

fn dot(is_nothing: bool) -> &'static str {
    if is_nothing { ": there is no invocation that has not ended" } else { "" }
}

fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Moving => "not stuck",
        Verdict::Waiting => "not stuck, waits for a time or for something from outside",
        Verdict::Stuck => "stuck",
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, line: &str) {
        self.0.push_str(&printable(line));
        self.0.push('\n');
    }

    /// A chain with its causes.
    fn whole(&mut self, chain: &Chain) {
        self.add(&format!("{}: {}", chain.subject.name(), said(chain.verdict)));
        self.add("");
        self.chain(chain, 0);
        self.causes(chain, "");
    }

    fn chain(&mut self, chain: &Chain, indent: usize) {
        for link in &chain.links {
            let depth = indent + depth(&chain.links, link);
            self.add(&format!("{}{}", "  ".repeat(depth), line(link, &chain.asked_at)));
        }
        if chain.omitted > 0 {
            let omitted = grouped(chain.omitted);
            self.add(&format!("{}… and {omitted} more, which were left out", "  ".repeat(indent)));
        }
    }

    /// The causes, the worst first, each with what would help.
    fn causes(&mut self, chain: &Chain, indent: &str) {
        let causes = chain.links.iter().filter_map(|link| Some((link, link.cause.as_ref()?)));
        let mut causes: Vec<_> = causes.collect();
        causes.sort_by_key(|(_, cause)| std::cmp::Reverse(cause.verdict));
        for (link, cause) in causes.iter().take(CAUSES_MAX) {
            // One that several links form names all of them, and a single link has just been read.
            let what = match (cause.message == link.detail, chain.links.len()) {
                (true, 1) => cause.kind.clone(),
                (true, _) => format!("{} {} ({})", link.subject.name(), cause.message, cause.kind),
                (false, _) => format!("{} ({})", cause.message, cause.kind),
            };
            self.add("");
            self.add(&format!("{indent}Cause: {what}"));
            for advice in &link.advice {
                self.add(&format!("{indent}  {}", advice.text));
                if let Some(command) = &advice.command {
                    self.add(&format!("{indent}    {command}"));
                }
            }
        }
        if causes.len() > CAUSES_MAX {
            let more = counted((causes.len() - CAUSES_MAX) as u64, "cause", "causes");
            self.add("");
            self.add(&format!("{indent}… and {more} more, which --json shows"));
        }
    }

    /// Groups, of which those whose oldest is in a chain that was shown are only counted.
    fn groups(&mut self, groups: &Groups, shown: Option<&Chain>) {
        for Group { kind, count, oldest } in &groups.groups {
            self.add("");
            let invocations = counted(*count, "invocation", "invocations");
            let mut known = shown.into_iter().flat_map(|chain| &chain.links);
            if known.any(|link| link.subject.id == oldest.subject.id) {
                self.add(&format!("{kind}: {invocations}; the oldest is in the chain above"));
                continue;
            }
            self.add(&format!("{kind}: {invocations}; the oldest, {}:", said(oldest.verdict)));
            self.chain(oldest, 1);
            self.causes(oldest, "  ");
        }
        if !groups.is_complete {
            self.add("");
            let read = grouped(groups.read);
            self.add(&format!("… and perhaps more: only {read} invocations were looked at"));
        }
    }
}

/// How many links lead to it.
fn depth(links: &[Link], link: &Link) -> usize {
    let mut depth = 0;
    let mut parent = link.parent;
    // Links come after those that lead to them, so this ends.
    while let Some(position) = parent
        && depth < links.len()
    {
        depth += 1;
        let found = links.iter().find(|it| it.position == position);
        parent = found.and_then(|it| it.parent);
    }
    depth
}

fn line(link: &Link, now: &str) -> String {
    let since = link.since.as_deref().and_then(|at| away(at, now));
    let lasts = since.as_deref().and_then(|away| away.strip_suffix(" ago"));
    let until = link.until.as_deref().map(|at| match away(at, now) {
        Some(away) => format!("until {at}, {away}"),
        None => format!("until {at}"),
    });
    let times: Vec<String> =
        lasts.map(|lasts| format!("for {lasts}")).into_iter().chain(until).collect();
    let times = if times.is_empty() { String::new() } else { format!(" ({})", times.join("; ")) };
    // What that one waits for is another part of the chain.
    let same = match (&link.waits_for, link.same_as) {
        (Some(other), Some(_)) if link.cause.is_none() => format!(" [see {other}]"),
        (_, _) => String::new(),
    };
    let status = link.subject.status.as_ref().map_or_else(String::new, |it| format!(" [{it}]"));
    format!("{}{status} {}{times}{same}", link.subject.name(), link.detail)
}

/// How far a time is from another.
fn away(at: &str, now: &str) -> Option<String> {
    let (at, now): (Timestamp, Timestamp) = (at.parse().ok()?, now.parse().ok()?);
    Some(distance(at.duration_since(now)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(answer: Value) -> String {
        of(&serde_json::from_value(answer).unwrap())
    }

    fn chain() -> Value {
        json!({
            "subject": { "type": "invocation", "id": "inv_1", "target": "Shop/buy", "status": "suspended" },
            "asked_at": "2026-01-01T10:03:00Z",
            "verdict": "stuck",
            "links": [
                {
                    "position": 1, "kind": "call", "need": "required",
                    "subject": { "type": "invocation", "id": "inv_1", "target": "Shop/buy", "status": "suspended" },
                    "since": "2026-01-01T10:00:00Z",
                    "detail": "waits for the result of its call of Stock/s/take", "waits_for": "inv_2"
                },
                {
                    "position": 2, "parent": 1, "kind": "retry", "need": "required",
                    "subject": { "type": "invocation", "id": "inv_2", "target": "Stock/s/take", "status": "backing-off" },
                    "since": "2026-01-01T10:02:00Z", "until": "2026-01-01T10:03:05Z",
                    "detail": "has failed on dp_1, 3 times in a row: [500] no\u{1b}[2J",
                    "cause": {
                        "kind": "retry", "verdict": "stuck",
                        "message": "has failed on dp_1, 3 times in a row: [500] no\u{1b}[2J"
                    },
                    "advice": [{ "text": "to try again at once", "command": "abide invocations resume inv_2" }]
                }
            ]
        })
    }

    #[test]
    fn a_chain_is_a_line_for_each_link_and_ends_with_what_would_help() {
        let expected = concat!(
            "Shop/buy inv_1: stuck\n",
            "\n",
            "Shop/buy inv_1 [suspended] waits for the result of its call of Stock/s/take (for 3m)\n",
            "  Stock/s/take inv_2 [backing-off] has failed on dp_1, 3 times in a row: [500] no\\x1b[2J \
             (for 1m; until 2026-01-01T10:03:05Z, in 5s)\n",
            "\n",
            "Cause: Stock/s/take inv_2 has failed on dp_1, 3 times in a row: [500] no\\x1b[2J (retry)\n",
            "  to try again at once\n",
            "    abide invocations resume inv_2\n",
        );
        assert_eq!(shown(chain()), expected);
    }

    #[test]
    fn a_single_link_is_not_repeated() {
        let mut single = chain();
        single["links"].as_array_mut().unwrap().remove(0);
        single["links"][0]["parent"] = Value::Null;
        let text = shown(single);
        assert!(text.contains("\n\nCause: retry\n  to try again at once\n"), "{text}");
    }

    #[test]
    fn groups_are_counted_and_say_when_there_may_be_more() {
        let groups = json!({
            "verdict": "stuck",
            "groups": [{ "kind": "call", "count": 1200, "oldest": chain() }],
            "is_complete": false,
            "read": 10_000
        });
        let text = shown(groups);
        assert!(
            text.starts_with("stuck\n\ncall: 1,200 invocations; the oldest, stuck:\n"),
            "{text}"
        );
        assert!(text.contains("\n    Stock/s/take inv_2 [backing-off] has failed"), "{text}");
        assert!(
            text.ends_with("… and perhaps more: only 10,000 invocations were looked at\n"),
            "{text}"
        );
        let nothing = json!({ "verdict": "moving", "groups": [], "is_complete": true, "read": 0 });
        assert_eq!(shown(nothing), "not stuck: there is no invocation that has not ended\n");
    }

    #[test]
    fn a_key_is_a_chain_and_its_invocations() {
        let mut key = chain();
        key["subject"] = json!({ "type": "key", "service": "Stock", "key": "s" });
        key["invocations"] = json!({
            "verdict": "waiting",
            "groups": [{ "kind": "lock", "count": 1, "oldest": chain() }],
            "is_complete": true,
            "read": 1
        });
        let mut other = chain();
        other["subject"]["id"] = json!("inv_9");
        let groups = key["invocations"]["groups"].as_array_mut().unwrap();
        groups.push(json!({ "kind": "timer", "count": 2, "oldest": other }));
        let text = shown(key);
        assert!(text.starts_with("Stock/s: stuck\n"), "{text}");
        let counted = "\nAll invocations of the key:\n\nlock: 1 invocation; the oldest is in the chain \
                       above\n\ntimer: 2 invocations; the oldest, stuck:\n  Shop/buy inv_1 ";
        assert!(text.contains(counted), "{text}");
    }
}
