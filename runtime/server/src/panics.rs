//! What a panic ends: a request or an attempt at an edge, the whole process anywhere else.
//!
//! A partition, the log and the checkpoints can't go on without each other, and the log has all that
//! was acknowledged: a restart is the way to a good state, and whoever supervises the process can
//! only know of it by its end.

use std::panic;
use std::process;
use std::thread;

/// Name of the threads whose panics end only what they were doing.
pub(crate) const EDGE_THREAD: &str = "edge";

/// Exit code after a broken invariant, apart from 1, which says that a start or a disk failed: the
/// one that Rust's own runtime uses.
const EXIT_PANIC: i32 = 101;

/// From now on, a panic on any thread but an edge's ends the process, after it has been reported.
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
