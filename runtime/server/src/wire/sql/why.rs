//! Why invocations do not go on: a row for each link of a chain, followed through the snapshot.

use std::sync::Arc;

use protocol::{InvocationId, ids::Derivation};
use runtime_core::{Partition, model::invocation::StatusKind};
use runtime_views::{
    invocation::{Detail, Filter, Select, Selected},
    text,
    why::{Advice, Attempts, Chain, Link, Of, Subject, Surroundings, chain::LINKS_MAX},
};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::WhyLink,
};

use super::{Snapshot, budget, cursor, nothing, page};

/// What following a chain needs beyond the rows.
pub(crate) struct Following {
    /// How the ids of named invocations are derived.
    pub(crate) derivation: Derivation,
    /// What has become of attempts. They are asked as they are, later than the rows.
    pub(crate) attempts: Arc<dyn Attempts>,
    /// The ingress address that clients see, with a trailing slash.
    pub(crate) ingress_url: String,
}

impl Scan<WhyLink> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<WhyLink>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<WhyLink>, Unavailable> {
        let ids = self.ids(partition, wanted.filter.ids.as_ref());
        if ids.as_ref().is_some_and(Vec::is_empty) {
            return Ok(nothing());
        }
        let select = Select {
            // Those that are named are found whether they have ended or not.
            filter: Filter { ids, statuses: Some(StatusKind::UNFINISHED.to_vec()), ..Filter::ALL },
            detail: Detail::Row,
            order: None,
            after: cursor(after),
            // Each may have many links, all of which are read.
            budget: budget(PageLimit { rows_max: limit.rows_max.div_ceil(4 * LINKS_MAX), ..limit }),
        };
        let found = page(self.read(partition, select)?, |found| match found {
            Selected::Row(_, row) => self.why(row.id),
            Selected::Tally(..) | Selected::Object(..) => Ok(Vec::new()),
        });
        let records = found.records.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Page { records: records.concat(), counts: None, rest_after: found.rest_after })
    }
}

impl Snapshot {
    /// The chain of an invocation.
    fn why(&self, id: InvocationId) -> Result<Vec<WhyLink>, Unavailable> {
        let around = Surroundings {
            registry: Arc::clone(&self.registry),
            ingress_url: self.following.ingress_url.clone(),
        };
        let mut chain = Chain::about(Subject::Invocation(id), around, LINKS_MAX);
        while let Some(subject) = chain.next().cloned() {
            let owner = Partition::owner(self.count, subject.partition_key());
            let of = Of { subject, derivation: self.following.derivation };
            let facts = self.read(owner.0, of)?;
            let attempt = facts.attempt().map(|it| self.following.attempts.state(owner, it));
            chain.learn(&facts, attempt);
        }
        let why = chain.ended();
        let verdict = why.verdict.name();
        let id = id.to_string();
        Ok(why.links.into_iter().map(|link| record(&id, verdict, link)).collect())
    }
}

fn record(id: &str, verdict: &'static str, link: Link) -> WhyLink {
    let name = link.target.clone().unwrap_or_else(|| link.subject.to_string());
    let number = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
    WhyLink {
        invocation: id.to_owned(),
        verdict,
        position: number(link.position),
        parent: link.parent.map(number),
        subject: link.subject.to_string(),
        target: name,
        status: link.status.map(text::status),
        kind: link.kind.name(),
        need: link.need.name(),
        since: link.since.map(|at| at.0),
        until: link.until.map(|at| at.0),
        detail: link.detail,
        waits_for: link.waits_for.map(|it| it.to_string()),
        cause: link.cause.as_ref().map(|cause| cause.kind.name()),
        cause_detail: link.cause.map(|cause| cause.message),
        advice: advice(&link.advice),
    }
}

/// A line for each next step, with its command after a colon.
fn advice(all: &[Advice]) -> Option<String> {
    let lines = all.iter().map(|Advice { text, command }| match command {
        Some(command) => format!("{text}: {command}"),
        None => text.clone(),
    });
    (!all.is_empty()).then(|| lines.collect::<Vec<_>>().join("\n"))
}
