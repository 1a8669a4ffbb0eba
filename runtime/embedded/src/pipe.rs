//! The body of a request that is still being written.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

/// Both ends of the body. The writer polls the reader afterwards, so no waker is needed.
#[derive(Debug, Clone, Default)]
pub struct Pipe(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    is_closed: bool,
}

impl Pipe {
    /// Appends a chunk for the reader.
    pub fn write(&self, chunk: Bytes) {
        self.lock().chunks.push_back(chunk);
    }

    /// Ends the body after the chunks written so far.
    pub fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Whether there are chunks that have not been read.
    pub fn is_fresh(&self) -> bool {
        let state = self.lock();
        !state.chunks.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for Pipe {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut state = self.lock();
        match state.chunks.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None if state.is_closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
