//! The nouns: what events, effects and rows are made of. They have no behaviour of their own, and know
//! nothing of who uses them.

pub mod deployment;
pub mod ids;
pub mod invocation;
pub mod message;
pub mod producer;
pub mod timer;
