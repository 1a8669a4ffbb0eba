//! Frames: an eight-byte header, then the body. All integers are big-endian.
//!
//! ```text
//! | type code u16 | flags u16 | body length u32 | body ... |
//! ```

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{MessageType, WireError};

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 8;

/// The sender of a run proposal is content with an acknowledgement (V7).
pub const REQUESTED_ACK: u16 = 0x8000;

/// The real server's limit: 32 MiB.
pub const DEFAULT_MAX_MESSAGE_SIZE_BYTES: u32 = 32 * 1024 * 1024;

/// One message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which message it is.
    pub ty: MessageType,
    /// Bits beside it; unknown ones are ignored.
    pub flags: u16,
    /// Its protobuf body; may be empty.
    pub body: Bytes,
}

impl Frame {
    /// A frame without flags.
    pub fn new(ty: MessageType, body: Bytes) -> Self {
        Self { ty, flags: 0, body }
    }

    /// Appends header and body.
    pub fn encode(&self, into: &mut BytesMut) {
        self.encode_header(into);
        into.extend_from_slice(&self.body);
    }

    /// Appends the header alone; the body has to follow.
    pub fn encode_header(&self, into: &mut BytesMut) {
        into.reserve(HEADER_BYTES + self.body.len());
        into.put_u16(self.ty.0);
        into.put_u16(self.flags);
        // Bodies are limited far below four gigabytes wherever they come in.
        into.put_u32(u32::try_from(self.body.len()).unwrap_or(u32::MAX));
    }
}

/// Cuts a stream of bytes, split anywhere, into frames.
#[derive(Debug)]
pub struct FrameDecoder {
    max_message_size_bytes: u32,
    chunks: VecDeque<Bytes>,
    /// What came behind them in small pieces, each of which would cost more than it has.
    tail: BytesMut,
    buffered_bytes: usize,
}

/// Pieces of fewer bytes are gathered.
const SMALL_BYTES: usize = 1024;

impl FrameDecoder {
    /// A decoder that refuses bodies of more than `max_message_size_bytes`.
    pub fn new(max_message_size_bytes: u32) -> Self {
        Self {
            max_message_size_bytes,
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            buffered_bytes: 0,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        self.buffered_bytes += chunk.len();
        if chunk.len() < SMALL_BYTES && !self.chunks.is_empty() {
            self.tail.extend_from_slice(&chunk);
            return;
        }
        self.end_tail();
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// How many bytes the frame has that has begun and is not whole; `None` when none has, or its header
    /// is not there yet.
    pub fn expected_bytes(&self) -> Option<usize> {
        let header = self.peek_header()?;
        let length_bytes = (&header[4..]).get_u32();
        let bytes = HEADER_BYTES + usize::try_from(length_bytes).unwrap_or(usize::MAX);
        (self.buffered_bytes < bytes).then_some(bytes)
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }

    /// The next whole frame, if there is one. A body within one chunk is not copied.
    ///
    /// # Errors
    /// When a header announces a body over the limit: before any of it is buffered.
    #[expect(clippy::should_implement_trait, reason = "it can have more after None")]
    pub fn next(&mut self) -> Result<Option<Frame>, WireError> {
        let Some(header) = self.peek_header() else { return Ok(None) };
        let mut header = &header[..];
        let ty = MessageType(header.get_u16());
        let flags = header.get_u16();
        let length_bytes = header.get_u32();
        if length_bytes > self.max_message_size_bytes {
            let limit_bytes = self.max_message_size_bytes;
            return Err(WireError::TooLarge { ty, length_bytes, limit_bytes });
        }
        let length = usize::try_from(length_bytes).unwrap_or(usize::MAX);
        if self.buffered_bytes < HEADER_BYTES + length {
            return Ok(None);
        }
        self.end_tail();
        let _header = self.take(HEADER_BYTES);
        Ok(Some(Frame { ty, flags, body: self.take(length) }))
    }

    /// Whether the stream may end here: no frame has begun.
    pub fn is_empty(&self) -> bool {
        self.buffered_bytes == 0
    }

    fn peek_header(&self) -> Option<[u8; HEADER_BYTES]> {
        if self.buffered_bytes < HEADER_BYTES {
            return None;
        }
        let mut header = [0; HEADER_BYTES];
        let bytes = self.chunks.iter().flat_map(|chunk| chunk.iter()).chain(&self.tail);
        header.iter_mut().zip(bytes).for_each(|(into, byte)| *into = *byte);
        Some(header)
    }

    /// Takes `length` bytes that are known to be there.
    fn take(&mut self, length: usize) -> Bytes {
        self.buffered_bytes -= length;
        if let Some(first) = self.chunks.front_mut()
            && first.len() >= length
        {
            let taken = first.split_to(length);
            if first.is_empty() {
                self.chunks.pop_front();
            }
            return taken;
        }
        let mut taken = BytesMut::with_capacity(length);
        while taken.len() < length {
            let Some(first) = self.chunks.front_mut() else { break };
            let part = first.split_to(first.len().min(length - taken.len()));
            taken.extend_from_slice(&part);
            if first.is_empty() {
                self.chunks.pop_front();
            }
        }
        taken.freeze()
    }
}
