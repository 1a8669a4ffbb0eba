//! The value of a row, decoded, and its one encoding.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    completion::{CompletionState, Deliveries, Delivery, SignalUse},
    expiry::PromiseName,
    frozen::InvocationV2,
    journal::JournalEntry,
    meta::Meta,
    object::Object,
    outbox::Outgoing,
    promise::Promise,
};
use crate::{
    model::{
        deployment::StoredDeployment,
        ids::Lsn,
        invocation::{CallRef, Invocation},
        producer::Position,
        timer::Timer,
    },
    size,
};

/// One row of any table. The order of the variants is persisted: only append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// A row whose key says it all: an index.
    Unit,
    /// A reference to an invocation.
    Lsn(Lsn),
    /// User state.
    Bytes(Bytes),
    /// See [`Meta`].
    Meta(Box<Meta>),
    /// See [`InvocationV2`]: never in memory, since it is read as an [`Invocation`].
    InvocationV2(Box<InvocationV2>),
    /// See [`JournalEntry`].
    Journal(JournalEntry),
    /// See [`CompletionState`].
    Completion(CompletionState),
    /// See [`Delivery`].
    Delivery(Delivery),
    /// See [`Object`].
    Object(Object),
    /// See [`Timer`].
    Timer(Timer),
    /// See [`Promise`].
    Promise(Box<Promise>),
    /// See [`Outgoing`].
    Outgoing(Box<Outgoing>),
    /// Somebody who waits for a result.
    Waiter(CallRef),
    /// See [`StoredDeployment`].
    Deployment(Box<StoredDeployment>),
    /// See [`Deliveries`]. From here on: format 2.
    Deliveries(Deliveries),
    /// See [`SignalUse`].
    SignalUse(SignalUse),
    /// How many bytes a finished invocation counts for beside its journal.
    Retained(u64),
    /// See [`PromiseName`].
    PromiseName(Box<PromiseName>),
    /// See [`Invocation`]. From here on: format 3.
    Invocation(Box<Invocation>),
    /// See [`Position`]. From here on: format 4.
    Position(Position),
}

/// Version of the encoding of rows, the first byte of every stored value. Rows are read in every
/// format and written in this one. Each has more variants than the one before, at any depth.
pub const ROW_FORMAT: u8 = 4;

/// A stored row could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum RowDecodeError {
    /// Nothing there at all.
    #[error("row is empty")]
    Empty,
    /// Written by a newer version of this software.
    #[error("row format is {0}, which this version cannot read: it knows 1 to {ROW_FORMAT}")]
    UnknownFormat(u8),
    /// Not what this format looks like.
    #[error("row cannot be decoded: {0}")]
    Malformed(#[from] postcard::Error),
}

impl Row {
    /// The bytes that a checkpoint stores.
    ///
    /// # Panics
    /// Never: every row can be encoded, and memory is the only sink.
    pub fn encode(&self, mut into: Vec<u8>) -> Vec<u8> {
        into.clear();
        into.push(ROW_FORMAT);
        #[expect(clippy::expect_used, reason = "a Vec takes all, and no row has a map or a float")]
        postcard::to_extend(self, into).expect("a row can be encoded")
    }

    /// Reads stored bytes back.
    pub fn decode(bytes: &[u8]) -> Result<Self, RowDecodeError> {
        let (&format, row) = bytes.split_first().ok_or(RowDecodeError::Empty)?;
        if !(1..=ROW_FORMAT).contains(&format) {
            return Err(RowDecodeError::UnknownFormat(format));
        }
        Ok(Self::thaw(postcard::from_bytes(row)?))
    }

    /// What older formats wrote, as it is today.
    fn thaw(self) -> Self {
        match self {
            Self::InvocationV2(old) => Self::Invocation(Box::new((*old).into())),
            row @ (Self::Unit
            | Self::Lsn(_)
            | Self::Bytes(_)
            | Self::Meta(_)
            | Self::Journal(_)
            | Self::Completion(_)
            | Self::Delivery(_)
            | Self::Object(_)
            | Self::Timer(_)
            | Self::Promise(_)
            | Self::Outgoing(_)
            | Self::Waiter(_)
            | Self::Deployment(_)
            | Self::Deliveries(_)
            | Self::SignalUse(_)
            | Self::Retained(_)
            | Self::PromiseName(_)
            | Self::Invocation(_)
            | Self::Position(_)) => row,
        }
    }

    /// Estimate of the heap bytes behind the row.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Self::Unit
            | Self::Lsn(_)
            | Self::Completion(_)
            | Self::Delivery(_)
            | Self::Deliveries(_)
            | Self::SignalUse(_)
            | Self::Retained(_)
            | Self::Object(_)
            | Self::Waiter(_)
            | Self::Position(_)
            | Self::Timer(_) => 0,
            Self::Bytes(bytes) => bytes.len(),
            Self::Journal(entry) => entry.entry.body.len(),
            Self::Invocation(invocation) => {
                let result = invocation.status.completion().map(|it| size::of_result(&it.result));
                let failure = invocation.last_failure.as_deref().map(size::of_attempt_failure);
                600 + result.unwrap_or(0) + failure.unwrap_or(0)
            }
            Self::InvocationV2(_) => 600,
            Self::Promise(promise) => match &**promise {
                Promise::Completed(result) => 200 + size::of_result(result),
                Promise::Pending(waiting) => 200 + size_of_val(&waiting[..]),
            },
            Self::Meta(_) | Self::PromiseName(_) => 200,
            Self::Outgoing(outgoing) => 1000 + size::of_message(&outgoing.message),
            Self::Deployment(_) => 4000,
        }
    }
}

/// Takes the row of the expected kind out of `$row`.
///
/// # Panics
/// When the row is of another kind: the rows are this crate's own, so it is a bug.
macro_rules! expect_row {
    ($row:expr, $kind:ident) => {
        match $row {
            $crate::tables::Row::$kind(row) => row,
            #[allow(clippy::wildcard_enum_match_arm, reason = "all other kinds are equally wrong")]
            other => panic!(concat!("expected a ", stringify!($kind), " row, found {:?}"), other),
        }
    };
}
pub(crate) use expect_row;
