//! Request templates, and the bytes that a connection sends for them.

use std::io::Write as _;

use runtime_seeded::Random;

/// How the key in a path is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The path contains no key.
    None,
    /// A uniformly random one of a number of keys.
    Random {
        /// The number of keys.
        keys: u64,
    },
    /// Every key exactly once, divided among the connections.
    EachOnce,
}

/// A request to be sent many times.
#[derive(Clone, Debug)]
pub struct RequestTemplate {
    /// The path up to the key.
    pub prefix: String,
    /// How the key is chosen.
    pub key: Key,
    /// The path after the key.
    pub suffix: String,
    /// A JSON body, or empty for none.
    pub body: String,
}

impl RequestTemplate {
    /// Creates a POST to a path without a key.
    pub fn post(path: &str, body: &str) -> Self {
        Self {
            prefix: path.to_owned(),
            key: Key::None,
            suffix: String::new(),
            body: body.to_owned(),
        }
    }
}

/// Writes the requests of one connection into a reusable buffer.
pub struct RequestWriter {
    template: RequestTemplate,
    random: Random,
    next_key: u64,
    key_step: u64,
    buffer: Vec<u8>,
}

impl RequestWriter {
    /// Creates the writer of connection `index` out of `connections`.
    pub fn new(template: RequestTemplate, index: u64, connections: u64) -> Self {
        Self {
            template,
            random: Random::new(index),
            next_key: index,
            key_step: connections,
            buffer: Vec::with_capacity(512),
        }
    }

    /// Returns the bytes of the next request.
    pub fn next_request(&mut self) -> &[u8] {
        let key = match self.template.key {
            Key::None => None,
            Key::Random { keys } => Some(self.random.below(keys)),
            Key::EachOnce => {
                let key = self.next_key;
                self.next_key += self.key_step;
                Some(key)
            }
        };
        let RequestTemplate { prefix, suffix, body, .. } = &self.template;
        self.buffer.clear();
        // Writing to a vector cannot fail.
        let _ = match key {
            None => write!(self.buffer, "POST {prefix}{suffix} HTTP/1.1\r\n"),
            Some(key) => write!(self.buffer, "POST {prefix}k{key}{suffix} HTTP/1.1\r\n"),
        };
        let content_type = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let _ = write!(
            self.buffer,
            "host: localhost\r\n{content_type}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(key: Key) -> RequestTemplate {
        RequestTemplate { key, suffix: "/add".into(), ..RequestTemplate::post("/Counter/", "1") }
    }

    fn path(request: &[u8]) -> String {
        let text = String::from_utf8(request.to_vec()).unwrap();
        text.split(' ').nth(1).unwrap().to_owned()
    }

    #[test]
    fn two_connections_share_the_keys_out() {
        let mut first = RequestWriter::new(keyed(Key::EachOnce), 0, 2);
        let mut second = RequestWriter::new(keyed(Key::EachOnce), 1, 2);
        let paths = [first.next_request(), second.next_request()].map(path);
        assert_eq!(paths, ["/Counter/k0/add", "/Counter/k1/add"]);
        assert_eq!(path(first.next_request()), "/Counter/k2/add");
    }

    #[test]
    fn an_empty_body_names_no_content_type() {
        let mut writer = RequestWriter::new(RequestTemplate::post("/Steps/run10", ""), 0, 1);
        let text = String::from_utf8(writer.next_request().to_vec()).unwrap();
        assert_eq!(
            text,
            "POST /Steps/run10 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
        );
    }
}
