//! Memory for a message that an SDK is sending: more of it is read once memory is available, and
//! the rest waits at the sender. A message that has arrived whole needs none.

use runtime_core::attempt::Fault;
use runtime_partition::budget::{Held, Pool, Share};
use tokio::time::{self, Duration, Instant};

/// Messages up to this size are not counted: the buffers of an idle attempt take more.
const SMALL_BYTES: usize = 4 << 10;

/// How long a message that has been granted memory may take to arrive; others are waiting for the
/// memory.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// The memory for an attempt's next message.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    held: Option<Message>,
}

#[derive(Debug)]
struct Message {
    _held: Held,
    bytes: usize,
    until: Instant,
}

/// A message that has been granted memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Awaited {
    bytes: usize,
    until: Instant,
}

impl Incoming {
    /// Returns how much memory to wait for before reading more of a message of `expected` bytes.
    /// Releases the memory of a message that is complete.
    pub(crate) fn wanted(&mut self, expected: Option<usize>) -> Option<usize> {
        let expected = expected.filter(|bytes| *bytes > SMALL_BYTES);
        if self.held.as_ref().map(|message| message.bytes) == expected {
            return None;
        }
        // A waiting attempt must not hold memory that others are waiting for.
        self.held = None;
        expected
    }

    /// Waits for the memory; the attempts of a pool primarily compete with each other.
    pub(crate) async fn take(&mut self, share: &Share, pool: Pool, bytes: usize) {
        let held = share.take_for(pool, bytes).await;
        self.held = Some(Message { _held: held, bytes, until: Instant::now() + MESSAGE_TIMEOUT });
    }

    /// The message that has been granted memory but has not arrived yet, if any.
    pub(crate) fn awaited(&self) -> Option<Awaited> {
        let Message { bytes, until, .. } = self.held.as_ref()?;
        Some(Awaited { bytes: *bytes, until: *until })
    }
}

/// Resolves with the fault when a message that has been granted memory fails to arrive in time.
pub(crate) async fn late(awaited: Option<Awaited>) -> Fault {
    let Some(Awaited { bytes, until }) = awaited else { return std::future::pending().await };
    time::sleep_until(until).await;
    let message =
        format!("a message of {bytes} bytes did not arrive within {} s", MESSAGE_TIMEOUT.as_secs());
    Fault::Transport { message }
}
