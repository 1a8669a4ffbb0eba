//! How an invocation ended, for callers that ask for its result.

use std::sync::Arc;

use protocol::{InvocationId, Target};
use runtime_core::{
    model::invocation::{Completion, Invocation, Pin, Status},
    tables::Tables,
};

use crate::View;

/// Reads the result of an invocation, unless it exceeds `bytes_max`.
#[derive(Debug, Clone, Copy)]
pub struct Result {
    /// The id of the invocation.
    pub id: InvocationId,
    /// Largest value or message to return, in bytes.
    pub bytes_max: usize,
}

/// What is known about the invocation.
#[derive(Debug, Clone)]
pub enum ResultState {
    /// It does not exist, or has expired.
    Nothing,
    /// It has not ended. Its target, and the deployment it is pinned to.
    UnderWay(Target, Option<Pin>),
    /// It has ended, on this deployment.
    Ended(Arc<Completion>, Option<Pin>),
    /// It has ended, with a result of this many bytes, which exceeds `bytes_max`.
    EndedWith(usize),
}

impl View for Result {
    type Output = ResultState;

    fn read(self, tables: &Tables<'_>) -> ResultState {
        let Some(row) = row(tables, self.id) else { return ResultState::Nothing };
        match row.status {
            Status::Waiting(_) | Status::Running { .. } | Status::Paused => {
                ResultState::UnderWay(row.target, row.pin)
            }
            Status::Completed { completion, .. } => match completion.result_bytes() {
                bytes if bytes > self.bytes_max => ResultState::EndedWith(bytes),
                _ => ResultState::Ended(completion, row.pin),
            },
        }
    }
}

/// The row, unless it has expired.
fn row(tables: &Tables<'_>, id: InvocationId) -> Option<Box<Invocation>> {
    let now = tables.meta().stamp.at();
    let row = tables.invocation_lsn(id).and_then(|lsn| tables.invocation(lsn))?;
    Some(row).filter(|row| !row.status.is_expired(now))
}

/// Reads the status of an invocation, including its result, however large. `None` if the invocation
/// does not exist or has expired.
#[derive(Debug, Clone, Copy)]
pub struct StatusOf(pub InvocationId);

impl View for StatusOf {
    type Output = Option<Status>;

    fn read(self, tables: &Tables<'_>) -> Option<Status> {
        row(tables, self.0).map(|row| row.status)
    }
}

/// Reads which deployment an invocation is pinned to. `None` if it does not exist or has not
/// reached one.
#[derive(Debug, Clone, Copy)]
pub struct PinOf(pub InvocationId);

impl View for PinOf {
    type Output = Option<Pin>;

    fn read(self, tables: &Tables<'_>) -> Option<Pin> {
        tables.invocation(tables.invocation_lsn(self.0)?)?.pin
    }
}
