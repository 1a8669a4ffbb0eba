//! Bounds what a client may send before it has sent a whole message.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::shared_bytes::{SharedBytes, Taken};

/// Largest message of a client, in bytes: room for a long query and its parameters.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// What every connection may send without a share of what all of them may.
const FREE_BYTES: usize = 16 << 10;
/// What all connections together may have sent of larger messages, in bytes.
const LARGE_BYTES_MAX: usize = 16 << 20;

/// Memory for the large messages of all connections.
pub(super) fn large_messages() -> SharedBytes {
    SharedBytes::new(LARGE_BYTES_MAX)
}

/// A connection whose reader fails once too much has been read since the last
/// [`Bounded::message_begins`].
pub(super) struct Bounded<S> {
    inner: S,
    read_bytes: usize,
    large: Taken,
}

impl<S> Bounded<S> {
    pub(super) fn new(inner: S, large_messages: &SharedBytes) -> Self {
        Self { inner, read_bytes: 0, large: large_messages.take() }
    }

    /// Starts counting again: the last message has been dealt with.
    pub(super) fn message_begins(&mut self) {
        self.read_bytes = 0;
        self.large.resize(0);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read_bytes > MESSAGE_BYTES_MAX {
            let what = format!("a message may have up to {MESSAGE_BYTES_MAX} bytes");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.read_bytes += buffer.filled().len() - before;
        let large_bytes = self.read_bytes.saturating_sub(FREE_BYTES);
        if !self.large.resize(large_bytes) {
            let what = "clients send too many large messages at once; try again";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::OutOfMemory, what)));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
