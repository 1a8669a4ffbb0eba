//! The body of a request while it is being sent. Bytes that the connection can't take yet wait
//! here, so that their amount is known and none are left behind on a connection when the attempt is
//! over.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use crate::unsent::Load;

/// How much of the body goes out in one write with the head: within HTTP/2's initial window of 64
/// KiB, which a stream may use before the server has sent anything, and still little if it is never
/// read.
const AT_ONCE_BYTES_MAX: usize = 32 << 10;

pub(crate) struct Outgoing {
    waiting: VecDeque<Bytes>,
    /// Whether the body ends after `waiting`.
    is_over: bool,
    to: To,
    /// The attempt's journal and state, as far as they still count as waiting.
    load: Option<Load>,
}

/// Where the body is sent.
enum To {
    /// Not connected yet.
    Nowhere,
    /// On a stream of a connection we manage ourselves.
    Direct(SendStream<Bytes>),
    /// Through the pooling client.
    Pooled(mpsc::UnboundedSender<Bytes>),
    /// The body has ended; nothing more is sent.
    Ended(Option<SendStream<Bytes>>),
}

/// The body of a request through the pooling client. It queues whatever is sent while it is open,
/// which is bounded by what the attempt was started with and has requested.
pub(crate) struct PooledBody {
    pieces: mpsc::UnboundedReceiver<Bytes>,
    load: Option<Load>,
}

impl Outgoing {
    pub(crate) fn new(load: Option<Load>) -> Self {
        Self { waiting: VecDeque::new(), is_over: false, to: To::Nowhere, load }
    }

    /// Sends a piece, unless the body has ended. A broken connection is detected where the response
    /// is read.
    pub(crate) fn send(&mut self, bytes: Bytes) {
        if !self.is_over {
            self.waiting.push_back(bytes);
            self.push();
        }
    }

    /// Ends the body after everything sent so far.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
        self.push();
    }

    /// Attaches a stream. The start of what is waiting is handed over immediately: a stream has no
    /// window until its head has been written, and waiting for one would cost a round trip.
    pub(crate) fn go_direct(&mut self, mut stream: SendStream<Bytes>) {
        let mut left = AT_ONCE_BYTES_MAX;
        while let Some(bytes) = self.waiting.pop_front_if(|bytes| bytes.len() <= left) {
            left -= bytes.len();
            if let Some(load) = &mut self.load {
                load.sent(bytes.len());
            }
            let _ = stream.send_data(bytes, false);
        }
        self.to = To::Direct(stream);
        self.push();
    }

    /// Sends through the pooling client; returns the body to pass to it.
    pub(crate) fn go_pooled(&mut self) -> PooledBody {
        let (sender, pieces) = mpsc::unbounded_channel();
        self.to = To::Pooled(sender);
        // Taken before the pieces are handed over, since it counts until they are written.
        let load = self.load.take();
        self.push();
        PooledBody { pieces, load }
    }

    /// Continues sending if the window allows it; otherwise wakes `cx` once it does.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        while let To::Direct(stream) = &mut self.to
            && !self.waiting.is_empty()
        {
            match stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => self.push(),
                Poll::Ready(Some(Err(_)) | None) => {
                    // The server takes no more of it, which is legitimate: its response may be
                    // complete.
                    self.waiting.clear();
                    self.load = None;
                    return;
                }
                Poll::Pending => return,
            }
        }
    }

    /// Hands over as much as possible.
    fn push(&mut self) {
        match &mut self.to {
            To::Nowhere | To::Ended(_) => return,
            To::Pooled(sender) => {
                self.waiting.drain(..).for_each(|bytes| _ = sender.send(bytes));
            }
            To::Direct(stream) => {
                while let Some(mut bytes) = self.waiting.pop_front() {
                    stream.reserve_capacity(bytes.len());
                    let piece = bytes.split_to(stream.capacity().min(bytes.len()));
                    if let Some(load) = &mut self.load {
                        load.sent(piece.len());
                    }
                    if !piece.is_empty() {
                        let _ = stream.send_data(piece, false);
                    }
                    if !bytes.is_empty() {
                        self.waiting.push_front(bytes);
                        break;
                    }
                }
            }
        }
        if self.waiting.is_empty() {
            self.load = None;
            if self.is_over {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        self.to = match std::mem::replace(&mut self.to, To::Ended(None)) {
            To::Direct(mut stream) => {
                let _ = stream.send_data(Bytes::new(), true);
                To::Ended(Some(stream))
            }
            To::Nowhere | To::Pooled(_) | To::Ended(_) => To::Ended(None),
        };
    }
}

/// Bytes that keep `guard` for as long as any part of them is in memory.
pub(crate) fn guarded<G: Send + 'static>(bytes: Bytes, guard: G) -> Bytes {
    struct Guarded<G>(Bytes, G);
    impl<G> AsRef<[u8]> for Guarded<G> {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Guarded(bytes, guard))
}

