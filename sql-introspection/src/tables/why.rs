//! Why invocations do not go on: `sys_why`.

use std::borrow::Cow;

use crate::{
    column::Column,
    source::Record,
    table::{Table, TableInfo},
};

use super::{journal::OfInvocations, object::Whole};

/// A link of what waits for what, from an invocation on.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct WhyLink {
    pub invocation: String,
    pub verdict: &'static str,
    pub position: u32,
    pub parent: Option<u32>,
    pub subject: String,
    pub target: String,
    pub status: Option<&'static str>,
    pub kind: &'static str,
    pub need: &'static str,
    pub since: Option<u64>,
    pub until: Option<u64>,
    pub detail: String,
    pub waits_for: Option<String>,
    pub cause: Option<&'static str>,
    pub cause_detail: Option<String>,
    pub advice: Option<String>,
}

impl Record for WhyLink {
    type Filter = OfInvocations;
    type Part = Whole;
}

type Col = Column<WhyLink>;

/// `sys_why`.
pub(crate) fn sys_why() -> Table<WhyLink> {
    Table {
        info: TableInfo {
            name: "sys_why",
            comment: "Why invocations that have not ended do not go on: what waits for what, up to the \
                      causes, with what would help.",
            pushed: &["id"],
            is_partitioned: true,
        },
        columns: vec![
            Col::text("id", "The invocation whose chain it is.", |it| {
                Some((&it.invocation).into())
            }),
            Col::text(
                "verdict",
                "Of the whole chain. moving: it runs, is about to or has ended; waiting: for a time or \
                 for something from outside; stuck: somebody should look at it.",
                |it| Some(it.verdict.into()),
            ),
            Col::u32("position", "The number of the link, from 1.", |it| Some(it.position)),
            Col::u32(
                "parent",
                "The number of the link that leads to its subject; null for those of the invocation.",
                |it| it.parent,
            ),
            Col::text(
                "subject",
                "Who waits: the invocation, or one further down the chain.",
                |it| Some((&it.subject).into()),
            ),
            Col::text("target", "What the subject runs.", |it| Some((&it.target).into())),
            Col::text("status", "The status of the subject.", |it| it.status.map(Cow::from)),
            Col::text(
                "kind",
                "What it waits for: lock, call, awakeable, timer, retry, paused and so on, as \
                 docs/operations.md lists them.",
                |it| Some(it.kind.into()),
            ),
            Col::text(
                "need",
                "required; alternative: something else may come first; possible: its handler has asked \
                 for it and runs.",
                |it| Some(it.need.into()),
            ),
            Col::time("since", "Since when the subject has its status.", |it| it.since),
            Col::time("until", "When that ends by itself, if it does.", |it| it.until),
            Col::text("detail", "The same in words.", |it| Some((&it.detail).into())),
            Col::text(
                "waits_for_id",
                "The invocation that it waits for, if that is known.",
                |it| it.waits_for.as_deref().map(Cow::from),
            ),
            Col::text(
                "cause",
                "Why it does not go on, at the end of a chain: a kind, or deadlock, self_deadlock or \
                 cycle.",
                |it| it.cause.map(Cow::from),
            ),
            Col::text("cause_detail", "The cause in words.", |it| {
                it.cause_detail.as_deref().map(Cow::from)
            }),
            Col::text("advice", "What would help, a line for each next step.", |it| {
                it.advice.as_deref().map(Cow::from)
            }),
        ],
        filter: |constraints| OfInvocations { ids: constraints.texts("id") },
        order: |_| None,
    }
}
