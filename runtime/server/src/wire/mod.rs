//! Implements what leaf crates ask of the runtime.

pub(crate) mod changes;
pub(crate) mod sql;
