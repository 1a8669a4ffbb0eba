//! Ordered key encoding: a table's number, then parts whose bytes sort as their values do.

use smallvec::SmallVec;

use crate::model::ids::Lsn;

/// A row's key. Most fit without an allocation.
pub type Key = SmallVec<[u8; 40]>;

/// Persisted: the first byte of every key. Never reused, never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Table {
    /// One row: what the partition as a whole knows.
    Meta = 1,
    /// By lsn of creation: everything about one invocation but its journal.
    Invocation = 2,
    /// By invocation id: its lsn of creation.
    InvocationId = 3,
    /// By invocation and index: the journal.
    Journal = 4,
    /// By invocation and completion id: pending or where its answer stands.
    Completion = 5,
    /// By invocation and signal: where its last delivery stands.
    Signal = 6,
    /// By service, key and state key: user state.
    State = 7,
    /// By service and key: the lock of a virtual object.
    Object = 8,
    /// By service, key and lsn: who waits for the lock.
    Inbox = 9,
    /// By time: what happens then.
    Timer = 10,
    /// By workflow, key and name: durable promises.
    Promise = 11,
    /// By receiver and sequence: messages not yet acknowledged.
    Outbox = 12,
    /// By invocation and lsn: who else waits for its result.
    Waiter = 13,
    /// By status and invocation.
    IndexStatus = 14,
    /// By service, key and invocation.
    IndexTarget = 15,
    /// By deployment and invocation.
    IndexDeployment = 16,
    /// By time: finished invocations to remove.
    Expiry = 17,
    /// By deployment id: the registry.
    Deployment = 18,
    /// By what goes and when it ended: finished invocations that may be removed before their time.
    Early = 19,
    /// By name: how far producers are.
    Producer = 20,
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
    /// A fixed-width number.
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// A fixed-width number.
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A fixed-width number.
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A fixed-width number.
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A fixed-width number.
    pub fn u128(mut self, value: u128) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A fixed-width log position.
    pub fn lsn(self, lsn: Lsn) -> Self {
        self.u64(lsn.0)
    }

    /// Bytes of any length, followed by more parts: 0 is written as 0 255, and 0 1 ends them, so
    /// that a value sorts before its own extensions and no value is another's prefix.
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

    /// Bytes of any length as the last part, as they are.
    pub fn tail(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// The key.
    pub fn done(self) -> Key {
        self.0
    }
}

/// Reads a key back part by part. `None` when it is too short: a key of another form.
#[derive(Debug)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Starts behind the table's number.
    pub fn new(key: &'a [u8]) -> Self {
        Self(key.get(1..).unwrap_or_default())
    }

    /// A fixed-width number.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// A fixed-width number.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A fixed-width number.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A fixed-width number.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A fixed-width number.
    pub fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_be_bytes)
    }

    /// A fixed-width log position.
    pub fn lsn(&mut self) -> Option<Lsn> {
        self.u64().map(Lsn)
    }

    /// Bytes that more parts follow.
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

    /// The same as text.
    pub fn text(&mut self) -> Option<String> {
        self.bytes().and_then(|value| String::from_utf8(value).ok())
    }

    /// All that is left.
    pub fn tail(self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
}
