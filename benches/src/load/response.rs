//! A minimal HTTP/1.1 response parser: the status, and where the body ends.

use std::io;

/// The head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Length of the head in bytes, including the empty line.
    pub head_bytes: usize,
    body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Bytes(usize),
    Chunked,
}

/// The end of a chunked body without trailers.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

impl Head {
    /// Parses the head; returns `None` while it is incomplete.
    pub fn parse(received: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&received[..end]).map_err(|_| malformed())?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
        let mut body = Body::Bytes(0);
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            if name.eq_ignore_ascii_case("content-length") {
                body = Body::Bytes(value.trim().parse().map_err(|_| malformed())?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                body = Body::Chunked;
            }
        }
        Ok(Some(Self { status, head_bytes: end + 4, body }))
    }

    /// Whether the complete body has been received.
    pub fn is_complete(&self, received: &[u8]) -> bool {
        match self.body {
            Body::Bytes(length) => received.len() >= self.head_bytes + length,
            // If the body is empty, the line break before the last chunk is that of the head.
            Body::Chunked => received[self.head_bytes - 2..].ends_with(LAST_CHUNK),
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed response head")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_complete(received: &str) -> Option<bool> {
        let received = received.as_bytes();
        Head::parse(received).unwrap().map(|head| head.is_complete(received))
    }

    #[test]
    fn a_body_with_a_length_ends_there() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(is_complete(&head[..20]), None);
        assert_eq!(is_complete(&format!("{head}ab")), Some(false));
        assert_eq!(is_complete(&format!("{head}abc")), Some(true));
    }

    #[test]
    fn a_chunked_body_ends_with_its_empty_chunk() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(is_complete(&format!("{head}2\r\nab\r\n")), Some(false));
        assert_eq!(is_complete(&format!("{head}2\r\nab\r\n0\r\n\r\n")), Some(true));
        assert_eq!(is_complete(&format!("{head}0\r\n\r\n")), Some(true));
    }

    #[test]
    fn a_head_without_a_status_is_an_error() {
        assert!(Head::parse(b"SSH-2.0\r\n\r\n").is_err());
    }
}
