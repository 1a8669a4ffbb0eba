//! Results on their way to clients. Each holds memory until its last byte is written, and is only
//! read once there is memory for it. Otherwise clients that stop reading could take up all of it.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{InvocationId, Target};
use runtime_core::model::invocation::{Completion, Pin};
use runtime_partition::budget::Held;
use runtime_views::result::{self, ResultState};

use crate::{Ingress, error::Rejection};

/// A result, with the memory reserved for it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) completion: Arc<Completion>,
    held: Held,
}

/// What is known about an invocation.
#[derive(Debug)]
pub(crate) enum Known {
    /// It does not exist, or its result has expired.
    Nothing,
    /// It has not ended. Its target, and the deployment it is pinned to.
    UnderWay(Target, Option<Pin>),
    /// It has ended, on this deployment.
    Ended(Kept, Option<Pin>),
}

/// Results up to this size are read right away: reading them twice would cost more than holding
/// them.
const SMALL_BYTES: usize = 64 << 10;

/// Reads an invocation and, if it has ended, its result.
pub(crate) async fn look(ingress: &Ingress, id: InvocationId) -> Result<Known, Rejection> {
    let (seen, held) = match see(ingress, id, SMALL_BYTES).await? {
        ResultState::EndedWith(bytes) => {
            let held = ingress.memory.for_answer(bytes).await;
            (see(ingress, id, usize::MAX).await?, Some(held))
        }
        seen @ (ResultState::Nothing | ResultState::UnderWay(..) | ResultState::Ended(..)) => {
            (seen, None)
        }
    };
    Ok(match (seen, held) {
        (ResultState::Ended(completion, pin), held) => {
            let held = match held {
                Some(held) => held,
                None => ingress.memory.for_answer(completion.result_bytes()).await,
            };
            Known::Ended(Kept { completion, held }, pin)
        }
        (ResultState::UnderWay(target, pin), _) => Known::UnderWay(target, pin),
        (ResultState::Nothing | ResultState::EndedWith(_), _) => Known::Nothing,
    })
}

/// Reserves memory for a result that has just arrived. If there is none, the result is dropped and
/// read again later, unless it is not stored.
pub(crate) async fn keep(
    ingress: &Ingress,
    id: InvocationId,
    completion: Arc<Completion>,
) -> Result<Kept, Rejection> {
    let bytes = completion.result_bytes();
    if let Some(held) = ingress.memory.answers.try_take(bytes) {
        return Ok(Kept { completion, held });
    }
    if completion.expires_at.is_none() {
        let held = ingress.memory.for_answer(bytes).await;
        return Ok(Kept { completion, held });
    }
    drop(completion);
    match look(ingress, id).await? {
        Known::Ended(kept, _) => Ok(kept),
        // It was removed while its client was not reading other responses.
        Known::Nothing | Known::UnderWay(..) => Err(Rejection::InvocationNotFound),
    }
}

impl Kept {
    /// The value, which returns its memory when the last reference to it is dropped.
    pub(crate) fn into_value(self, value: Bytes) -> Bytes {
        Bytes::from_owner(Owned { value, _held: self.held })
    }
}

struct Owned {
    value: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.value
    }
}

/// Whether an invocation exists.
pub(crate) async fn exists(ingress: &Ingress, id: InvocationId) -> Result<bool, Rejection> {
    Ok(!matches!(see(ingress, id, 0).await?, ResultState::Nothing))
}

async fn see(
    ingress: &Ingress,
    id: InvocationId,
    bytes_max: usize,
) -> Result<ResultState, Rejection> {
    let to = ingress.partitions.owner(id.partition_key);
    Ok(ingress.partitions.read(to, result::Result { id, bytes_max }).await?)
}
