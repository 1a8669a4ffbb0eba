//! Kafka in: records of subscribed topics become invocations. This room is empty but for its
//! contract.
//!
//! This crate will know records and offsets, and not the runtime: it hands [`IncomingRecord`]s to a
//! [`Sink`] that the server implements. Exactly once in effect comes from the sink, which remembers
//! with each record where its partition of the topic stands.

use bytes::Bytes;

/// A record of a topic, on its way to a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingRecord {
    /// Which subscription it came in by.
    pub subscription: String,
    /// Partition of the topic.
    pub partition: i32,
    /// Its place in that partition.
    pub offset: i64,
    /// Its key, as bytes: the key of the object or workflow.
    pub key: Option<Bytes>,
    /// Its value: the handler's input.
    pub value: Bytes,
    /// Its headers.
    pub headers: Vec<(String, Bytes)>,
}

/// The node cannot take records now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// Takes records; implemented by the server.
pub trait Sink: Send + Sync {
    /// Hands a record over. It is durable when the future resolves; one that was handed over before
    /// is recognised by its offset.
    fn accept(&self, record: IncomingRecord) -> impl Future<Output = Result<(), Stopped>> + Send;
}
