//! Whether a subject goes on by itself, given what all that it waits for does.

use std::collections::BTreeMap;

use super::{Link, Need, Verdict};

/// Of the subject that the first link is about.
pub(super) fn of(links: &[Link]) -> Verdict {
    Verdicts { links, known: BTreeMap::new() }.of_subject(None, 0)
}

/// The verdicts of subjects, each by the link that leads to it first.
struct Verdicts<'a> {
    links: &'a [Link],
    /// Many links may lead to the same subject.
    known: BTreeMap<Option<usize>, Verdict>,
}

impl Verdicts<'_> {
    /// Of the subject that the link at `parent` leads to, `depth` links away from the first.
    ///
    /// # Panics
    /// Panics if that is more links than there are: those that close a cycle have a cause, which
    /// ends this.
    fn of_subject(&mut self, parent: Option<usize>, depth: usize) -> Verdict {
        let links = self.links;
        assert!(depth <= links.len(), "a cycle of {} links has no cause: {links:?}", links.len());
        if let Some(verdict) = self.known.get(&parent) {
            return *verdict;
        }
        // All that is required has to come, and one of what is not. What is only possible says
        // nothing.
        let (mut required, mut alternative) = (None, None);
        for link in links.iter().filter(|link| link.parent == parent) {
            match link.need {
                Need::Required => required = required.max(Some(self.of_link(link, depth))),
                Need::Alternative => {
                    let verdict = self.of_link(link, depth);
                    alternative = Some(alternative.map_or(verdict, |best| verdict.min(best)));
                }
                Need::Possible => (),
            }
        }
        let verdict = required.max(alternative).unwrap_or(Verdict::Waiting);
        self.known.insert(parent, verdict);
        verdict
    }

    fn of_link(&mut self, link: &Link, depth: usize) -> Verdict {
        if let Some(cause) = &link.cause {
            return cause.kind.verdict();
        }
        let found_at = match link.same_as {
            Some(same) => self.links.iter().find(|it| it.position == same).map(|it| it.parent),
            None => Some(Some(link.position)),
        };
        let parent = found_at.filter(|parent| self.links.iter().any(|it| it.parent == *parent));
        // What was left out may be anything.
        parent.map_or(Verdict::Waiting, |parent| self.of_subject(parent, depth + 1))
    }
}
