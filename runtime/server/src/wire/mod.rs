//! Implements what leaf crates ask of the runtime.

pub(crate) mod backups;
pub(crate) mod changes;
pub(crate) mod queries;
pub(crate) mod sql;