impl Drop for Outgoing {
    /// An endpoint may respond before it has read its request. The unread part would otherwise hold
    /// a stream slot on the connection forever; resetting a stream that has ended has no effect.
    fn drop(&mut self) {
        if let To::Direct(stream) | To::Ended(Some(stream)) = &mut self.to {
            stream.send_reset(Reason::CANCEL);
        }
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(bytes) = ready!(self.pieces.poll_recv(cx)) else { return Poll::Ready(None) };
        let bytes = match &mut self.load {
            // The client queues what the connection can't take yet.
            Some(load) => {
                let load = load.take(bytes.len());
                guarded(bytes, load)
            }
            None => bytes,
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_closed() && self.pieces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use http::Request;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// A connection whose server never sends anything; records what is written.
    struct Recorder(Arc<Mutex<Vec<u8>>>);

    impl AsyncRead for Recorder {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Recorder {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// What one poll of the connection writes of a request with these pieces.
    fn written_at_once(pieces: &[&'static [u8]]) -> Vec<u8> {
        let written = Arc::default();
        let mut cx = Context::from_waker(Waker::noop());
        let handshake = h2::client::handshake(Recorder(Arc::clone(&written)));
        let Poll::Ready(Ok((mut sender, connection))) = pin!(handshake).poll(&mut cx) else {
            panic!("a client waits for nobody to begin");
        };
        let mut connection = pin!(connection);
        assert!(connection.as_mut().poll(&mut cx).is_pending());
        written.lock().unwrap().clear();
        let request = Request::post("http://endpoint/invoke/S/h").body(()).unwrap();
        let (_response, stream) = sender.send_request(request, false).unwrap();
        let mut outgoing = Outgoing::new(None);
        pieces.iter().for_each(|piece| outgoing.send(Bytes::from_static(piece)));
        outgoing.go_direct(stream);
        assert!(connection.as_mut().poll(&mut cx).is_pending());
        written.lock().unwrap().clone()
    }

    #[test]
    fn bytes_are_counted_until_all_of_them_are_gone() {
        let guard = Arc::new(());
        let mut bytes = guarded(Bytes::from_static(b"journal"), Arc::clone(&guard));
        let first = bytes.split_to(3);
        drop(bytes);
        assert_eq!((Arc::strong_count(&guard), &first[..]), (2, &b"jou"[..]));
        drop(first);
        assert_eq!(Arc::strong_count(&guard), 1);
    }

    #[test]
    fn the_beginning_of_a_journal_goes_with_the_head() {
        let bytes = written_at_once(&[b"start", b"input"]);
        assert!(bytes.windows(5).any(|window| window == b"start"));
        assert!(bytes.windows(5).any(|window| window == b"input"));
        const LARGE: &[u8] = &[7; AT_ONCE_BYTES_MAX];
        let bytes = written_at_once(&[b"start", LARGE]);
        assert!(bytes.windows(5).any(|window| window == b"start"));
        assert!(bytes.len() < AT_ONCE_BYTES_MAX, "the rest waits for its window");
    }
}
