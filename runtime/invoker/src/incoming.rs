//! Memory for a message that an SDK is sending: it is read when there is some, and what is not read waits
//! at the other end. What is there in one piece needs none.

use runtime_core::attempt::Fault;
use runtime_partition::budget::{Held, Pool, Share};
use tokio::time::{self, Duration, Instant};

/// Messages up to this size are not counted: the buffers of an attempt that has said nothing take more.
const SMALL_BYTES: usize = 4 << 10;

/// A message that has its memory must be there within this time; others wait for it.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// The memory of one attempt's next message.
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

/// A message that has its memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Awaited {
    bytes: usize,
    until: Instant,
}

impl Incoming {
    /// How much memory has to be waited for before more is read of a message with so many bytes; what a
    /// message that is whole had is given back.
    pub(crate) fn wanted(&mut self, expected: Option<usize>) -> Option<usize> {
        let expected = expected.filter(|bytes| *bytes > SMALL_BYTES);
        if self.held.as_ref().map(|message| message.bytes) == expected {
            return None;
        }
        // Whoever waits has nothing that others wait for.
        self.held = None;
        expected
    }

    /// Waits for it; attempts of a pool do so for each other first of all.
    pub(crate) async fn take(&mut self, share: &Share, pool: Pool, bytes: usize) {
        let held = share.take_for(pool, bytes).await;
        self.held = Some(Message { _held: held, bytes, until: Instant::now() + MESSAGE_TIMEOUT });
    }

    /// What has its memory and is not there yet.
    pub(crate) fn awaited(&self) -> Option<Awaited> {
        let Message { bytes, until, .. } = self.held.as_ref()?;
        Some(Awaited { bytes: *bytes, until: *until })
    }
}

/// Done when a message that has its memory did not come in time; what is wrong then.
pub(crate) async fn late(awaited: Option<Awaited>) -> Fault {
    let Some(Awaited { bytes, until }) = awaited else { return std::future::pending().await };
    time::sleep_until(until).await;
    let message =
        format!("a message of {bytes} bytes did not come within {} s", MESSAGE_TIMEOUT.as_secs());
    Fault::Transport { message }
}
