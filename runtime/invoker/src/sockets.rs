//! Limits the number of connections to endpoints: each takes a file descriptor, and the log, the
//! tables and clients need descriptors too.
//!
//! A host leaves some for others, by the same rule as for memory ([`leaves_enough`]).

use std::collections::HashMap;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use runtime_partition::budget::leaves_enough;
use tokio::{sync::Notify, time};
use tower::Service;

/// How often hosts are asked again to close connections that they don't need.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The connection permits for all endpoints. Cheap to clone; clones share the permits.
#[derive(Debug, Clone)]
pub(crate) struct Sockets(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: usize,
    taken: Mutex<Taken>,
    given_back: Notify,
    /// Notified when a host needs a permit: idle connections are closed in response.
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    hosts: HashMap<String, usize>,
}

/// Permission to hold one connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    sockets: Sockets,
    host: String,
}

/// No connection permit is available.
#[derive(Debug, thiserror::Error)]
#[error(
    "no connection is available: {all} of {max} connections to endpoints are in use, {of_host} of them by this host; raise the \
     limit on open files (ulimit -n), or enable HTTP/2 on the endpoint"
)]
pub(crate) struct NoSocket {
    max: usize,
    all: usize,
    of_host: usize,
}

impl Sockets {
    pub(crate) fn new(max: usize) -> Self {
        let taken = Mutex::default();
        Self(Arc::new(Shared {
            max: max.max(1),
            taken,
            given_back: Notify::new(),
            wanted: Notify::new(),
        }))
    }

    /// Takes a permit for a host, waiting up to `patience` for one.
    ///
    /// # Errors
    /// Returns an error if none became available in time.
    pub(crate) async fn take(&self, uri: &Uri, patience: Duration) -> Result<Socket, NoSocket> {
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let taking = async {
            loop {
                let mut given_back = pin!(self.0.given_back.notified());
                given_back.as_mut().enable();
                if let Some(socket) = self.try_take(&host) {
                    return socket;
                }
                self.0.wanted.notify_waiters();
                // Connections that missed the notification are asked again.
                let _ = time::timeout(ASK_AGAIN, given_back).await;
            }
        };
        time::timeout(patience, taking).await.map_err(|_| self.refusal(&host))
    }

    fn try_take(&self, host: &str) -> Option<Socket> {
        let mut taken = self.taken();
        let of_host = taken.hosts.get(host).copied().unwrap_or_default();
        let left = self.0.max.checked_sub(taken.all + 1)?;
        if !leaves_enough(of_host, 1, left) {
            return None;
        }
        taken.all += 1;
        *taken.hosts.entry(host.to_owned()).or_default() += 1;
        Some(Socket { sockets: self.clone(), host: host.to_owned() })
    }

    fn refusal(&self, host: &str) -> NoSocket {
        let taken = self.taken();
        let of_host = taken.hosts.get(host).copied().unwrap_or_default();
        NoSocket { max: self.0.max, all: taken.all, of_host }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Socket {
    /// Resolves when another connection needs a permit.
    pub(crate) async fn wanted(&self) {
        self.sockets.0.wanted.notified().await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut taken = self.sockets.taken();
        let Some(of_host) = taken.hosts.get_mut(&self.host) else {
            panic!("released a connection permit for {} that was never taken", self.host)
        };
        *of_host -= 1;
        if *of_host == 0 {
            taken.hosts.remove(&self.host);
        }
        taken.all -= 1;
        drop(taken);
        self.sockets.0.given_back.notify_waiters();
    }
}

/// Makes connections like `inner`, within the limit.
#[derive(Debug, Clone)]
pub(crate) struct Counting<C> {
    inner: C,
    sockets: Sockets,
    patience: Duration,
}

impl<C> Counting<C> {
    pub(crate) fn new(inner: C, sockets: Sockets, patience: Duration) -> Self {
        Self { inner, sockets, patience }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<Counted<T>, BoxError>> + Send>>;

impl<C> Service<Uri> for Counting<C>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
{
    type Response = Counted<C::Response>;
    type Error = BoxError;
    type Future = Connecting<C::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { inner, sockets, patience } = self.clone();
        // `poll_ready` was called on the original, so that is the one to call.
        let mut inner = std::mem::replace(&mut self.inner, inner);
        Box::pin(async move {
            let socket = sockets.take(&uri, patience).await?;
            let stream = inner.call(uri).await.map_err(Into::into)?;
            Ok(Counted { stream, _socket: socket })
        })
    }
}

/// A connection that holds a permit for as long as it lives.
pub(crate) struct Counted<T> {
    stream: T,
    _socket: Socket,
}

impl<T> fmt::Debug for Counted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

impl<T: Connection> Connection for Counted<T> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<T: Read + Unpin> Read for Counted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for Counted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_leaves_connections_for_others_and_waits_for_its_own() {
        let sockets = Sockets::new(10);
        let (greedy, other) = (Uri::from_static("http://a:1"), Uri::from_static("http://b:1"));
        let mut taken = Vec::new();
        let refused = loop {
            match sockets.take(&greedy, Duration::ZERO).await {
                Ok(socket) => taken.push(socket),
                Err(refused) => break refused,
            }
        };
        assert_eq!(taken.len(), 8);
        assert!(
            refused
                .to_string()
                .contains("8 of 10 connections to endpoints are in use, 8 of them by this host")
        );
        let _others = sockets.take(&other, Duration::ZERO).await.unwrap();
        let mut waits = pin!(sockets.take(&greedy, Duration::from_secs(3600)));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        taken.pop();
        assert!(futures::poll!(waits.as_mut()).is_pending(), "there are fewer free than before");
        taken.pop();
        waits.await.unwrap();
    }
}
