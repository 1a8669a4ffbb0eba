//! Frames: an eight-byte header followed by the body. All integers are big-endian.
//!
//! ```text
//! | type code u16 | flags u16 | body length u32 | body ... |
//! ```

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{MessageType, WireError};

/// Length in bytes of a frame's header.
pub const HEADER_BYTES: usize = 8;

/// Flag: the sender of a run proposal accepts a bare acknowledgement (V7).
pub const REQUESTED_ACK: u16 = 0x8000;

/// The real server's default limit: 32 MiB.
pub const DEFAULT_MAX_MESSAGE_SIZE_BYTES: u32 = 32 * 1024 * 1024;

/// One message as framed on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Determines how the body is decoded.
    pub ty: MessageType,
    /// Flag bits; unknown ones are ignored.
    pub flags: u16,
    /// The protobuf body; may be empty.
    pub body: Bytes,
}

impl Frame {
    /// A frame without flags.
    pub fn new(ty: MessageType, body: Bytes) -> Self {
        Self { ty, flags: 0, body }
    }

    /// Appends the header and the body.
    pub fn encode(&self, into: &mut BytesMut) {
        into.reserve(HEADER_BYTES + self.body.len());
        self.encode_header(into);
        into.extend_from_slice(&self.body);
    }

    /// Appends only the header; the caller has to append the body.
    pub fn encode_header(&self, into: &mut BytesMut) {
        into.reserve(HEADER_BYTES);
        into.put_u16(self.ty.0);
        into.put_u16(self.flags);
        // Incoming bodies are limited to far less than 4 GiB.
        into.put_u32(u32::try_from(self.body.len()).unwrap_or(u32::MAX));
    }
}

/// Splits a byte stream, received in arbitrary chunks, into frames.
#[derive(Debug)]
pub struct FrameDecoder {
    max_message_size_bytes: u32,
    chunks: VecDeque<Bytes>,
    /// Small chunks received after `chunks`, coalesced: each on its own would have more overhead
    /// than data.
    tail: BytesMut,
    buffered_bytes: usize,
}

/// Chunks smaller than this are coalesced.
const SMALL_BYTES: usize = 1024;

impl FrameDecoder {
    /// A decoder that rejects bodies larger than `max_message_size_bytes`.
    pub fn new(max_message_size_bytes: u32) -> Self {
        Self {
            max_message_size_bytes,
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            buffered_bytes: 0,
        }
    }

    /// Appends the next bytes of the stream.
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

    /// Total length in bytes of the incomplete frame at the front; `None` if there is none, or its
    /// header has not fully arrived.
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

    /// The next complete frame, if there is one. A body within a single chunk is not copied.
    ///
    /// # Errors
    /// Returns an error if a header announces a body over the limit, before any of the body is
    /// buffered.
    #[expect(clippy::should_implement_trait, reason = "it may return more frames after None")]
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

    /// Whether the stream may end here, that is, not in the middle of a frame.
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

    /// Takes `length` bytes, which must be buffered.
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
