//! The API's representation of why something does not go on.

use runtime_views::{
    rfc3339, text,
    why::{Advice, Cause, Kind, Link, Subject, Verdict, Why, groups::Group},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Why something does not go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChainView {
    /// What was asked about.
    pub subject: SubjectView,
    /// When it was asked, by the clock of the server.
    pub asked_at: String,
    /// `moving` if it runs, is about to or has ended; `waiting` if it waits for a time or for
    /// something from outside, as it was written to do; `stuck` if somebody should look at it.
    pub verdict: &'static str,
    /// What waits for what: each link after the one that leads to it.
    pub links: Vec<LinkView>,
    /// How many links or subjects have been left out, since there would have been too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: usize,
}

/// Who waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectView {
    /// `invocation`, or `key` for a key of a virtual object or workflow.
    pub r#type: &'static str,
    /// The id of an invocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What an invocation runs, as `service/key/handler`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The status of an invocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// The service of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// One thing that a subject waits for.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// Its number, from 1.
    pub position: usize,
    /// The number of the link that leads to its subject. Absent for what was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// Who waits.
    pub subject: SubjectView,
    /// What kind of thing it waits for. `docs/operations.md` lists them; there may be more in later
    /// versions.
    pub kind: &'static str,
    /// `required` if it cannot go on without; `alternative` if something else may come first;
    /// `possible` if its handler has asked for it and runs, so that nobody knows whether it waits.
    pub need: &'static str,
    /// Since when it has its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// When that ends by itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The same for people: what follows the name of the subject in a sentence.
    pub detail: String,
    /// The id of the invocation that it waits for, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The number of the link that says what `waits_for` waits for, if that is not one of those
    /// that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<usize>,
    /// Why it does not go on, at the end of a chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<CauseView>,
    /// What would help, the most useful first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<AdviceView>,
}

/// Why something does not go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseView {
    /// The kind of the link, or `deadlock`, `self_deadlock` or `cycle` of several of them.
    pub kind: &'static str,
    /// `moving`, `waiting` or `stuck`, as for the whole.
    pub verdict: &'static str,
    /// The same for people.
    pub message: String,
}

/// A next step.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdviceView {
    /// What it is for.
    pub text: String,
    /// A command for a shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// A key of a virtual object or workflow.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Who holds it, and why that one does not go on.
    #[serde(flatten)]
    pub chain: ChainView,
    /// What all invocations of the key wait for.
    pub invocations: GroupsView,
}

/// What invocations wait for that have not ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupsView {
    /// The worst verdict of any of them: `moving`, `waiting` or `stuck`.
    pub verdict: &'static str,
    /// The worst first.
    pub groups: Vec<GroupView>,
    /// Whether all invocations were looked at. Otherwise there are more than are counted.
    pub is_complete: bool,
    /// How many invocations were looked at, those included that have ended or are others.
    pub read: usize,
}

/// Invocations that wait for the same kind of thing themselves.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupView {
    /// What kind of thing; `result` if there are several kinds.
    pub kind: &'static str,
    /// How many invocations there are.
    pub count: u64,
    /// Which one has its status for longest, and why it does not go on.
    pub oldest: OldestView,
}

/// The invocation of a group that has its status for longest.
#[derive(Debug, Serialize, ToSchema)]
pub struct OldestView {
    /// Since when.
    pub since: String,
    /// Why it does not go on.
    #[serde(flatten)]
    pub chain: ChainView,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl ChainView {
    pub(super) fn of(subject: &Subject, why: Why, now_ms: u64) -> Self {
        let Why { links, omitted, verdict } = why;
        let subject = match links.first() {
            Some(first) => SubjectView::of_link(first),
            None => SubjectView::of(subject),
        };
        let links = links.into_iter().map(LinkView::from).collect();
        let asked_at = rfc3339::shortest(now_ms);
        Self { subject, asked_at, verdict: verdict.name(), links, omitted }
    }
}

impl SubjectView {
    fn of(subject: &Subject) -> Self {
        let (mut id, mut of_service, mut of_key) = (None, None, None);
        match subject {
            Subject::Invocation(invocation) => id = Some(invocation.to_string()),
            Subject::Key { service, key } => {
                of_service = Some(service.clone());
                of_key = Some(key.clone());
            }
        }
        let r#type = subject.type_name();
        Self { r#type, id, target: None, status: None, service: of_service, key: of_key }
    }

    fn of_link(link: &Link) -> Self {
        let status = link.status.map(text::status);
        Self { target: link.target.clone(), status, ..Self::of(&link.subject) }
    }
}

impl From<Link> for LinkView {
    fn from(link: Link) -> Self {
        Self {
            subject: SubjectView::of_link(&link),
            position: link.position,
            parent: link.parent,
            kind: link.kind.name(),
            need: link.need.name(),
            since: link.since.map(|at| rfc3339::shortest(at.0)),
            until: link.until.map(|at| rfc3339::shortest(at.0)),
            detail: link.detail,
            waits_for: link.waits_for.map(|subject| subject.to_string()),
            same_as: link.same_as,
            cause: link.cause.map(CauseView::from),
            advice: link.advice.into_iter().map(AdviceView::from).collect(),
        }
    }
}

impl From<Cause> for CauseView {
    fn from(Cause { kind, message }: Cause) -> Self {
        Self { kind: kind.name(), verdict: kind.verdict().name(), message }
    }
}

impl From<Advice> for AdviceView {
    fn from(Advice { text, command }: Advice) -> Self {
        Self { text, command }
    }
}

impl GroupView {
    pub(super) fn of(kind: Kind, group: &Group, why: Why, now_ms: u64) -> (Verdict, Self) {
        let (verdict, subject) = (why.verdict, Subject::Invocation(group.oldest));
        let chain = ChainView::of(&subject, why, now_ms);
        let oldest = OldestView { since: rfc3339::shortest(group.since.0), chain };
        (verdict, Self { kind: kind.name(), count: group.count, oldest })
    }
}

impl GroupsView {
    /// The groups, each with the verdict of its oldest.
    pub(super) fn of(
        mut groups: Vec<(Verdict, GroupView)>,
        is_complete: bool,
        read: usize,
    ) -> Self {
        groups.sort_by_key(|(verdict, group)| std::cmp::Reverse((*verdict, group.count)));
        let verdict = groups.first().map_or(Verdict::Moving, |(verdict, _)| *verdict);
        let groups = groups.into_iter().map(|(_, group)| group).collect();
        Self { verdict: verdict.name(), groups, is_complete, read }
    }
}
