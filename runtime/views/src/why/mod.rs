//! Why something does not go on: what it waits for, what that waits for, and so on to the causes,
//! each with what would help.
//!
//! Reading order: [`kind`] (what can be waited for), [`subject`] (who waits), [`facts`] (what one
//! partition knows of a subject, read in one turn) with [`waits`] (what a handler has asked for),
//! [`attempt`] (what only the invoker knows), `words` (facts as links, with advice), [`chain`]
//! (which subject to ask about next, and when to stop), `cycle` (who waits for itself),
//! `verdict` (whether it goes on by itself), [`groups`] (many invocations at once).
//!
//! A chain asks for one subject at a time, and whoever drives it reads: from the partitions as they
//! are, or from a snapshot of them. So the links of a chain may be from different moments, as they
//! are of different partitions.

pub mod attempt;
pub mod chain;
mod cycle;
pub mod facts;
pub mod groups;
pub mod kind;
pub mod link;
pub mod subject;
mod verdict;
pub mod waits;
mod words;

pub use attempt::{Attempt, AttemptState, Attempts, Capacity, Lack, Resource};
pub use chain::{Chain, Why};
pub use facts::{Facts, Of};
pub use kind::{Kind, Verdict};
pub use link::{Advice, Cause, Link, Need};
pub use subject::Subject;
pub use words::Surroundings;
