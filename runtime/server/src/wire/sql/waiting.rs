//! Timers, and what invocations wait for.

use protocol::journal::{NotificationId, notification::SignalId};
use runtime_core::model::invocation::{Invocation as Row, StatusKind};
use runtime_views::{
    invocation::{Detail, Filter, Select, Selected},
    timer,
    wait::{self, Awaited},
};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Direction, Page, PageLimit, Wanted},
    tables::{Timer, Wait},
};

use super::{Snapshot, budget, cursor, nothing, page};

impl Scan<Timer> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Timer>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Timer>, Unavailable> {
        let order = super::order(wanted.order.unwrap_or(Direction::Ascending));
        let list = timer::List { after: cursor(after), order, budget: budget(limit) };
        Ok(page(self.read(partition, list)?, |it| Timer {
            at: it.at.0,
            invocation: it.invocation.to_string(),
            kind: match it.kind {
                timer::Kind::Start => "start",
                timer::Kind::Retry => "retry",
                timer::Kind::Sleep => "sleep",
            },
            completion: it.completion,
        }))
    }
}

/// The statuses in which an invocation waits for something.
const WAITING: [StatusKind; 5] = [
    StatusKind::Scheduled,
    StatusKind::Inboxed,
    StatusKind::BackingOff,
    StatusKind::Suspended,
    StatusKind::Paused,
];

impl Scan<Wait> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Wait>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Wait>, Unavailable> {
        let ids = self.ids(partition, wanted.filter.ids.as_ref());
        if ids.as_ref().is_some_and(Vec::is_empty) {
            return Ok(nothing());
        }
        let select = Select {
            filter: Filter { ids, statuses: Some(WAITING.to_vec()), ..Filter::ALL },
            detail: Detail::Row,
            order: None,
            after: cursor(after),
            budget: budget(limit),
        };
        let found = page(self.read(partition, select)?, |found| match found {
            Selected::Row(_, row) => self.waits(partition, *row),
            Selected::Tally(..) | Selected::Object(..) => Ok(Vec::new()),
        });
        let records = found.records.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Page { records: records.concat(), counts: None, rest_after: found.rest_after })
    }
}

impl Snapshot {
    /// What an invocation waits for.
    fn waits(&self, partition: u16, row: Row) -> Result<Vec<Wait>, Unavailable> {
        let one = |kind| Wait {
            invocation: row.id.to_string(),
            target: row.target.to_string(),
            kind,
            until: None,
            completion: None,
            signal: None,
            name: None,
            waits_for: None,
        };
        Ok(match self.read(partition, wait::One(row.id))? {
            None => Vec::new(),
            Some(wait::Wait::Start { at }) => {
                vec![Wait { until: Some(at.0), ..one("start time") }]
            }
            Some(wait::Wait::Retry { at }) => {
                vec![Wait { until: Some(at.0), ..one("next attempt") }]
            }
            Some(wait::Wait::Lock { holder }) => {
                vec![Wait { waits_for: Some(holder.to_string()), ..one("lock") }]
            }
            Some(wait::Wait::Operator) => vec![one("operator")],
            Some(wait::Wait::Answers(answers)) => {
                let answer = |Awaited { id, kind, at, of }| {
                    let (completion, signal) = match id {
                        NotificationId::Completion(id) => (Some(id), None),
                        NotificationId::Signal(SignalId::Index(index)) => {
                            (None, Some(index.to_string()))
                        }
                        NotificationId::Signal(SignalId::Name(name)) => (None, Some(name)),
                    };
                    Wait {
                        until: at.map(|at| at.0),
                        completion,
                        signal,
                        name: of.name,
                        waits_for: of.invocation.map(|id| id.to_string()),
                        ..one(kind.name())
                    }
                };
                answers.into_iter().map(answer).collect()
            }
        })
    }
}
