//! What a panic ends: on an edge thread a single request or attempt, on any other thread the whole
//! process.
//!
//! A partition, the log and the checkpoints can't continue without each other, and the log has
//! everything that was acknowledged. So a restart leads back to a good state, and a supervisor only
//! notices if the process exits.

use std::panic;
use std::process;
use std::thread;

/// Name of the threads on which a panic ends only the current task.
pub(crate) const EDGE_THREAD: &str = "edge";

/// Exit code after a broken invariant, as in Rust's own runtime. It differs from 1, the code of a
/// failed start or a failed disk.
const EXIT_PANIC: i32 = 101;

/// Installs a hook that ends the process after any panic outside of edge threads has been reported.
pub(crate) fn end_the_process() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |found| {
        report(found);
        let thread = thread::current();
        let name = thread.name().unwrap_or("unnamed");
        if name != EDGE_THREAD {
            tracing::error!(thread = name, "a broken invariant ends the process: {found}");
            process::exit(EXIT_PANIC);
        }
    }));
}
