//! Gives queries up when the process takes too much memory: what they keep is counted, but some steps
//! of the query engine take more for a while, and SQL must not cost the node its life.

use std::sync::Arc;
use std::time::Duration;

use sql_introspection::Engine;
use tokio::time::sleep;

/// How often the memory is looked at while queries run.
const EVERY: Duration = Duration::from_millis(20);

/// What a node may take besides its memory budget before queries are given up, in bytes. What it
/// takes without any is less.
pub(crate) const BESIDES_BUDGET_BYTES: u64 = 256 << 20;

/// Watches for as long as it is not dropped. Where the system does not say how much memory the
/// process takes, queries are bounded only by what they keep.
pub(crate) async fn watch(engine: Arc<Engine>, budget_bytes: usize) {
    let most = budget_bytes as u64 + BESIDES_BUDGET_BYTES;
    loop {
        engine.until_busy().await;
        sleep(EVERY).await;
        if let Some(bytes) = taken_bytes()
            && bytes > most
        {
            tracing::warn!(bytes, most, "queries are given up: the process takes too much memory");
            engine.give_up();
        }
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
