//! The decoded value of a row, and its encoding.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    completion::{CompletionState, Deliveries, Delivery, SignalUse},
    expiry::PromiseName,
    journal::JournalEntry,
    meta::Meta,
    object::Object,
    old_formats::{InvocationV2, InvocationV5},
    outbox::Outgoing,
    promise::Promise,
    shared_result::SharedResult,
    tally::Tally,
};
use crate::{
    model::{
        deployment::StoredDeployment,
        ids::Lsn,
        incident::Incident,
        invocation::{CallRef, Invocation},
        operation::Audited,
        producer::Position,
        registry_change::AuditedChange,
        state_edit::{AuditedEdit, WaitingEdit},
        timer::Timer,
    },
    size,
};

/// A row of any table. The order of the variants is persisted: append only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// No value: an index row, which consists only of its key.
    Unit,
    /// A reference to an invocation.
    Lsn(Lsn),
    /// User state.
    Bytes(Bytes),
    /// See [`Meta`].
    Meta(Box<Meta>),
    /// See [`InvocationV2`]. Never in memory, since decoding converts it to an [`Invocation`].
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
    /// An invocation that waits for a result.
    Waiter(CallRef),
    /// See [`StoredDeployment`].
    Deployment(Box<StoredDeployment>),
    /// See [`Deliveries`]. From here on: format 2.
    Deliveries(Deliveries),
    /// See [`SignalUse`].
    SignalUse(SignalUse),
    /// How many bytes a finished invocation counts for, in addition to its journal.
    Retained(u64),
    /// See [`PromiseName`].
    PromiseName(Box<PromiseName>),
    /// See [`InvocationV5`]. Never in memory either. From here on: format 3.
    InvocationV5(Box<InvocationV5>),
    /// See [`Position`]. From here on: format 4.
    Position(Position),
    /// See [`SharedResult`]. From here on: format 5.
    SharedResult(SharedResult),
    /// See [`Invocation`]. From here on: format 6.
    Invocation(Box<Invocation>),
    /// See [`Incident`].
    Incident(Box<Incident>),
    /// See [`Tally`].
    Tally(Box<Tally>),
    /// See [`Audited`].
    Audited(Box<Audited>),
    /// See [`WaitingEdit`].
    WaitingEdit(Box<WaitingEdit>),
    /// See [`AuditedEdit`].
    AuditedEdit(Box<AuditedEdit>),
    /// See [`AuditedChange`].
    AuditedChange(Box<AuditedChange>),
}

/// Version of the row encoding, and the first byte of every stored value. Rows are read in every
/// format and written in this one. Each format only adds variants to the previous one, at any level
/// of nesting.
pub const ROW_FORMAT: u8 = 6;

/// A stored row could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum RowDecodeError {
    /// The stored value is empty.
    #[error("row is empty")]
    Empty,
    /// Written by a newer version of this software.
    #[error("row format {0} is unknown: this version reads formats 1 to {ROW_FORMAT}")]
    UnknownFormat(u8),
    /// The value does not match its format.
    #[error("row cannot be decoded: {0}")]
    Malformed(#[from] postcard::Error),
}

impl Row {
    /// Encodes the row for a checkpoint, reusing the memory of `into`.
    ///
    /// # Panics
    /// Never panics: every row can be encoded, and the only sink is memory.
    pub fn encode(&self, mut into: Vec<u8>) -> Vec<u8> {
        into.clear();
        into.push(ROW_FORMAT);
        #[expect(
            clippy::expect_used,
            reason = "writing to a Vec cannot fail, and no row contains a map or a float"
        )]
        postcard::to_extend(self, into).expect("a row can be encoded")
    }

    /// Decodes stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RowDecodeError> {
        let (&format, row) = bytes.split_first().ok_or(RowDecodeError::Empty)?;
        if !(1..=ROW_FORMAT).contains(&format) {
            return Err(RowDecodeError::UnknownFormat(format));
        }
        Ok(Self::thaw(postcard::from_bytes(row)?))
    }

    /// Converts rows of older formats to their current type.
    fn thaw(self) -> Self {
        match self {
            Self::InvocationV2(old) => Self::Invocation(Box::new(InvocationV5::from(*old).into())),
            Self::InvocationV5(old) => Self::Invocation(Box::new((*old).into())),
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
            | Self::Position(_)
            | Self::SharedResult(_)
            | Self::Incident(_)
            | Self::Tally(_)
            | Self::Audited(_)
            | Self::WaitingEdit(_)
            | Self::AuditedEdit(_)
            | Self::AuditedChange(_)) => row,
        }
    }

    /// Estimate of the row's heap memory, in bytes.
    pub fn payload_bytes(&self) -> usize {
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
            Self::Tally(tally) => size_of_val(&**tally),
            Self::Bytes(bytes) => bytes.len(),
            Self::Journal(entry) => entry.entry.body.len(),
            Self::Invocation(invocation) => {
                let result = invocation.status.completion().map(|it| size::of_result(&it.result));
                let failure = invocation.last_failure.as_deref().map(size::of_attempt_failure);
                let pause = invocation.pause.as_deref().and_then(|it| it.operator.as_ref());
                let pause = pause.map(size::of_operator);
                600 + result.unwrap_or(0) + failure.unwrap_or(0) + pause.unwrap_or(0)
            }
            Self::InvocationV2(_) | Self::InvocationV5(_) => 600,
            Self::Incident(incident) => {
                usize::try_from(size::of_incident(incident)).unwrap_or(usize::MAX)
            }
            Self::Audited(audited) => {
                let target = audited.target.as_ref().map_or(0, |target| target.key.len());
                200 + target + size::of_operator(&audited.operator)
            }
            Self::WaitingEdit(waiting) => {
                200 + size::of_operator(&waiting.operator) + size::of_state_edit(&waiting.edit)
            }
            Self::AuditedEdit(audited) => 300 + size::of_audited_edit(audited),
            Self::AuditedChange(audited) => 300 + size::of_audited_change(audited),
            Self::Promise(promise) => match &**promise {
                Promise::Completed(result) => 200 + size::of_result(result),
                Promise::Pending(waiting) => 200 + size_of_val(&waiting[..]),
            },
            Self::Meta(_) | Self::PromiseName(_) => 200,
            Self::Outgoing(outgoing) => 1000 + size::of_message(&outgoing.message),
            Self::Deployment(_) => 4000,
            Self::SharedResult(SharedResult::OfInvocation) => 1,
            Self::SharedResult(SharedResult::Here(result)) => 1 + size::of_notification(result),
        }
    }
}

/// Unwraps the row of the expected kind from `$row`.
///
/// # Panics
/// Panics if the row is of another kind. Only this crate writes rows, so that would be a bug.
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
