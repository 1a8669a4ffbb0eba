//! What an invocation has ended with, for those who ask for its result.

use std::sync::Arc;

use protocol::{InvocationId, Target};
use runtime_core::{
    model::invocation::{Completion, Invocation, Pin, Status},
    tables::Tables,
};

use crate::View;

/// Looks at the result of an invocation, unless it has more bytes than wanted.
#[derive(Debug, Clone, Copy)]
pub struct Result {
    /// Which invocation.
    pub id: InvocationId,
    /// How many bytes of value or message there may be.
    pub bytes_max: usize,
}

/// What is known of it.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Nothing, or nothing any more.
    Nothing,
    /// It has not ended: what was asked for, and the deployment that it has reached.
    UnderWay(Target, Option<Pin>),
    /// It has ended, on this deployment.
    Ended(Arc<Completion>, Option<Pin>),
    /// It has ended with so many bytes, which are more than wanted.
    EndedWith(usize),
}

impl View for Result {
    type Seen = Seen;

    fn see(self, tables: &Tables<'_>) -> Seen {
        let Some(row) = row(tables, self.id) else { return Seen::Nothing };
        match row.status {
            Status::Waiting(_) | Status::Running { .. } | Status::Paused => {
                Seen::UnderWay(row.target, row.pin)
            }
            Status::Completed { completion, .. } => match completion.result_bytes() {
                bytes if bytes > self.bytes_max => Seen::EndedWith(bytes),
                _ => Seen::Ended(completion, row.pin),
            },
        }
    }
}

/// The row, unless it counts as absent.
fn row(tables: &Tables<'_>, id: InvocationId) -> Option<Box<Invocation>> {
    let now = tables.meta().stamp.at();
    let row = tables.invocation_lsn(id).and_then(|lsn| tables.invocation(lsn))?;
    Some(row).filter(|row| !row.status.is_expired(now))
}

/// Looks at the status of an invocation, and so at its result, however large; `None` when there is no such
/// invocation, or none any more.
#[derive(Debug, Clone, Copy)]
pub struct StatusOf(pub InvocationId);

impl View for StatusOf {
    type Seen = Option<Status>;

    fn see(self, tables: &Tables<'_>) -> Option<Status> {
        row(tables, self.0).map(|row| row.status)
    }
}

/// Looks where an invocation runs, or ran; `None` when nothing is known of that.
#[derive(Debug, Clone, Copy)]
pub struct PinOf(pub InvocationId);

impl View for PinOf {
    type Seen = Option<Pin>;

    fn see(self, tables: &Tables<'_>) -> Option<Pin> {
        tables.invocation(tables.invocation_lsn(self.0)?)?.pin
    }
}
