//! Ordered key encoding: a table's number, then parts whose bytes sort in the order of their
//! values.

use smallvec::SmallVec;

use crate::model::ids::Lsn;

/// A row's key. Most fit without an allocation.
pub type Key = SmallVec<[u8; 40]>;

/// Persisted: the first byte of every key. Never reused, never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Table {
    /// One row: facts about the whole partition.
    Meta = 1,
    /// By LSN of creation: everything about one invocation except its journal.
    Invocation = 2,
    /// By invocation id: its LSN of creation.
    InvocationId = 3,
    /// By invocation and index: the journal.
    Journal = 4,
    /// By invocation and completion id: pending, or the position of its answer.
    Completion = 5,
    /// By invocation and signal: the positions of its latest deliveries.
    Signal = 6,
    /// By service, key and state key: user state.
    State = 7,
    /// By service and key: the lock of a virtual object.
    Object = 8,
    /// By service, key and LSN: invocations waiting for the lock.
    Inbox = 9,
    /// By time: timers.
    Timer = 10,
    /// By workflow, key and name: durable promises.
    Promise = 11,
    /// By receiver and sequence number: messages not yet acknowledged.
    Outbox = 12,
    /// By invocation, waiting invocation and completion: waiters for its result, other than its
    /// caller.
    Waiter = 13,
    /// By status and invocation.
    IndexStatus = 14,
    /// By service, key and invocation.
    IndexTarget = 15,
    /// By deployment and invocation.
    IndexDeployment = 16,
    /// By time: finished invocations, journals and promises to remove.
    Expiry = 17,
    /// By deployment id: the registry.
    Deployment = 18,
    /// By what to remove and time of completion: finished invocations that may be removed early.
    Early = 19,
    /// By name: the progress of producers.
    Producer = 20,
    /// By the LSN that their waiter rows begin with: results that are still being passed on.
    SharedResult = 21,
    /// By invocation and number: what happened to it beside its journal.
    Incident = 22,
    /// By service: how many invocations are in each status.
    Tally = 23,
    /// By number: what operators have asked for.
    Audit = 24,
    /// By service, key and LSN: edits of state that wait until nobody holds the key.
    WaitingEdit = 25,
    /// By deployment and service: how many of the invocations pinned to it are in each status.
    PinnedTally = 26,
}

/// Builds a key part by part.
#[derive(Debug)]
pub struct KeyBuilder(Key);

impl Table {
    /// Starts a key of this table.
    pub fn key(self) -> KeyBuilder {
        let mut key = Key::new();
        key.push(self as u8);
        KeyBuilder(key)
    }
}

impl KeyBuilder {
    /// Appends a fixed-width number.
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Appends a fixed-width number, big-endian.
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a fixed-width number, big-endian.
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a fixed-width number, big-endian.
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a fixed-width number, big-endian.
    pub fn u128(mut self, value: u128) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a fixed-width LSN.
    pub fn lsn(self, lsn: Lsn) -> Self {
        self.u64(lsn.0)
    }

    /// Appends bytes of any length that more parts follow. 0 is escaped as 0 255, and 0 1
    /// terminates the value, so that a value sorts before its own extensions and no encoded value
    /// is a prefix of another.
    pub fn bytes(mut self, value: &[u8]) -> Self {
        for &byte in value {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(255);
            }
        }
        self.0.extend_from_slice(&[0, 1]);
        self
    }

    /// Appends bytes of any length as the last part, without escaping.
    pub fn tail(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// Returns the finished key.
    pub fn done(self) -> Key {
        self.0
    }
}

/// Reads a key back part by part. Each part is `None` if the key is too short, and so not of the
/// expected form.
#[derive(Debug)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Starts after the table's number.
    pub fn new(key: &'a [u8]) -> Self {
        Self(key.get(1..).unwrap_or_default())
    }

    /// Reads a fixed-width number.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// Reads a fixed-width number.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads a fixed-width number.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads a fixed-width number.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a fixed-width number.
    pub fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_be_bytes)
    }

    /// Reads a fixed-width LSN.
    pub fn lsn(&mut self) -> Option<Lsn> {
        self.u64().map(Lsn)
    }

    /// Reads and unescapes bytes that more parts follow.
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            if byte == 0 {
                let (&next, rest) = self.0.split_first()?;
                self.0 = rest;
                if next == 1 {
                    return Some(value);
                }
            }
            value.push(byte);
        }
    }

    /// Like [`Self::bytes`], as UTF-8 text.
    pub fn text(&mut self) -> Option<String> {
        self.bytes().and_then(|value| String::from_utf8(value).ok())
    }

    /// Returns everything that has not been read.
    pub fn tail(self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
}
