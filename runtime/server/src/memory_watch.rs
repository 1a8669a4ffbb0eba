//! Gives queries up when the process takes too much memory: what they keep is counted, but some steps
//! of the query engine take more for a while, and SQL must not cost the node its life.

use std::sync::Arc;
use std::time::Duration;

use sql_introspection::Engine;
use tokio::time::{sleep, timeout};

/// How often the memory is looked at while queries run.
const EVERY: Duration = Duration::from_millis(20);

/// What a node may take besides its memory budget before queries are given up, in bytes. What it
/// takes without any is less.
pub(crate) const BESIDES_BUDGET_BYTES: u64 = 256 << 20;

/// What it may take beyond that before all queries are given up at once, in bytes: the one that had the
/// most memory has not ended in time, or was not the one that takes too much.
const FAR_BYTES: u64 = 128 << 20;

/// How long a query that was given up is waited for before the log says so again.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// How much later the allocator has returned to the system what it held.
const RETURNED_AFTER: Duration = Duration::from_millis(100);

/// Watches for as long as it is not dropped. Where the system does not say how much memory the
/// process takes, queries are bounded only by what they keep.
pub(crate) async fn watch(engine: Arc<Engine>, budget_bytes: usize) {
    let most = budget_bytes as u64 + BESIDES_BUDGET_BYTES;
    loop {
        engine.until_busy().await;
        sleep(EVERY).await;
        let Some(bytes) = taken_bytes().filter(|bytes| *bytes > most) else { continue };
        tracing::warn!(bytes, most, "a query is given up: the process takes too much memory");
        let largest = async {
            engine.give_up_largest().await;
            sleep(RETURNED_AFTER).await;
        };
        tokio::select! {
            // Otherwise it is waited for again.
            _ = timeout(ENDS_WITHIN, largest) => (),
            bytes = until_far(most + FAR_BYTES) => {
                tracing::warn!(bytes, most, "all queries are given up: the process takes too much memory");
                engine.give_up_all();
            }
        }
    }
}

/// Waits until the process takes more than this. Returns how much it takes then.
async fn until_far(most: u64) -> u64 {
    loop {
        if let Some(bytes) = taken_bytes()
            && bytes > most
        {
            return bytes;
        }
        sleep(EVERY).await;
    }
}

/// The memory of the process without what files back, such as its executable, in bytes.
fn taken_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split(' ').skip(1).map(|it| it.parse::<u64>().ok());
    let (resident, shared) = (pages.next()??, pages.next()??);
    Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn the_memory_of_the_process_is_known() {
        let before = super::taken_bytes().unwrap();
        let mut taken = vec![1_u8; 64 << 20];
        taken.iter_mut().step_by(4096).for_each(|byte| *byte = 2);
        let after = super::taken_bytes().unwrap();
        assert!(after >= before + (32 << 20), "{before} {after}");
        drop(taken);
    }
}
