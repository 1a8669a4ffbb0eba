//! Kafka ingress: records of subscribed topics become invocations. So far this crate contains only
//! its contract.
//!
//! This crate will know about records and offsets, but not about the runtime: it hands
//! [`IncomingRecord`]s to a [`Sink`] that the server implements. Effectively-once delivery comes
//! from the sink, which stores the offset of the topic partition along with each record.

use bytes::Bytes;

/// A record of a topic, to be delivered to a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingRecord {
    /// The subscription it belongs to.
    pub subscription: String,
    /// The topic partition it was read from.
    pub partition: i32,
    /// Its offset in that partition.
    pub offset: i64,
    /// The record's key, which is the key of the object or workflow.
    pub key: Option<Bytes>,
    /// The record's value, which is the handler's input.
    pub value: Bytes,
    /// The record's headers, as names and values.
    pub headers: Vec<(String, Bytes)>,
}

/// The node is stopping and accepts no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// Accepts records; implemented by the server.
pub trait Sink: Send + Sync {
    /// Hands over a record, which is durable once the future resolves. A record that was handed
    /// over before is recognised by its offset.
    fn accept(&self, record: IncomingRecord) -> impl Future<Output = Result<(), Stopped>> + Send;
}
