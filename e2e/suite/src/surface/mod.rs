//! The public surface, request by request: the responses recorded from the real server, and those
//! of ours.
//!
//! Reading order: [`case`] (a request and its responses, as stored in `interop/surface/*.json`),
//! [`normal`] (the permitted differences between two responses), [`play`] (sending the requests),
//! [`cli`] (the official command line tool), [`document`] (the page about all of them).
//!
//! The recorded responses are facts about the real server. Its prose is its own and is not stored:
//! where a response contains text for people, the record only notes that there is some.

pub mod case;
pub mod cli;
pub mod document;
pub mod normal;
pub mod play;
