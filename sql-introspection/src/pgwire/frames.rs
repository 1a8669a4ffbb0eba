//! Reads a client's messages, each as a whole, before anything of it is decoded: the library's
//! decoders believe what a message says about itself, and panic or read on in the next one if it is
//! wrong. What is malformed ends its connection.

pub(super) mod format;

use std::io;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use pgwire::{
    api::{ClientInfo, PgWireConnectionState},
    error::PgWireError,
    messages::PgWireFrontendMessage,
    tokio::server::PgWireMessageServerCodec,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout_at},
};
use tokio_util::codec::{Decoder, Framed};

use self::format::{Fault, Kind};
use super::{
    prepared::Prepared,
    shared_bytes::{SharedBytes, Taken},
};
use crate::error::SqlError;

/// Largest message of a client, in bytes: room for a long query and its parameters.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// What every connection may send without a share of what all of them may. As much is read at once.
const FREE_BYTES: usize = 16 << 10;
/// What all connections together may have sent of larger messages, in bytes.
const LARGE_BYTES_MAX: usize = 16 << 20;
/// How long such a message may take to arrive. Others wait for what it takes.
const LARGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Memory for the large messages of all connections.
pub(super) fn large_messages() -> SharedBytes {
    SharedBytes::new(LARGE_BYTES_MAX)
}

/// Why there is no message.
#[derive(Debug)]
pub(super) enum Refused {
    /// The connection has failed.
    Io(io::Error),
    /// The connection ends with this error.
    Connection(SqlError),
    /// Only the message is refused.
    Message {
        error: SqlError,
        /// Whether those after it are ignored up to the next Sync.
        is_extended: bool,
    },
}

/// What a client has sent.
pub(super) struct Frames {
    /// The message that is under way, and what was read with it.
    buffer: BytesMut,
    /// What the last message takes, or the one under way.
    large: Taken,
    /// Until when the one under way has to be here, if it is large.
    large_until: Option<Instant>,
    has_begun_login: bool,
}

impl Frames {
    /// Begins with what was read already.
    pub(super) fn new(read: BytesMut, large_messages: &SharedBytes) -> Self {
        let large = large_messages.take();
        Self { buffer: read, large, large_until: None, has_begun_login: false }
    }

    /// The next message, or `None` at the end. The last one has been dealt with. Nothing is lost if
    /// this is dropped.
    ///
    /// # Errors
    /// Returns an error if it is malformed or too large.
    pub(super) async fn next<S: AsyncRead + Unpin + 'static>(
        &mut self,
        connection: &mut Framed<S, PgWireMessageServerCodec<Prepared>>,
    ) -> Result<Option<PgWireFrontendMessage>, Refused> {
        let kind = self.kind(connection.state());
        loop {
            if let Some(length) = self.announced(kind)?
                && length <= self.buffer.len()
            {
                self.large_until = None;
                let frame = self.take(length);
                return self.decoded(kind, frame, connection.codec_mut()).map(Some);
            }
            self.make_room(self.buffer.len())?;
            if self.buffer.len() > FREE_BYTES && self.large_until.is_none() {
                self.large_until = Some(Instant::now() + LARGE_TIMEOUT);
            }
            self.buffer.reserve(FREE_BYTES);
            let mut room = (&mut self.buffer).limit(FREE_BYTES);
            let reading = connection.get_mut().read_buf(&mut room);
            let read = match self.large_until {
                Some(until) => timeout_at(until, reading).await.map_err(|_| too_slow())?,
                None => reading.await,
            };
            if read.map_err(Refused::Io)? == 0 {
                return Ok(None);
            }
        }
    }

    /// What may come next.
    fn kind(&self, state: PgWireConnectionState) -> Kind {
        match state {
            PgWireConnectionState::AwaitingSslRequest | PgWireConnectionState::AwaitingStartup => {
                Kind::Startup
            }
            PgWireConnectionState::AuthenticationInProgress if self.has_begun_login => Kind::Login,
            PgWireConnectionState::AuthenticationInProgress => Kind::FirstLogin,
            PgWireConnectionState::ReadyForQuery
            | PgWireConnectionState::QueryInProgress
            | PgWireConnectionState::CopyInProgress(_)
            | PgWireConnectionState::AwaitingSync => Kind::Session,
        }
    }

    /// How long the next message is, its head included, once that is known.
    fn announced(&self, kind: Kind) -> Result<Option<usize>, Refused> {
        let length = format::length(kind, &self.buffer).map_err(malformed)?;
        if let Some(length) = length.filter(|length| *length > MESSAGE_BYTES_MAX) {
            let what = format!("a message may have up to {MESSAGE_BYTES_MAX} bytes, not {length}");
            return Err(Refused::Connection(SqlError::new("54000", what)));
        }
        Ok(length)
    }

    /// Counts what a message takes among what all of them may.
    fn make_room(&mut self, bytes: usize) -> Result<(), Refused> {
        if self.large.resize(bytes.saturating_sub(FREE_BYTES)) {
            return Ok(());
        }
        let what = "clients send too many large messages at once";
        Err(Refused::Connection(SqlError::new("53200", what).hint("try again")))
    }

    /// Takes a message out of the buffer: for itself, so that whoever keeps a part of it keeps
    /// nothing else, and the buffer is no larger than before.
    fn take(&mut self, length: usize) -> BytesMut {
        let frame = BytesMut::from(&self.buffer[..length]);
        if self.buffer.capacity() > 2 * FREE_BYTES {
            self.buffer = BytesMut::from(&self.buffer[length..]);
        } else {
            self.buffer.advance(length);
        }
        frame
    }

    fn decoded(
        &mut self,
        kind: Kind,
        mut frame: BytesMut,
        codec: &mut PgWireMessageServerCodec<Prepared>,
    ) -> Result<PgWireFrontendMessage, Refused> {
        self.make_room(frame.len())?;
        format::check(kind, &frame).map_err(|fault| match fault {
            Fault::NotText { is_extended } if kind == Kind::Session => {
                let what = "a text is not UTF-8, which is the only encoding here";
                Refused::Message { error: SqlError::new("22021", what), is_extended }
            }
            Fault::Malformed(_) | Fault::NotText { .. } | Fault::Version { .. } => malformed(fault),
        })?;
        self.has_begun_login |= kind == Kind::FirstLogin;
        match codec.decode(&mut frame) {
            Ok(Some(message)) if frame.is_empty() => Ok(message),
            Ok(_) => Err(malformed(Fault::Malformed("it is not what it says".to_owned()))),
            Err(PgWireError::IoError(error)) => Err(Refused::Io(error)),
            Err(error) => Err(malformed(Fault::Malformed(error.to_string()))),
        }
    }
}

fn too_slow() -> Refused {
    let what = format!("a large message may take {} s to arrive", LARGE_TIMEOUT.as_secs());
    Refused::Connection(SqlError::new("08P01", what))
}

fn malformed(fault: Fault) -> Refused {
    let error = match fault {
        Fault::Malformed(what) => SqlError::new("08P01", format!("malformed message: {what}")),
        Fault::NotText { .. } => SqlError::new("08P01", "malformed message: a text is not UTF-8"),
        Fault::Version { major, minor } => {
            let what = format!("unsupported frontend protocol {major}.{minor}");
            SqlError::new("0A000", what).hint("this server speaks 3.0 and 3.2")
        }
    };
    Refused::Connection(error)
}

#[cfg(test)]
pub(super) mod tests;
