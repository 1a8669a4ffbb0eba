//! The public surface, request by request: what the real server was seen to answer, and what ours does.
//!
//! Reading order: [`case`] (a request and its answers, as `interop/surface/*.json` has them), [`normal`]
//! (what two answers may differ in), [`play`] (asking), [`cli`] (the official command line).
//!
//! The answers are facts about the real server. Its sentences are its own and not kept: where a person
//! reads text, the record says that there is some.

pub mod case;
pub mod cli;
pub mod normal;
pub mod play;
