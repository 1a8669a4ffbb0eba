//! The data types that events, effects and rows are made of. They contain no transition logic and
//! know nothing about their users.

pub mod deployment;
pub mod ids;
pub mod incident;
pub mod invocation;
pub mod message;
pub mod operation;
pub mod operator;
pub mod producer;
pub mod registry_change;
pub mod state_edit;
pub mod timer;
