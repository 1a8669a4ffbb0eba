//! The workloads: which request is sent repeatedly, and whether its work continues after the
//! response.

use std::fmt;
use std::str::FromStr;

use crate::load::request::{Key, RequestTemplate};

/// Number of keys that the spread-out counter uses.
pub const COUNTER_KEYS: u64 = 10_000;
/// Suffix of workload names whose services retain no journal.
const UNRETAINED_SUFFIX: &str = "-0";

/// The kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One call that returns at once.
    Echo,
    /// One call to one of [`COUNTER_KEYS`] objects.
    Counter,
    /// One call to the same object every time.
    HotKey,
    /// Ten durable steps.
    Steps,
    /// Five calls in sequence.
    Chain,
    /// A one-way send.
    Send,
}

const SHAPES: [(Shape, &str); 6] = [
    (Shape::Echo, "echo"),
    (Shape::Counter, "counter10k"),
    (Shape::HotKey, "hotkey"),
    (Shape::Steps, "run10"),
    (Shape::Chain, "call5"),
    (Shape::Send, "send"),
];

/// A shape, with the journal retained after completion (the default of servers) or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The kind of request.
    pub shape: Shape,
    /// Whether the server retains the journal for its default retention period.
    pub retained: bool,
}

impl Workload {
    /// Returns the request that this workload sends.
    pub fn request(self) -> RequestTemplate {
        let zero = if self.retained { "" } else { "0" };
        let (prefix, key, suffix, body) = match self.shape {
            Shape::Echo => (format!("/Echo{zero}/echo"), Key::None, "", "\"hello\""),
            Shape::Counter => {
                (format!("/Counter{zero}/"), Key::Random { keys: COUNTER_KEYS }, "/add", "1")
            }
            Shape::HotKey => (format!("/Counter{zero}/hot/add"), Key::None, "", "1"),
            Shape::Steps => (format!("/Steps{zero}/run10"), Key::None, "", ""),
            Shape::Chain => (format!("/Chain{zero}/call5"), Key::None, "", ""),
            Shape::Send => (format!("/Sink{zero}/take/send"), Key::None, "", "\"hello\""),
        };
        RequestTemplate { prefix, key, suffix: suffix.to_owned(), body: body.to_owned() }
    }

    /// Whether work continues after the response, so that it has to be awaited separately.
    pub fn outlives_answer(self) -> bool {
        self.shape == Shape::Send
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SHAPES.iter().find(|(shape, _)| *shape == self.shape).map_or("", |row| row.1);
        write!(f, "{name}{}", if self.retained { "" } else { UNRETAINED_SUFFIX })
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, retained) = match text.strip_suffix(UNRETAINED_SUFFIX) {
            Some(name) => (name, false),
            None => (text, true),
        };
        match SHAPES.iter().find(|row| row.1 == name) {
            Some((shape, _)) => Ok(Self { shape: *shape, retained }),
            None => Err(format!("unknown workload; expected one of {}", known())),
        }
    }
}

fn known() -> String {
    let names: Vec<_> = SHAPES.iter().map(|row| row.1).collect();
    format!("{}, each also with {UNRETAINED_SUFFIX}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in ["echo", "counter10k", "hotkey", "run10", "call5", "send", "run10-0"] {
            assert_eq!(name.parse::<Workload>().unwrap().to_string(), name);
        }
        assert!("run1".parse::<Workload>().unwrap_err().contains("run10"));
    }

    #[test]
    fn unretained_workloads_reach_the_services_without_journals() {
        let path = |name: &str| name.parse::<Workload>().unwrap().request().prefix;
        assert_eq!(path("run10"), "/Steps/run10");
        assert_eq!(path("run10-0"), "/Steps0/run10");
    }
}
