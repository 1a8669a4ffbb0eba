//! Whether a subject goes on by itself, given what all that it waits for does.

use super::{Link, Need, Verdict};

/// Of the subject that the first link is about.
pub(super) fn of(links: &[Link]) -> Verdict {
    of_subject(links, None)
}

/// Of the subject that the link at `parent` leads to. A link that closes a cycle has a cause, so
/// this ends.
fn of_subject(links: &[Link], parent: Option<usize>) -> Verdict {
    let of = |need: Need| {
        let own = links.iter().filter(move |link| link.parent == parent && link.need == need);
        own.map(|link| of_link(links, link))
    };
    // All that is required has to come, and one of what is not. What is only possible says nothing.
    let required = of(Need::Required).max();
    let alternative = of(Need::Alternative).min();
    required.max(alternative).unwrap_or(Verdict::Waiting)
}

fn of_link(links: &[Link], link: &Link) -> Verdict {
    if let Some(cause) = &link.cause {
        return cause.kind.verdict();
    }
    let parent = match link.same_as {
        Some(same) => links.iter().find(|it| it.position == same).and_then(|it| it.parent),
        None => Some(link.position),
    };
    let is_root = link.same_as.is_some() && parent.is_none();
    if is_root || links.iter().any(|it| it.parent == parent) {
        return of_subject(links, parent);
    }
    Verdict::Waiting
}
